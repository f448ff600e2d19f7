"""All cores at work on one list of files."""

import os
import signal
from collections.abc import Generator, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import replace
from itertools import islice
from multiprocessing import active_children, get_context, parent_process
from pathlib import Path
from tempfile import NamedTemporaryFile
from threading import Thread

from app.model.bundle import Bundle
from app.scoring.files import File
from app.scoring.scorer import Score, Scorer
from app.scoring.table import Row, failed_row

FILES_PER_TASK = 64
TASKS_PER_PROCESS = 3  # in hand, so that none waits for the next

Task = list[File]
scorer: Scorer  # of this process


def on_all_cores(bundle: Bundle, processes: int) -> Score:
    """Scoring by `processes` on this machine. A file that brings its process down gets a row that says so."""
    return lambda files: _score_all(iter(files), bundle, processes)


def _score_all(files: Iterator[File], bundle: Bundle, processes: int) -> Iterator[list[Row]]:
    while lost := (yield from _score_together(files, bundle, processes)):
        yield from score_alone([file for task in lost for file in task], bundle)


def _score_together(files: Iterator[File], bundle: Bundle, processes: int) -> Generator[list[Row], None, list[Task]]:
    """Rows until the files are done, or a process dies: then what all had in hand is returned."""
    running: dict[Future[list[Row]], Task] = {}
    with _pool(bundle, processes) as pool:
        try:
            while task := list(islice(files, FILES_PER_TASK)):
                try:
                    running[pool.submit(_score, task)] = task
                except BrokenProcessPool:  # while whoever asked for rows was busy with them
                    return [task, *running.values()]
                if len(running) >= TASKS_PER_PROCESS * processes:
                    yield from _finished(running)
            while running:
                yield from _finished(running)
        except BrokenProcessPool:
            pass
    return list(running.values())


def _finished(running: dict[Future[list[Row]], Task]) -> Iterator[list[Row]]:
    for future in wait(running, return_when=FIRST_COMPLETED).done:
        yield future.result()
        del running[future]


def score_alone(files: Task, bundle: Bundle) -> Iterator[list[Row]]:
    """Rows one by one, to find the file that does it."""
    left = iter(files)
    for file in left:
        with _pool(bundle, 1) as pool:
            try:
                yield pool.submit(_score, [file]).result()
                for file in left:  # noqa: PLW2901 the same pool as long as it lives
                    yield pool.submit(_score, [file]).result()
            except BrokenProcessPool:
                yield [failed_row(file, bundle, "The picture brought its reader down.")]


@contextmanager
def _pool(bundle: Bundle, processes: int) -> Iterator[ProcessPoolExecutor]:
    """Processes with a scorer each, not forked, for the progress bar is a thread.

    Their model lies in a file: what a process is given at its birth goes through a pipe, and where it dies before it has
    read more than fits, multiprocessing writes for ever.
    """
    with NamedTemporaryFile(prefix="bodyregion-") as file:
        file.write(bundle.compiled)
        file.flush()
        given = replace(bundle, compiled=b""), file.name
        with ProcessPoolExecutor(processes, get_context("spawn"), _prepare, given) as pool:
            try:
                for _ in range(processes):
                    pool.submit(int)  # all are begun before one can die: begun after that, one is waited for for ever
                yield pool
            except BaseException:
                for process in active_children():  # what they have in hand may take long
                    process.kill()
                raise


def _prepare(bundle: Bundle, compiled: str) -> None:
    global scorer  # noqa: PLW0603 one for each process
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent stops us
    Thread(target=_end_with_parent, args=[compiled], daemon=True).start()
    scorer = Scorer(replace(bundle, compiled=Path(compiled).read_bytes()))


def _end_with_parent(compiled: str) -> None:
    """Wait for the parent to die, by whatever death, and leave nothing of it behind."""
    if parent := parent_process():
        parent.join()
        Path(compiled).unlink(missing_ok=True)
        os._exit(1)


def _score(task: Task) -> list[Row]:
    return scorer(task)
