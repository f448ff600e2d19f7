"""What the service tells about a DICOM beside its prediction."""

import io
import json
from pathlib import Path

import httpx2
import numpy as np
import pytest
from PIL import Image
from pydicom import uid
from pydicom.encaps import encapsulate

from app import imaging
from app.imaging import Pixels
from app.model import bundle
from tests.dicoms import dicom, item
from tests.running import ROOT, run, serving
from training import phantoms

HAND = phantoms.draw("Hand", np.random.default_rng(12345))
HEAD = phantoms.draw("HeadCT", np.random.default_rng(12345))
HAND_SUGGESTED = {"term": "HAND", "code": "85562004", "scheme": "SCT", "meaning": "Hand"}
HEAD_SUGGESTED = {"term": "HEAD", "code": "69536005", "scheme": "SCT", "meaning": "Head"}


def shown(example: str) -> Pixels:
    return imaging.decode((ROOT / "examples" / f"{example}.png").read_bytes()).pixels


@pytest.mark.parametrize(
    ("picture", "modality", "body_part", "agrees"),
    [
        (HAND, "CR", "HAND", True),
        (HAND, "DX", "Hand, li. p.a.", True),
        (HAND, "", "RIGHT HAND", True),
        (HAND, "CT", "HAND", False),
        (HAND, "CR", "CHEST", False),
        (HAND, "CR", "KNEE", False),
        (HAND, "CR", "Protocol 7", None),
        (HAND, "CR", None, None),
        (HEAD, "CT", "Schädel", True),
        (HEAD, "CT", "HEADNECK", True),
        (HEAD, "CT", "AHEAD", None),
        (HEAD, "CT", "C-SPINE", False),
    ],
)
def test_the_header_agrees_contradicts_or_says_nothing(
    client: httpx2.Client, picture: Pixels, modality: str, body_part: str | None, agrees: bool | None
) -> None:
    file = dicom(picture, Modality=modality, BodyPartExamined=body_part, SpecificCharacterSet="ISO_IR 192")
    told = client.post("/predict", content=file, headers={"content-type": "application/dicom"}).json()["dicom"]
    assert told == {
        "modality": modality or None,
        "body_part": body_part,
        "rows": 64,
        "columns": 64,
        "frames": 1,
        "window": {"center": 128, "width": 256},
        "agrees": agrees,
        "suggested": HAND_SUGGESTED if picture is HAND else HEAD_SUGGESTED,
    }


def test_a_chest_whose_header_says_nothing_gets_the_term_of_dicom(asking: httpx2.Client) -> None:
    told = asking.post("/predict", content=dicom(shown("ChestCT"), Modality="CT")).json()["dicom"]
    assert told["suggested"] == {"term": "CHEST", "code": "816094009", "scheme": "SCT", "meaning": "Chest"}
    assert (told["body_part"], told["agrees"]) == (None, None)


def test_nothing_is_suggested_for_a_stranger(asking: httpx2.Client) -> None:
    answer = asking.post("/predict", content=dicom(shown("stranger"), BodyPartExamined="HAND")).json()
    assert answer["label"] is None
    assert answer["dicom"]["suggested"] is None


def test_nothing_is_suggested_by_a_bundle_without_terms(root: Path, tmp_path: Path) -> None:
    whole = bundle.read(root / "current")
    bundle.seal(whole.folder, whole.manifest.model_copy(update={"dicom": {}}))
    with serving(whole.folder, tmp_path / "log") as server, server.client() as client:
        answer = client.post("/predict", content=dicom(HAND, BodyPartExamined="HAND")).json()
    assert answer["label"] == "Hand"
    assert (answer["dicom"]["agrees"], answer["dicom"]["suggested"]) == (None, None)


def test_a_coded_region_says_as_much_as_a_word(client: httpx2.Client) -> None:
    code = item(CodeValue="85562004", CodingSchemeDesignator="SCT", CodeMeaning="Mano")
    told = client.post("/predict", content=dicom(HAND, Modality="CR", AnatomicRegionSequence=[code])).json()["dicom"]
    assert told["body_part"] == "Mano"
    assert told["agrees"] is True


def test_a_dicom_is_judged_like_the_same_picture_elsewhere(client: httpx2.Client, hand: bytes) -> None:
    plain = client.post("/predict", files={"file": hand}).json()
    wrapped = client.post("/predict", files={"file": dicom(HAND)}).json()
    assert wrapped.pop("dicom")
    assert wrapped == plain


def test_all_frames_are_averaged_and_told_one_by_one(client: httpx2.Client) -> None:
    file = dicom(np.stack([HEAD, HAND, HEAD]))
    middle = client.post("/predict", files={"file": file}).json()
    every = client.post("/predict", files={"file": file}, params={"frames": "all"}).json()
    assert middle["label"] == "Hand"
    assert [frame["label"] for frame in every["frames"]] == ["HeadCT", "Hand", "HeadCT"]
    assert every["dicom"] == middle["dicom"] | {"suggested": HEAD_SUGGESTED}
    for name, value in every["probabilities"].items():
        assert value == pytest.approx(np.mean([frame["probabilities"][name] for frame in every["frames"]]), abs=1e-6)


def test_all_frames_of_a_plain_picture_are_one(client: httpx2.Client, hand: bytes) -> None:
    answer = client.post("/predict", files={"file": hand}, params={"frames": "all"}).json()
    assert [frame["label"] for frame in answer["frames"]] == [answer["label"]]


def test_an_unknown_choice_of_frames_is_refused(client: httpx2.Client, hand: bytes) -> None:
    answer = client.post("/predict", files={"file": hand}, params={"frames": "some"})
    assert answer.status_code == 422
    assert answer.json()["detail"] == "The parameter frames is middle or all."


def test_a_batch_mixes_dicoms_and_pictures(client: httpx2.Client, hand: bytes) -> None:
    files = [("files", file) for file in (dicom(HAND, Modality="CR"), hand, dicom(HAND, PixelData=b"short"))]
    results = client.post("/predict/batch", files=files).json()["results"]
    assert results[0]["dicom"]["modality"] == "CR"
    assert "dicom" not in results[1]
    assert results[2]["error"]["status"] == 400


def test_a_dicom_is_explained_too(asking: httpx2.Client) -> None:
    answer = asking.post("/explain", content=dicom(HAND))
    assert Image.open(io.BytesIO(answer.content)).size == (64, 64)


@pytest.mark.parametrize(
    ("file", "status", "phrase"),
    [
        (dicom(HAND, SOPClassUID=uid.BasicTextSRStorage, PixelData=None, Rows=None), 422, "Basic Text SR Storage"),
        (dicom(HAND, uid.MPEG2MPML, PixelData=encapsulate([b"film"])), 415, "MPEG2"),
        (dicom(HAND)[:-9], 400, "cut short"),
        (dicom(HAND, Rows=65535, Columns=65535), 413, "65535 × 65535"),
        (dicom(HAND, NumberOfFrames=10_001), 413, "10,001 frames"),
    ],
)
def test_a_dicom_without_a_usable_picture_says_why(
    client: httpx2.Client, file: bytes, status: int, phrase: str
) -> None:
    answer = client.post("/predict", content=file)
    assert answer.status_code == status
    assert phrase in answer.json()["detail"]


def test_training_takes_the_terms_of_other_classes_from_a_file(data: Path, tmp_path: Path) -> None:
    terms = tmp_path / "terms.json"
    terms.write_text(json.dumps({"Foot": {"body_part": ["FOOT"]}}))
    refused = run("training", "--data", data, "--dicom", terms, "--artifacts", tmp_path, "--runs", tmp_path)
    assert refused.returncode == 2
    assert "has terms for Foot, which is no class" in refused.stderr


def test_a_bundle_from_before_there_were_terms_keeps_its_version(artifacts: Path) -> None:
    manifest = bundle.read(artifacts / "current").manifest
    assert set(manifest.dicom) == {"AbdomenCT", "Hand", "HeadCT"}
    older = manifest.model_copy(update={"dicom": {}})
    assert "dicom" not in older.model_dump(exclude={"dicom"})
    assert older.fingerprint() != manifest.fingerprint()
