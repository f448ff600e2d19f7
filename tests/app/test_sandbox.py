"""Decoders that are killed, crash or hang, under a real server."""

import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2
import numpy as np
import pytest
from PIL import Image

from tests.dicoms import dicom
from tests.hostile import dicom_structure
from tests.hostile.case import HAND, encoded
from tests.running import Server, serving, wait_until

KEY = "a-key-of-this-test"
DEAR = next(case.data for case in dicom_structure.crowds() if case.name == "DICOM, 500,000 body regions")


@pytest.fixture(scope="module")
def lonely(artifacts: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server whose decoders no other test uses."""
    output = tmp_path_factory.mktemp("lonely") / "log"
    with serving(artifacts / "current", output, BODYREGION_API_KEYS=KEY) as server:
        yield server


@pytest.fixture
def heavy() -> bytes:
    """A picture in a format that the service does not decode itself."""
    return encoded(Image.fromarray(HAND), "WEBP", lossless=True)


def ask(server: Server, *pictures: bytes, seconds: float = 10, patience: float = 30) -> httpx2.Response:
    headers = {"X-API-Key": KEY, "X-Request-Timeout": str(seconds)}
    with server.client() as client:
        client.timeout = patience
        if len(pictures) == 1:
            return client.post("/predict", files={"file": pictures[0]}, headers=headers)
        return client.post("/predict/batch", files=[("files", picture) for picture in pictures], headers=headers)


def decoders(server: Server) -> list[int]:
    return [pid for pid in server.family() if pid != server.process.pid]


def meeting(server: Server, picture: bytes, *fate: signal.Signals, **limits: float) -> httpx2.Response:
    """The answer for a picture whose decoder is stopped, and then sent `fate`, while it has the picture."""
    held = decoders(server)
    for pid in held:
        os.kill(pid, signal.SIGSTOP)
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(ask, server, picture, **limits)
        time.sleep(0.5)  # for the request to arrive; sooner, the decoder would die without it, which is easier to mend
        for number in fate:
            for pid in held:
                os.kill(pid, number)
        return answer.result()


def test_a_decoder_killed_between_two_pictures_costs_no_answer(lonely: Server, heavy: bytes) -> None:
    for pid in decoders(lonely):
        os.kill(pid, signal.SIGKILL)
    assert ask(lonely, heavy).json()["label"] == "Hand"


def test_a_decoder_killed_with_a_picture_costs_no_answer(lonely: Server, heavy: bytes) -> None:
    assert meeting(lonely, heavy, signal.SIGKILL).json()["label"] == "Hand"


def test_a_picture_that_crashes_its_decoder_is_refused_and_the_next_is_answered(lonely: Server, heavy: bytes) -> None:
    answer = meeting(lonely, heavy, signal.SIGSEGV, signal.SIGCONT)
    assert (answer.status_code, answer.json()["detail"]) == (400, "The picture brought its decoder down.")
    assert ask(lonely, heavy).json()["label"] == "Hand"


def test_a_decoder_that_hangs_is_given_up_at_the_deadline(lonely: Server, heavy: bytes) -> None:
    before = decoders(lonely)
    assert meeting(lonely, heavy, seconds=1).status_code == 504
    wait_until(lambda: decoders(lonely) != before)
    assert ask(lonely, heavy).json()["label"] == "Hand"


def test_a_decoder_is_free_again_when_its_caller_hangs_up(lonely: Server, heavy: bytes) -> None:
    before = decoders(lonely)
    with pytest.raises(httpx2.ReadTimeout):
        meeting(lonely, heavy, patience=1)
    wait_until(lambda: decoders(lonely) != before, seconds=5)
    assert ask(lonely, heavy).json()["label"] == "Hand"


def test_a_picture_that_takes_too_long_harms_no_other_of_its_batch(lonely: Server, heavy: bytes) -> None:
    results = ask(lonely, heavy, DEAR, heavy).json()["results"]
    assert [entry.get("label") for entry in results] == ["Hand", None, "Hand"]
    assert results[1]["error"]["status"] == 413


def test_a_decoder_has_memory_for_one_large_file_at_a_time_and_needs_no_more(artifacts: Path, tmp_path: Path) -> None:
    """64 MiB and 10 bytes a pixel beyond what it takes at rest: 83 MiB for files of 56, which come through a buffer."""
    large = dicom(np.zeros((112, 512, 512), np.uint16))
    with serving(artifacts / "current", tmp_path / "log", BODYREGION_MAX_PIXELS="2000000") as server:
        assert [ask(server, large).status_code for _ in range(3)] == [200] * 3


def test_a_decoder_knows_no_secret(lonely: Server) -> None:
    for pid in (started := decoders(lonely)):
        assert KEY.encode() not in Path(f"/proc/{pid}/environ").read_bytes()
    assert started
