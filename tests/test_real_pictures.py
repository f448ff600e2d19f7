"""The committed bundle on the real pictures, through the real server."""

import csv
import gzip
import tarfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from app.imaging import decode, to_input
from tests.bundles import classifier
from tests.running import COMMITTED, Server, serving

pytestmark = pytest.mark.real
EACH = 40  # pictures a class


@pytest.fixture(scope="module")
def pictures(real_data: Path) -> dict[str, list[bytes]]:
    """The first held-out pictures of every class, straight from the archive."""
    listed = bundle_split()
    found: dict[str, list[bytes]] = {}
    with tarfile.open(real_data / "MedNIST.tar.gz") as tar:
        for member in tar:
            label = member.name.split("/")[1] if member.name.endswith(".jpeg") else ""
            if listed.get(member.name.split("/", 1)[-1]) == "test" and len(found.setdefault(label, [])) < EACH:
                found[label].append(tar.extractfile(member).read())  # type: ignore[union-attr]
    return found


def bundle_split() -> dict[str, str]:
    with gzip.open(COMMITTED / "manifest.csv.gz", "rt") as file:
        return {row["path"]: row["split"] for row in csv.DictReader(file)}


@pytest.fixture(scope="module")
def committed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(COMMITTED, tmp_path_factory.mktemp("committed") / "log") as started:
        yield started


def test_a_picture_of_each_class_gets_the_right_label_by_form_and_by_body(
    committed: Server, pictures: dict[str, list[bytes]]
) -> None:
    assert len(pictures) == 6
    with committed.client() as client:
        for label, files in pictures.items():
            by_form = client.post("/predict", files={"file": files[0]}).json()
            raw = client.post("/predict", content=files[0], headers={"content-type": "image/jpeg"}).json()
            assert by_form["label"] == raw["label"] == label


def test_the_evaluator_and_the_service_give_the_same_probabilities(
    committed: Server, pictures: dict[str, list[bytes]]
) -> None:
    judge = classifier(COMMITTED)
    files = [file for several in pictures.values() for file in several]
    expected = judge(np.stack([to_input(decode(file), judge.size) for file in files])).probabilities
    with committed.client() as client:
        answers = [client.post("/predict", files={"file": file}).json() for file in files]
    served = np.array([list(answer["probabilities"].values()) for answer in answers])
    assert np.abs(served - expected).max() <= 1e-6


def test_nearly_all_held_out_pictures_are_right(committed: Server, pictures: dict[str, list[bytes]]) -> None:
    truth = [label for label, files in pictures.items() for _ in files]
    with committed.client() as client:
        labels = [
            result["label"]
            for files in pictures.values()
            for result in client.post("/predict/batch", files=batch(files)).json()["results"]
        ]
    assert np.mean([one == two for one, two in zip(labels, truth, strict=True)]) >= 0.98


def batch(files: list[bytes]) -> list[tuple[str, tuple[str, bytes]]]:
    return [("files", ("picture.jpeg", file)) for file in files]


def test_the_committed_bundle_is_small() -> None:
    assert sum(path.stat().st_size for path in COMMITTED.rglob("*") if path.is_file()) < 5_000_000
