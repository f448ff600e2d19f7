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
from multiprocessing.reduction import DupFd
from tempfile import TemporaryFile
from threading import Thread
from typing import Any

from app.model.bundle import Bundle
from app.scoring.columns import Row, failed_row
from app.scoring.files import File
from app.scoring.scorer import Score, Scorer

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
    read more than fits, multiprocessing writes for ever. The file has no name, so that no kill leaves it behind.
    """
    with TemporaryFile() as file:
        file.write(bundle.compiled)
        file.flush()
        given = replace(bundle, compiled=b""), _OpenFile(file.fileno())
        with ProcessPoolExecutor(processes, get_context("spawn"), _prepare, given) as pool:
            try:
                for _ in range(processes):
                    pool.submit(int)  # all are begun before one can die: begun after that, one is waited for for ever
                yield pool
            except BaseException:
                for process in active_children():  # what they have in hand may take long
                    process.kill()
                pool._result_queue._writer.close()  # type: ignore[attr-defined]  # else the rest of half a row is waited for
                pool.shutdown(wait=False)  # leaving would wait for a thread, which a signal may have kept from starting
                raise


class _OpenFile:
    """A file by its number, which a process that is begun is given another of."""

    def __init__(self, number: int) -> None:
        self._number = number

    def __reduce__(self) -> tuple[object, ...]:
        return _received, (DupFd(self._number),)

    def read(self) -> bytes:
        return os.pread(self._number, os.fstat(self._number).st_size, 0)  # all processes share one position


def _received(copy: Any) -> _OpenFile:
    return _OpenFile(copy.detach())


def _prepare(bundle: Bundle, compiled: _OpenFile) -> None:
    global scorer  # noqa: PLW0603 one for each process
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent stops us
    Thread(target=_end_with_parent, daemon=True).start()
    scorer = Scorer(replace(bundle, compiled=compiled.read()))


def _end_with_parent() -> None:
    """Wait for the parent to die, by whatever death."""
    if parent := parent_process():
        parent.join()
        os._exit(1)


def _score(task: Task) -> list[Row]:
    return scorer(task)
