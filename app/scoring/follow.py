"""`follow`: every series of an Orthanc that has become stable gets its answer, as metadata and, where there are, as a label.

An instance counts as settled once its series was answered with it, so that nothing is lost with a server that goes down
between receiving a series and telling that it is stable: that it tells of no series ever again.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import dataclass
from time import monotonic, sleep
from typing import Any

import structlog

from app.imaging import DEFAULT_LIMITS
from app.imaging.sandbox import DecoderPool
from app.limits import usable_cores
from app.model.bundle import Bundle
from app.scoring.orthanc.answer import Answer, Judge
from app.scoring.orthanc.client import Gone, Orthanc, Unavailable
from app.scoring.orthanc.state import State
from app.scoring.scorer import Scorer

CHANGES_AT_ONCE = 1000  # about seventy series of ten files
SERIES_AT_ONCE = 4  # so that files are fetched while others are decoded
POLL_SECONDS = 1.0
FIRST_PAUSE_SECONDS, MAX_PAUSE_SECONDS = 1.0, 60.0  # between attempts, each twice as long as the one before
SECONDS_BETWEEN_LINES = 10.0  # on the log

Write = Callable[[str, Answer], None]  # of a series
log = structlog.get_logger()


@dataclass(slots=True)
class Progress:
    """What was done since the line before on the log, which gets one every few seconds in which something was."""

    orthanc: Orthanc
    since: float = 0
    series: int = 0
    failed: int = 0

    def begin(self) -> None:
        self.since = self.since if self.series else monotonic()

    def add(self, answer: Answer) -> None:
        self.series += 1
        self.failed += not answer.is_judged

    def tell(self, change: int, at_once: bool = False) -> None:
        seconds = monotonic() - self.since
        if self.series and (at_once or seconds >= SECONDS_BETWEEN_LINES):
            rate, left = round(self.series / seconds, 1), self.orthanc.last_change() - change
            log.info(
                "answered", series=self.series, not_judged=self.failed, per_second=rate, changes_behind=max(left, 0)
            )
            self.since, self.series, self.failed = monotonic(), 0, 0


class Follower:
    """Goes through a server's changes from where it was left."""

    def __init__(self, orthanc: Orthanc, judge: Judge, write: Write, state: State) -> None:
        self._orthanc, self._judge, self._write, self._state = orthanc, judge, write, state
        self._last = state.last
        self._unsettled: dict[str, int] = {}  # instances, each with the change that told of it, in the order of these
        self._progress = Progress(orthanc)

    def follow(self) -> None:
        """For ever, whatever becomes of the server."""
        pause = FIRST_PAUSE_SECONDS
        while True:
            try:
                self.catch_up()
                self._progress.tell(self._last)
                pause = FIRST_PAUSE_SECONDS
                sleep(POLL_SECONDS)
            except Unavailable as error:
                log.warning("waiting", why=str(error), seconds=pause)
                sleep(pause)
                pause = min(2 * pause, MAX_PAUSE_SECONDS)

    def catch_up(self) -> None:
        """Answer all series that are stable now. Raises Unavailable."""
        is_all = False
        while not is_all:
            changes, last, is_all = self._orthanc.changes(self._last, CHANGES_AT_ONCE)
            if last < self._last:
                log.warning("another database is there; its changes are gone through from the first")
                self._unsettled.clear()
                last, is_all = 0, False
            if stable := self._stable(changes):
                self._answer_all(stable)
                is_all = False  # own writing is a change as well, and in the meantime there may be others
            self._dealt_with(last)
        self._settle()

    def tell(self) -> None:
        self._progress.tell(self._last, at_once=True)

    def _stable(self, changes: list[dict[str, Any]]) -> dict[str, int]:
        """Series, each with the first change that says so: what becomes of several is in the one answer."""
        stable: dict[str, int] = {}
        for change in changes:
            if change["ChangeType"] == "NewInstance":
                self._unsettled.pop(change["ID"], None)
                self._unsettled[change["ID"]] = change["Seq"]
            elif change["ChangeType"] == "StableSeries":
                stable.setdefault(change["ID"], change["Seq"])
        return stable

    def _answer_all(self, stable: dict[str, int]) -> None:
        """Several at a time; what was begun is finished, whatever happens."""
        self._progress.begin()
        pool = ThreadPoolExecutor(SERIES_AT_ONCE)
        try:
            for answer, change in zip(pool.map(self._answer, stable), stable.values(), strict=True):
                if answer:
                    self._progress.add(answer)
                    for instance in answer.instances:
                        self._unsettled.pop(instance, None)
                self._dealt_with(change)
                self._progress.tell(change)
        finally:
            pool.shutdown(cancel_futures=True)

    def _answer(self, series: str) -> Answer | None:
        """None where it is gone."""
        try:
            answer = self._judge(series)
            self._write(series, answer)
        except Gone:
            return None
        return answer

    def _settle(self) -> None:
        """Answer series that are stable without a change that says so; the oldest that is not ends it, as it will be."""
        while self._unsettled:
            instance = next(iter(self._unsettled))
            try:
                if not (series := self._orthanc.settled_series(instance)):
                    return
                self._answer_all({series: self._last})
            except Gone:
                pass
            self._unsettled.pop(instance, None)
            self._dealt_with(self._last)

    def _dealt_with(self, change: int) -> None:
        """Who goes on from the state meets all that is not settled again."""
        self._last = change
        oldest = next(iter(self._unsettled.values()), change + 1)
        self._state.set(min(change, oldest - 1))


def follow(bundle: Bundle, orthanc: Orthanc, state: State, slices: int, write: Write, once: bool) -> None:
    """Answer what is there and, unless `once`, all that comes. Raises BundleError; with `once` Unavailable."""
    with closing(DecoderPool(usable_cores(), DEFAULT_LIMITS)) as pool:
        follower = Follower(orthanc, Judge(orthanc, Scorer(bundle, pool), slices), write, state)
        log.info("following", server=orthanc.address, bundle=bundle.title, change=state.last, labels=orthanc.has_labels)
        try:
            follower.catch_up() if once else follower.follow()
        finally:
            with suppress(Unavailable):
                follower.tell()
