"""decode and open on small DICOM files made here: every encoding, window and header."""

from typing import Any

import imagecodecs
import numpy as np
import pytest
from PIL import Image
from pydicom import uid

from app import imaging
from app.imaging import decode
from tests.app.dicom_encodings import ENCODINGS, FRAMES, GAUDY, RAMP, SHOWN, SIGNED, WIDE, dicom, jpeg, lossless, packed
from tests.dicoms import item

pytestmark = pytest.mark.filterwarnings("ignore:::pydicom")  # as app.imaging has it, which pytest undoes


@pytest.mark.parametrize(("data", "tolerance"), ENCODINGS.values(), ids=ENCODINGS)
def test_every_encoding_gives_the_same_picture(data: bytes, tolerance: int) -> None:
    pixels = decode(data).pixels
    assert pixels.dtype == np.uint8
    assert np.abs(pixels[:, -64:].astype(int) - RAMP).max() <= tolerance


RCT = imagecodecs.jpeg2k_encode(GAUDY, mct=True, reversible=True, level=0)
COLORED: dict[str, tuple[bytes | bytearray, str]] = {  # and how the file names its colours
    uid.JPEGBaseline8Bit: (jpeg(GAUDY), "YBR_FULL"),
    uid.JPEGExtended12Bit: (jpeg(GAUDY), "YBR_FULL"),
    uid.JPEGLossless: (lossless(GAUDY), "RGB"),
    uid.JPEGLSLossless: (imagecodecs.jpegls_encode(GAUDY), "RGB"),
    uid.JPEG2000Lossless: (RCT, "YBR_RCT"),
    uid.HTJ2KLossless: (imagecodecs.htj2k_encode(GAUDY), "YBR_RCT"),
}


@pytest.mark.parametrize("syntax", COLORED, ids=lambda syntax: syntax.keyword)
def test_colours_become_their_brightness(syntax: str) -> None:
    frame, colors = COLORED[syntax]
    pixels = decode(packed(GAUDY, syntax, frame, PhotometricInterpretation=colors)).pixels
    assert np.abs(pixels - np.asarray(Image.fromarray(GAUDY).convert("L")).astype(int)).max() <= 2


def test_one_bit_is_black_and_white() -> None:
    bits = np.packbits(RAMP > 128, bitorder="little").tobytes()
    data = dicom(BitsAllocated=1, BitsStored=1, PixelData=bits)
    assert np.array_equal(decode(data).pixels, (RAMP > 128) * 255)


@pytest.mark.parametrize(
    ("function", "formula"),
    [
        ("LINEAR", lambda x: (x - 99.5) / 49 + 0.5),
        ("LINEAR_EXACT", lambda x: (x - 100) / 50 + 0.5),
        ("SIGMOID", lambda x: 1 / (1 + np.exp(-4 * (x - 100) / 50))),
    ],
)
def test_a_window_follows_the_formula_of_the_standard(function: str, formula: Any) -> None:
    values = np.broadcast_to(np.array([80, 100, 120], np.uint8).repeat(16), (16, 48))
    pixels = decode(dicom(values, WindowCenter=100, WindowWidth=50, VOILUTFunction=function)).pixels
    assert pixels[0, ::16].tolist() == [round(255 * formula(x)) for x in (80, 100, 120)]


@pytest.mark.parametrize("function", ["LINEAR", "LINEAR_EXACT", "SIGMOID"])
def test_the_narrowest_window_is_a_threshold(function: str) -> None:
    pixels = decode(dicom(WIDE, WindowCenter=32768, WindowWidth=1, VOILUTFunction=function)).pixels
    assert np.array_equal(pixels, (WIDE >= 32768) * 255)


@pytest.mark.parametrize(
    ("window", "seen"),
    [
        pytest.param({"WindowCenter": [100, 7], "WindowWidth": [60, 9]}, (100, 60), id="the first of several"),
        pytest.param({}, (40, 400), id="soft tissue for a CT without"),
        pytest.param({"WindowCenter": 100, "WindowWidth": 0}, (40, 400), id="no width"),
        pytest.param({"WindowCenter": 100, "WindowWidth": -60}, (40, 400), id="negative width"),
        pytest.param({"WindowCenter": 100, "WindowWidth": None}, (40, 400), id="only a centre"),
        pytest.param({"WindowCenter": "nan", "WindowWidth": 60}, (40, 400), id="not a number"),
        pytest.param({"WindowCenter": 9, "WindowWidth": 0.5, "VOILUTFunction": "LINEAR_EXACT"}, (9, 0.5), id="exact"),
    ],
)
def test_the_window_is_the_first_that_makes_sense(window: dict[str, Any], seen: tuple[float, float]) -> None:
    header = decode(dicom(SIGNED, Modality="CT", RescaleSlope=1, RescaleIntercept=0, **window)).header
    assert header is not None
    assert header.window == seen


def test_the_middle_frame_answers_and_frames_gives_all_in_order() -> None:
    file = imaging.open(dicom(FRAMES))
    assert np.array_equal(file.read().pixels, FRAMES[1])
    assert np.array_equal(np.stack([picture.pixels for picture in file.frames()]), FRAMES)


def test_the_frames_of_an_enhanced_object_share_a_rescale_and_have_their_own_windows() -> None:
    shared = item(
        PixelValueTransformationSequence=[item(RescaleSlope=2, RescaleIntercept=-100)],
        FrameAnatomySequence=[item(AnatomicRegionSequence=[item(CodeMeaning="Chest", CodeValue="51185008")])],
    )
    each = [item(FrameVOILUTSequence=[item(WindowCenter=c, WindowWidth=511)]) for c in (-900, 155.5, 900)]
    groups: dict[str, Any] = {"SharedFunctionalGroupsSequence": [shared], "PerFrameFunctionalGroupsSequence": each}
    below, within, above = imaging.open(dicom(np.stack([WIDE // 257] * 3), **groups)).frames()
    assert np.array_equal(within.pixels, RAMP)
    assert within.header == imaging.Header("OT", "Chest", 48, 64, 3, ("Chest", "51185008"), (155.5, 511))
    assert (below.pixels.min(), above.pixels.max()) == (255, 0)


def test_the_header_tells_what_is_known() -> None:
    header = decode(dicom(SIGNED, Modality="DX", BodyPartExamined="HAND", **SHOWN)).header
    assert header == imaging.Header("DX", "HAND", 48, 64, 1, ("HAND",), (450.5, 5101))
