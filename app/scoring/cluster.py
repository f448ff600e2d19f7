"""Scoring on Ray Data: many machines that see the same files at the same paths.

Only the names of files travel. Each batch becomes a part, a small table in a folder beside the table, named for the
files in it; the driver takes finished parts into the table. So whoever dies, no part is lost, and none counts twice.
"""

import hashlib
import logging
import os
import shutil
import signal
import socket
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from math import ceil
from pathlib import Path
from typing import Any
from uuid import uuid4

from app.model.bundle import Bundle, BundleError
from app.model.classifier import quiet
from app.scoring import ScoringError, missing_package
from app.scoring.columns import Row
from app.scoring.files import File
from app.scoring.local import score_alone
from app.scoring.scorer import Score, Scorer
from app.scoring.table import Table

FILES_PER_BATCH = 64  # and so in a part
MAX_FILES_PER_TASK = 1024
TASKS_PER_CORE = 4  # where there are batches for so many
MAX_BATCH_TRIES = 2  # before its files are scored one by one, lest one of them go on killing workers

Batch = dict[str, Any]  # Ray's: arrays by name
_scorers: dict[str, Scorer] = {}  # of this process, by bundle


def on_a_cluster(bundle: Bundle, address: str, tasks: int | None, parts: Path, uids: bool) -> Score:
    """Scoring like local.on_all_cores. `address` is Ray's, with "auto" and "local"; `tasks` at once, else all.

    Raises ScoringError where there is no Ray, no cluster, or none that can do it.
    """
    _need_ray()
    return lambda files: _score(files, bundle, address, tasks, parts, uids)


def _score(
    files: Iterable[File], bundle: Bundle, address: str, tasks: int | None, parts: Path, uids: bool
) -> Iterator[list[Row]]:
    todo = {file.name: file for file in files}
    for part in parts.glob("[!.]*"):  # of a run that was interrupted
        yield _take(Table(part, bundle, uids), todo)
        part.unlink()
    if todo:
        with _ray(address, tasks):
            parts.mkdir(exist_ok=True)
            for part in _parts(list(todo.values()), bundle, tasks, parts, uids):
                yield _take(Table(part, bundle, uids), todo)
                part.unlink(missing_ok=True)
    shutil.rmtree(parts, ignore_errors=True)


def _take(part: Table, todo: dict[str, File]) -> list[Row]:
    """Rows not seen before: a run may be killed before it removes a part, and Ray may do a task twice."""
    return [row for row in part.rows() if todo.pop(str(row["path"]), None)]


def _parts(files: list[File], bundle: Bundle, tasks: int | None, parts: Path, uids: bool) -> Iterator[Path]:
    """Names of finished parts, as they come."""
    import ray

    count, cores = len(files), tasks or int(ray.cluster_resources()["CPU"])
    blocks = max(ceil(count / MAX_FILES_PER_TASK), min(ceil(count / FILES_PER_BATCH), TASKS_PER_CORE * cores))
    # Plain tasks: in a pool of actors, what a dead one had in hand may wait for ever, and cores that join in mid-run are
    # not used. https://github.com/ray-project/ray/issues/62746
    done = ray.data.from_items(files, override_num_blocks=blocks).map_batches(
        _write,
        fn_args=(bundle, parts.resolve(), Path.cwd(), uids),
        batch_size=FILES_PER_BATCH,
        batch_format="numpy",
        concurrency=tasks,
        num_cpus=1,
    )
    for row in done.iter_rows():
        if row["error"]:
            raise ScoringError(row["error"])
        yield parts / row["part"]


def _write(batch: Batch, bundle: Bundle, parts: Path, here: Path, uids: bool) -> Batch:
    """Write the part of a batch, named for its files, complete or not there; or tell what is in the way."""
    files: list[File] = list(batch["item"])
    digest = hashlib.sha256("\0".join(file.name for file in files).encode()).hexdigest()
    part = parts / f"{digest}.jsonl"
    try:
        if not part.exists():
            died = len(list(parts.glob(f".{digest}-*")))
            scorer = _scorer(bundle, here)
            with Table(parts / f".{digest}-{uuid4().hex}.jsonl", scorer.bundle, uids) as table:
                for rows in [scorer(files)] if died < MAX_BATCH_TRIES else score_alone(files, scorer.bundle):
                    table.append(rows)
            table.path.replace(part)
    except (BundleError, OSError) as error:
        return {"part": [part.name], "error": [f"On a node of the cluster: {error}"]}
    return {"part": [part.name], "error": [""]}


def _scorer(bundle: Bundle, here: Path) -> Scorer:
    """The scorer of this worker, for all tasks that Ray gives it."""
    if bundle.title not in _scorers:
        os.chdir(here)  # files may have relative names
        _scorers[bundle.title] = Scorer(bundle)
    return _scorers[bundle.title]


@contextmanager
def _ray(address: str, tasks: int | None) -> Iterator[None]:
    import ray

    with quiet():
        _connect(address, tasks)
    ray.data.DataContext.get_current().enable_progress_bars = False
    logging.getLogger("ray.data").setLevel(logging.CRITICAL)
    try:
        yield
    except ray.exceptions.RayError as error:
        raise ScoringError(f"The cluster failed. {error}") from error
    finally:
        ray.shutdown()


def _connect(address: str, tasks: int | None) -> None:
    import ray

    size: dict[str, Any] = {"num_cpus": tasks, "include_dashboard": False} if address == "local" else {}
    try:
        if ":" in address:  # or Ray tries for 40 s and ends the process
            host, port = address.rsplit(":", 1)
            socket.create_connection((host, int(port)), timeout=5).close()
        on_sigterm = signal.getsignal(signal.SIGTERM)
        ray.init(address, logging_level=logging.CRITICAL, log_to_driver=False, **size)
        signal.signal(signal.SIGTERM, on_sigterm)  # Ray has put one of its own there
    except (OSError, RuntimeError, ValueError, SystemExit, ray.exceptions.RayError) as error:
        raise ScoringError(f"No Ray cluster can be reached at {address}.") from error


def _need_ray() -> None:
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    try:
        import ray.data  # noqa: F401
    except ImportError as error:
        raise missing_package("A cluster", "ray[data]") from error
