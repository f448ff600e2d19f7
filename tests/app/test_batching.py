"""The way to the classifier, with a real one that also counts, and that cannot stand black pictures."""

import asyncio
import time
from pathlib import Path
from threading import Thread
from typing import Any

import httpx2
import numpy as np
import pytest

from app.api.request import Timing
from app.imaging import Pixels
from app.model.batching import Batcher
from app.model.classifier import SLICE, Classifier, Outputs
from tests.bundles import classifier, compiled
from tests.running import COMMITTED, Server, serving
from training import phantoms


class Squeamish(Classifier):
    judged = 0

    def __call__(self, inputs: Pixels) -> Outputs:
        if not inputs.any(axis=(1, 2, 3)).all():
            raise RuntimeError("a black picture")
        Squeamish.judged += len(inputs)
        return super().__call__(inputs)


@pytest.fixture
def batcher() -> Batcher:
    made = Batcher(Squeamish(compiled(COMMITTED)))
    Squeamish.judged = 0
    return made


def noise(count: int) -> Pixels:
    return np.random.default_rng(count).integers(1, 256, (count, 64, 64, 1), np.uint8)


def run(batcher: Batcher, *asked: Pixels) -> tuple[list[list[Outputs | Exception]], list[Timing]]:
    timings = [Timing() for _ in asked]

    async def ask_all() -> list[Any]:
        return await asyncio.gather(*map(batcher, asked, timings))

    return asyncio.run(ask_all()), timings


def alone(batcher: Batcher, inputs: Pixels) -> list[Any]:
    return [batcher._here(inputs[row : row + 1]).probabilities for row in range(len(inputs))]


def same(found: list[Outputs | Exception], expected: list[Any]) -> bool:
    rows = [row.probabilities for row in found if isinstance(row, Outputs)]
    return len(rows) == len(expected) and np.allclose(rows, expected, atol=1e-6)


def test_every_picture_gets_its_own_answer_lone_or_among_many(batcher: Batcher) -> None:
    inputs = noise(2 * SLICE + 5)
    expected = alone(batcher, inputs)
    together, timings = run(batcher, inputs, *(inputs[row : row + 1] for row in range(len(inputs))))
    assert same(together[0], expected)
    assert same([row for rows in together[1:] for row in rows], expected)
    assert all(timing.infer > 0 <= timing.queue for timing in timings)


@pytest.mark.parametrize("lone", [True, False])
def test_a_poisoned_picture_fails_alone(batcher: Batcher, lone: bool) -> None:
    inputs = noise(SLICE + 3)
    inputs[7] = 0
    asked = [inputs[row : row + 1] for row in range(len(inputs))] if lone else [inputs]
    rows = [row for found in run(batcher, *asked)[0] for row in found]
    assert [index for index, row in enumerate(rows) if isinstance(row, RuntimeError)] == [7]
    sound = np.delete(inputs, 7, axis=0)
    assert same(rows, alone(batcher, sound))


def test_many_never_hold_up_a_lone_one(batcher: Batcher) -> None:
    async def ask() -> int:
        many = asyncio.create_task(batcher(noise(40 * SLICE), Timing()))
        await asyncio.sleep(0)
        answered = 0
        while not many.done():
            await batcher(noise(1), Timing())
            answered += 1
        return answered

    assert asyncio.run(ask()) > 40  # more than one for each slice


def test_no_slice_is_begun_for_a_caller_who_has_gone(batcher: Batcher) -> None:
    async def leave() -> None:
        asked = asyncio.create_task(batcher(noise(40 * SLICE), Timing()))
        lone = asyncio.create_task(batcher(noise(1), Timing()))
        await asyncio.sleep(0)
        asked.cancel()
        lone.cancel()
        await asyncio.sleep(0.2)

    asyncio.run(leave())
    assert Squeamish.judged <= SLICE


def test_a_classifier_and_its_twin_answer_alike() -> None:
    judge = classifier(COMMITTED)
    inputs = np.random.default_rng(0).integers(0, 256, (40, judge.size, judge.size, 1), np.uint8)
    assert isinstance(judge.twin(), Classifier)
    assert np.array_equal(judge(inputs).probabilities, judge.twin()(inputs).probabilities)


@pytest.mark.slow  # 30 s, as it says
def test_many_and_lone_pictures_at_once_get_the_answers_they_get_alone(tmp_path: Path) -> None:
    """For 30 seconds: two threads on one interpreter would mix them up, or bring the process down."""
    pictures = [phantoms.png(picture) for picture in phantoms.candidates(seed=3)]
    many = [pictures[number % len(pictures)] for number in range(256)]
    found: list[tuple[int, list[float]]] = []
    with serving(COMMITTED, tmp_path / "log") as server, server.client() as client:
        expected = [probabilities(client.post("/predict", content=picture)) for picture in pictures]
        batch = Thread(target=lambda: found.extend(in_batches(server, many)))
        batch.start()
        while batch.is_alive():
            for number, picture in enumerate(pictures):
                found.append((number, probabilities(client.post("/predict", content=picture))))
        batch.join()
    assert len(found) > 3000
    for number, answer in found:
        assert answer == pytest.approx(expected[number % len(pictures)], abs=1e-5)


def in_batches(server: Server, many: list[bytes]) -> list[tuple[int, list[float]]]:
    found, until = [], time.monotonic() + 30
    with server.client() as client:
        while time.monotonic() < until:
            answer = client.post("/predict/batch", files=[("files", picture) for picture in many])
            found += [(row["index"], list(row["probabilities"].values())) for row in answer.json()["results"]]
    return found


def probabilities(answer: httpx2.Response) -> list[float]:
    return list(answer.json()["probabilities"].values())
