"""The committed bundle on the real pictures, through the real server."""

import csv
import gzip
import tarfile
from pathlib import Path

import httpx2
import numpy as np
import pytest

from app.imaging import decode, to_input
from tests.bundles import classifier
from tests.running import COMMITTED

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


def test_a_picture_of_each_class_gets_the_right_label_by_form_and_by_body(
    asking: httpx2.Client, pictures: dict[str, list[bytes]]
) -> None:
    assert len(pictures) == 6
    for label, files in pictures.items():
        by_form = asking.post("/predict", files={"file": files[0]}).json()
        raw = asking.post("/predict", content=files[0], headers={"content-type": "image/jpeg"}).json()
        assert by_form["label"] == raw["label"] == label


def test_the_evaluator_and_the_service_give_the_same_probabilities(
    asking: httpx2.Client, pictures: dict[str, list[bytes]]
) -> None:
    judge = classifier(COMMITTED)
    files = [file for several in pictures.values() for file in several]
    expected = judge(np.stack([to_input(decode(file), judge.size) for file in files])).probabilities
    answers = [asking.post("/predict", files={"file": file}).json() for file in files]
    served = np.array([list(answer["probabilities"].values()) for answer in answers])
    assert np.abs(served - expected).max() <= 1e-6


def test_nearly_all_held_out_pictures_are_right(asking: httpx2.Client, pictures: dict[str, list[bytes]]) -> None:
    right = []
    for label, files in pictures.items():
        results = asking.post("/predict/batch", files=[("files", file) for file in files]).json()["results"]
        assert len(results) == len(files)
        right += [result["label"] == label for result in results]
    assert np.mean(right) >= 0.98


def test_the_committed_bundle_is_small() -> None:
    assert sum(path.stat().st_size for path in COMMITTED.rglob("*") if path.is_file()) < 10_000_000
