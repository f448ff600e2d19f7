"""Every file of the corpus to one real server: the right answer, soon, within its memory, and nobody else is harmed."""

import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import cycle
from os import sysconf
from pathlib import Path

import httpx2
import numpy as np
import pytest

from tests.benchmarks.processes import family
from tests.hostile import containers, corpus
from tests.hostile.case import Case
from tests.running import Server, serving

pytestmark = pytest.mark.slow

MOST_SECONDS, MOST_HEALTH_SECONDS, MOST_MIB = 4, 1, 500
PAGE_MIB = sysconf("SC_PAGE_SIZE") / 2**20
NAMES = cycle(
    [
        "hand.png",
        "hand.exe",
        "../../etc/passwd",
        "",
        "x" * 300,
        "a\tb.dcm",
        "日本.jpg",
        "'\";--.tiff",
        "..",
        "C:\\nul.bmp",
    ]
)


@dataclass
class Watch:
    """What a server's processes hold together, and how soon it says that it is well, looked at all the while."""

    server: Server
    mib: float = 0  # the most since `begin`
    health_seconds: float = 0
    asked: float | None = None  # when it was asked how it is, and has not answered yet
    unwell: set[int] = field(default_factory=set)
    enough: threading.Event = field(default_factory=threading.Event)

    def begin(self) -> None:
        self.mib = resident(self.server.process.pid)
        self.health_seconds = 0

    def memory(self) -> None:
        while not self.enough.wait(0.02):
            self.mib = max(self.mib, resident(self.server.process.pid))

    def health(self) -> None:
        with self.server.client() as client:
            while not self.enough.wait(0.2):
                self.asked = time.monotonic()
                self.unwell |= {health_status(client)} - {200}
                self.health_seconds, self.asked = self.waited(), None

    def waited(self) -> float:
        """The longest that health took since `begin`, or takes already."""
        asked = self.asked
        return max(self.health_seconds, time.monotonic() - asked if asked is not None else 0)


@dataclass(frozen=True)
class Outcome:
    case: Case
    status: int  # 0: no answer
    seconds: float
    mib: float  # the most that was resident while it was answered
    health_seconds: float

    def __str__(self) -> str:
        took = f"{self.seconds:.1f} s, {self.mib:.0f} MiB, health {self.health_seconds:.1f} s"
        return f"{self.case.name}: {self.status}, deserves {sorted(self.case.statuses)} ({took})"


@dataclass(frozen=True)
class Trial:
    idle_mib: float
    outcomes: list[Outcome]
    unwell: set[int]


def resident(root: int) -> float:
    """MiB of a process and all its descendants, what they share counted for each."""
    pages = 0
    for pid in family(root):
        with suppress(OSError):  # it ended meanwhile
            pages += int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * PAGE_MIB


def health_status(client: httpx2.Client) -> int:
    try:
        return client.get("/health").status_code
    except httpx2.HTTPError:
        return 0


def posted(client: httpx2.Client, data: bytes, name: str) -> int:
    try:
        # Over a connection of its own: a failure of one must not be taken for one of the next.
        return client.post("/predict", files={"file": (name, data)}, headers={"connection": "close"}).status_code
    except httpx2.HTTPError:
        return 0


@pytest.fixture(scope="module")
def hardened(artifacts: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(artifacts / "current", tmp_path_factory.mktemp("hostile") / "log") as server:
        yield server


@pytest.fixture(scope="module")
def trial(hardened: Server) -> Trial:
    """The whole corpus, one file after the other, each under another odd name."""
    watch = Watch(hardened)
    threads = [threading.Thread(target=look) for look in (watch.memory, watch.health)]
    idle = resident(hardened.process.pid)
    for thread in threads:
        thread.start()
    try:
        with hardened.client() as client:
            outcomes = [outcome(client, watch, case) for case in corpus.cases()]
    finally:
        watch.enough.set()
        for thread in threads:
            thread.join()
    return Trial(idle, outcomes, watch.unwell)


def outcome(client: httpx2.Client, watch: Watch, case: Case) -> Outcome:
    watch.begin()
    start = time.monotonic()
    status = posted(client, case.data, next(NAMES))
    return Outcome(case, status, time.monotonic() - start, watch.mib, watch.waited())


def listed(outcomes: list[Outcome]) -> str:
    return "\n".join(["", *map(str, outcomes)])


def test_the_corpus_is_large_varied_and_the_same_every_time() -> None:
    first = {case.name: sha256(case.data).digest() for case in corpus.cases()}
    cases = list(corpus.cases())
    assert {case.name: sha256(case.data).digest() for case in cases} == first
    assert len(first) == len(cases)
    assert len(set(first.values())) >= 300
    assert sum(case.status == 200 for case in cases) >= 20


def test_every_file_gets_the_status_it_deserves(trial: Trial) -> None:
    wrong = [seen for seen in trial.outcomes if seen.status not in seen.case.statuses]
    assert not wrong, listed(wrong)


def test_every_answer_comes_within_four_seconds(trial: Trial) -> None:
    late = [seen for seen in trial.outcomes if seen.seconds > MOST_SECONDS]
    assert not late, listed(late)


def test_memory_stays_within_500_mib_of_idle(trial: Trial) -> None:
    heavy = [seen for seen in trial.outcomes if seen.mib > trial.idle_mib + MOST_MIB]
    assert not heavy, listed(heavy)


def test_health_answers_within_a_second_throughout(trial: Trial) -> None:
    assert trial.unwell == set()
    behind = [seen for seen in trial.outcomes if seen.health_seconds > MOST_HEALTH_SECONDS]
    assert not behind, listed(behind)


def test_a_sound_picture_is_still_answered_rightly_afterwards(hardened: Server, trial: Trial, hand: bytes) -> None:
    with hardened.client() as client:
        assert client.post("/predict", files={"file": hand}).json()["label"] == "Hand"
    longest = max(trial.outcomes, key=lambda seen: seen.seconds)
    heaviest = max(trial.outcomes, key=lambda seen: seen.mib)
    print(f"{len(trial.outcomes)} files, idle {trial.idle_mib:.0f} MiB; longest {longest}; heaviest {heaviest}")


@pytest.mark.parametrize("name", containers.files())
def test_the_same_picture_in_another_container_gets_the_same_answer(hardened: Server, name: str) -> None:
    with hardened.client() as client:
        plain, other = (
            list(client.post("/predict", files={"file": data}).json()["probabilities"].values())
            for data in (containers.PLAIN, containers.files()[name])
        )
    assert np.abs(np.subtract(plain, other)).max() <= 0.05
