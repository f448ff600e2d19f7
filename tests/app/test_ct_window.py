"""A CT in Hounsfield units: what the network sees comes through the bundle's window, what people are shown through the file's."""

import base64
import io
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
import pytest
from PIL import Image
from pydantic import ValidationError

from app.imaging import Pixels, decode
from app.imaging.preview import overlay
from app.model import bundle
from app.model.bundle import Bundle
from app.model.manifest import CtWindow, Input
from tests.app.asked import INFER
from tests.app.scored import classify, rows
from tests.bundles import another
from tests.conftest import LIMITS
from tests.dicoms import dicom, item
from tests.running import BEFORE, Server, run, serving, wait_until
from training import card, phantoms

WINDOW = CtWindow(center=0.5, width=511)  # the grey g shows 2 g - 255 Hounsfield units
HAND = phantoms.draw("Hand", np.random.default_rng(12345))
PNG = phantoms.png(HAND)
ABSURD = {"WindowCenter": 3000, "WindowWidth": 2}  # through which everything is black
JSON = {"Accept": "application/json"}

Answer = dict[str, Any]


def ct(pixels: Pixels, slope: float = 1, intercept: float = -1024, **header: Any) -> bytes:
    """A file of the Hounsfield units that the bundle's window shows as `pixels`."""
    stored = ((2.0 * pixels - 255 - intercept) / slope).round().astype(np.int16)
    said: dict[str, Any] = {"Modality": "CT", "RescaleSlope": slope, "RescaleIntercept": intercept}
    return dicom(stored, **said | ABSURD | header)


def enhanced(frames: list[Pixels], intercepts: list[float]) -> bytes:
    """One whose frames each have a rescale of their own."""
    stored = [2 * pixels.astype(np.int16) - 255 - int(low) for pixels, low in zip(frames, intercepts, strict=True)]
    groups = [
        item(
            PixelValueTransformationSequence=[item(RescaleSlope=1, RescaleIntercept=low, RescaleType="HU")],
            FrameVOILUTSequence=[item(**ABSURD)],
        )
        for low in intercepts
    ]
    return dicom(np.stack(stored).astype(np.int16), Modality="CT", PerFrameFunctionalGroupsSequence=groups)


def windowed(root: Path, window: CtWindow = WINDOW) -> Bundle:
    """The bundle in use there, with a window."""
    first = bundle.read(root / "current").manifest
    return another(root, input=first.input.model_copy(update={"ct_window": window}))


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """The bundle before with a window: it tells strangers and gives evidence."""
    root = tmp_path_factory.mktemp("windowed")
    shutil.copytree(BEFORE.resolve(), root / BEFORE.resolve().name)
    bundle.use(root, BEFORE.resolve().name)
    return windowed(root)


@pytest.fixture(scope="module")
def server(published: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(published.folder, tmp_path_factory.mktemp("server") / "log", **LIMITS) as started:
        yield started


@pytest.fixture(scope="module")
def committed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Here one without a window, which `asking` asks."""
    with serving(BEFORE, tmp_path_factory.mktemp("without") / "log", **LIMITS) as started:
        yield started


def predict(client: httpx2.Client, file: bytes) -> Answer:
    answer: Answer = client.post("/predict", content=file).json()
    return answer


def batch(client: httpx2.Client, file: bytes) -> Answer:
    answer: Answer = client.post("/predict/batch", files=[("files", file)]).json()["results"][0]
    return answer


def explain(client: httpx2.Client, file: bytes) -> Answer:
    answer: Answer = client.post("/explain", content=file, headers=JSON).json()
    return answer


def frames(client: httpx2.Client, file: bytes) -> Answer:
    answer: Answer = client.post("/predict", content=file, params={"frames": "all"}).json()
    return answer


def infer(client: httpx2.Client, file: bytes) -> Answer:
    tensor = {"name": "image", "datatype": "BYTES", "shape": [1], "data": [base64.b64encode(file).decode()]}
    outputs = client.post(INFER, json={"inputs": [tensor]}).json()["outputs"]
    told = {output["name"]: output["data"] for output in outputs}
    classes = client.get("/model").json()["classes"]
    return {"label": told["label"][0], "probabilities": dict(zip(classes, told["probabilities"], strict=True))}


WAYS = [predict, batch, explain, frames, infer]


def assert_like(found: Answer, expected: Answer, tolerance: float = 1e-6) -> None:
    assert found["label"] == expected["label"]
    assert found["probabilities"] == pytest.approx(expected["probabilities"], abs=tolerance)


IN_HOUNSFIELD_UNITS = {
    "no rescale type": ct(HAND),
    "rescale type HU": ct(HAND, RescaleType="HU"),
    "an empty rescale type": ct(HAND, RescaleType=""),
    "another slope and intercept": ct(HAND, slope=0.5, intercept=-1000),
    "no window": ct(HAND, WindowCenter=None, WindowWidth=None),
    "a sigmoid": ct(HAND, VOILUTFunction="SIGMOID"),
    "a table of greys": ct(
        HAND, VOILUTSequence=[item(LUTDescriptor=[256, 0, 8], LUTData=np.arange(256)[::-1].astype("<u2").tobytes())]
    ),
    "shown inverted": ct(HAND, PhotometricInterpretation="MONOCHROME1"),
    "enhanced": enhanced([HAND], [-8192]),
}


@pytest.mark.parametrize("file", IN_HOUNSFIELD_UNITS.values(), ids=IN_HOUNSFIELD_UNITS)
def test_the_network_sees_hounsfield_units_whatever_the_file_says_of_showing_them(server: Server, file: bytes) -> None:
    with server.client() as client:
        assert_like(predict(client, file), predict(client, PNG))


@pytest.mark.parametrize("way", WAYS)
def test_every_route_sees_the_same(server: Server, way: Callable[[httpx2.Client, bytes], Answer]) -> None:
    with server.client() as client:
        assert_like(way(client, ct(HAND)), predict(client, PNG))


def test_classify_sees_the_same(server: Server, published: Bundle, tmp_path: Path) -> None:
    (tmp_path / "1.dcm").write_bytes(ct(HAND))
    classify(tmp_path / "1.dcm", tmp_path / "table.csv", published.folder)
    [row] = rows(tmp_path / "table.csv").values()
    with server.client() as client:
        expected = predict(client, ct(HAND))
    assert row["label"] == expected["label"]
    for name, value in expected["probabilities"].items():
        assert float(row[f"p_{name}"]) == pytest.approx(value, abs=1e-6)


def test_each_frame_is_seen_by_its_own_rescale(server: Server) -> None:
    pictures = [phantoms.draw(kind, np.random.default_rng(1)) for kind in ("HeadCT", "Hand", "CXR")]
    with server.client() as client:
        every = frames(client, enhanced(pictures, [-1024, -8192, -2000]))["frames"]
        for found, pixels in zip(every, pictures, strict=True):
            assert_like(found, predict(client, phantoms.png(pixels)))


def test_people_are_shown_the_file_s_own_window(server: Server, asking: httpx2.Client) -> None:
    file = ct(HAND, WindowCenter=100, WindowWidth=300, PhotometricInterpretation="MONOCHROME1")
    with server.client() as client:
        told = predict(client, file)
        assert told["dicom"] | {"suggested": None} == predict(asking, file)["dicom"]  # whose label is none
        assert told["dicom"]["window"] == {"center": 100, "width": 300}
        assert client.post("/thumbnail", content=file).content == asking.post("/thumbnail", content=file).content
        explained = explain(client, file)
        evidence = np.array(explained["evidence"][explained["explained"]], np.float32)
        assert client.post("/explain", content=file).content == overlay(decode(file).pixels, evidence)
        assert explained["evidence"] == explain(client, PNG)["evidence"]


AS_BEFORE = {
    "a PNG": PNG,
    "an MR": ct(HAND, Modality="MR"),
    "an unspecified unit": ct(HAND, RescaleType="US"),
    "no intercept, so that nobody knows the unit": ct(HAND, RescaleIntercept=None),
    "not rescaled": ct(HAND, RescaleSlope=None, RescaleIntercept=None),
    "colours": dicom(np.stack([HAND] * 3, axis=-1), Modality="CT", RescaleSlope=1, RescaleIntercept=0),
}


@pytest.mark.parametrize("file", AS_BEFORE.values(), ids=AS_BEFORE)
def test_what_is_no_ct_in_hounsfield_units_is_seen_as_before(
    server: Server, asking: httpx2.Client, file: bytes
) -> None:
    with server.client() as client:
        assert predict(client, file) | {"model": None} == predict(asking, file) | {"model": None}


def test_a_bundle_without_a_window_shows_the_network_the_file_s_own(asking: httpx2.Client) -> None:
    shown = io.BytesIO()
    file = ct(HAND, WindowCenter=100, WindowWidth=300)
    Image.fromarray(decode(file).pixels).save(shown, "PNG")
    assert_like(predict(asking, file), predict(asking, shown.getvalue()))


def test_a_bundle_without_a_window_keeps_its_version_and_says_nothing_of_one(
    asking: httpx2.Client, artifacts: Path
) -> None:
    for folder in (BEFORE, artifacts / "current"):
        manifest = bundle.read(folder).manifest
        assert manifest.fingerprint() == manifest.version
        assert "ct_window" not in manifest.model_dump_json()
    assert "ct_window" not in asking.get("/model").json()["input"]


def test_model_card_and_version_tell_the_window(server: Server, published: Bundle) -> None:
    with server.client() as client:
        told = client.get("/model").json()
    assert told["input"]["ct_window"] == {"center": 0.5, "width": 511}
    assert told["version"] == published.manifest.fingerprint() != bundle.read(BEFORE).manifest.version
    assert "through a window of its own, centre 0.5, width 511." in card.write(published.manifest)
    assert "window" not in card.write(bundle.read(BEFORE).manifest)


@pytest.mark.parametrize("window", ['{"center": 40}', '{"center": 40, "width": 0}', '{"center": NaN, "width": 400}'])
def test_a_window_that_makes_no_sense_is_refused(window: str) -> None:
    with pytest.raises(ValidationError):
        Input.model_validate_json(f'{{"size": 64, "resample": "squash-box", "ct_window": {window}}}')


def test_while_one_window_follows_another_each_answer_is_of_its_own_bundle(root: Path, tmp_path: Path) -> None:
    wide, narrow = windowed(root).manifest, windowed(root, CtWindow(center=200, width=1)).manifest
    assert run("app", "use", wide.version, "--root", root).returncode == 0
    with serving(root / "current", tmp_path / "log", **LIMITS) as server, server.client() as client:
        answers = [predict(client, ct(HAND))]
        assert run("app", "use", narrow.version, "--root", root).returncode == 0

        def it_has_changed() -> bool:
            answers.append(predict(client, ct(HAND)))
            return bool(answers[-1]["model"]["version"] == narrow.version)

        wait_until(it_has_changed)
    expected = {wide.version: answers[0], narrow.version: answers[-1]}
    assert answers[0]["probabilities"] != answers[-1]["probabilities"]
    assert all(answer == expected[answer["model"]["version"]] for answer in answers)
