"""DICOM files whose header, taken at its word, gives other greys than people see; each once as a program writes it.

Where the standard is quoted, PS3.3 is the part on objects, PS3.5 the one on encoding.
"""

from typing import Any

import imagecodecs
import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image
from pydicom import uid
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate

from app.imaging import DamagedPicture, decode
from tests.dicoms import dicom, item
from tests.field.drawn import HAND, TOLERANCE, assert_shows

pytestmark = pytest.mark.filterwarnings("ignore:::pydicom")  # as app.imaging has it, which pytest undoes

Values = npt.NDArray[Any]
TWELVE = (HAND.astype(int) * 4095 // 255).astype(np.uint16)
SIGNED = TWELVE.astype(np.int16) - 1024
HOUNSFIELD = (HAND.astype(int) * 400 // 255 - 160).astype(np.int16)  # shown whole through 40/400
BRIGHT = (
    ((HAND.astype(float) * 1.6).clip(0, 255)).round().astype(np.uint8)
)  # from black to white, for what has no window
GAUDY = np.stack([HAND, 255 - HAND, HAND // 2], -1)
WHOLE: dict[str, Any] = {"BitsStored": 12, "WindowCenter": 2048, "WindowWidth": 4096}  # shows TWELVE whole
RISING = np.arange(4096)
PADDING, PADDING_LIMIT = b"\x28\0\x20\1", b"\x28\0\x21\1"  # tags


def table(entries: Values, *, first: int = 0, bits: int = 16, vr: str = "US", kind: str = "<u2") -> list[Dataset]:
    made = item(LUTData=entries.astype(kind).tobytes(), ModalityLUTType="US")
    made.add_new(0x00283002, vr, [len(entries) % 2**16, first, bits])
    made["LUTData"].VR = "OW"
    return [made]


def padded(value: int, kind: type[np.integer[Any]], *elements: bytes, **header: Any) -> bytes:
    """BRIGHT, four times as bright, between columns of a value that is no picture, and the elements that say so."""
    values = np.full((64, 84), value, kind)
    values[:, 10:74] = BRIGHT.astype(kind) * 4
    data = dicom(values, Modality="MR", PixelPaddingValue=0, **header)
    start = data.index(PADDING)
    return data[:start] + b"".join(elements) + data[start + 10 :]


def explicit(tag: bytes, vr: bytes, value: int) -> bytes:
    return tag + vr + (b"\0\0\2\0\0\0" if vr == b"UN" else b"\2\0") + (value & 0xFFFF).to_bytes(2, "little")


def palette(entries: Values, bits: int, kind: str = "<u2", count: int | None = None) -> dict[str, Any]:
    descriptor = [len(entries) if count is None else count, 0, bits]
    colors = [f"{color}PaletteColorLookupTable" for color in ("Red", "Green", "Blue")]
    tables = {f"{color}Data": entries.astype(kind).tobytes() for color in colors}
    return (
        tables | {f"{color}Descriptor": descriptor for color in colors} | {"PhotometricInterpretation": "PALETTE COLOR"}
    )


FROM_MINUS_1024: dict[str, Any] = {"BitsStored": 12, "RescaleSlope": 1, "RescaleIntercept": -1024}
WHITE = RISING * 65535 // 4095
INDEXED = 255 - HAND  # for palettes that fall
FALLING = np.arange(255, -1, -1)
SHOWN: dict[str, bytes] = {
    "Agfa CR: a VOI LUT of 16 bits an entry, it says, that ends at 4095": dicom(
        TWELVE, BitsStored=12, VOILUTSequence=table(RISING)
    ),
    "… or at 3000 of 12 bits that the entries lie in": dicom(
        TWELVE, BitsStored=12, VOILUTSequence=table(RISING * 3000 // 4095)
    ),
    "… or declares ten bits for entries of sixteen": dicom(TWELVE, BitsStored=12, VOILUTSequence=table(WHITE, bits=10)),
    "a sound VOI LUT, for comparison": dicom(TWELVE, BitsStored=12, VOILUTSequence=table(RISING, bits=12)),
    "CT in implicit VR: a VOI LUT from -1024 on, which reads as 64512 (PS3.3 C.11.2.1.1)": dicom(
        TWELVE, uid.ImplicitVRLittleEndian, VOILUTSequence=table(WHITE, first=-1024, vr="SS"), **FROM_MINUS_1024
    ),
    "… written as 64512 in explicit VR": dicom(TWELVE, VOILUTSequence=table(WHITE, first=64512), **FROM_MINUS_1024),
    "… of pixels that are signed themselves": dicom(SIGNED, VOILUTSequence=table(WHITE, first=64512)),
    "a modality LUT from -1024 on, written as US beside signed pixels": dicom(
        SIGNED, ModalityLUTSequence=table(RISING, first=64512), **WHOLE | {"BitsStored": 16}
    ),
    "a modality LUT of twelve bits": dicom(TWELVE, ModalityLUTSequence=table(RISING, bits=12), **WHOLE),
    "ACR-NEMA: twelve bits at the top of sixteen, high bit 15 (PS3.5 8.1.1 until 2004)": dicom(
        TWELVE << 4, **WHOLE | {"HighBit": 15}
    ),
    "… with an overlay in the bits below": dicom(TWELVE << 4 | 5, **WHOLE | {"HighBit": 15}),
    "… high bit 13": dicom(TWELVE << 2, **WHOLE | {"HighBit": 13}),
    "… signed": dicom((TWELVE.astype(np.int16) - 2048) << 4, **WHOLE | {"HighBit": 15, "WindowCenter": 0}),
    "… in a lossless JPEG of sixteen bits": dicom(
        TWELVE << 4,
        uid.JPEGLosslessSV1,
        PixelData=encapsulate([bytes(imagecodecs.jpeg8_encode(TWELVE << 4, lossless=True, bitspersample=16))]),
        **WHOLE | {"HighBit": 15},
    ),
    "… said of a lossless JPEG that holds just the twelve": dicom(
        TWELVE,
        uid.JPEGLosslessSV1,
        PixelData=encapsulate([bytes(imagecodecs.jpeg8_encode(TWELVE, lossless=True, bitspersample=12))]),
        **WHOLE | {"HighBit": 15},
    ),
    "an anonymizer: the intercept is there and empty": dicom(TWELVE, RescaleSlope=1, RescaleIntercept="", **WHOLE),
    "… the slope is": dicom(TWELVE, RescaleSlope="", RescaleIntercept=0, **WHOLE),
    "… both are": dicom(TWELVE, RescaleSlope="", RescaleIntercept="", **WHOLE),
    "a converter: an intercept and no slope": dicom(
        (HOUNSFIELD + 1024).astype(np.uint16), Modality="CT", RescaleIntercept=-1024, WindowCenter=40, WindowWidth=400
    ),
    "… a slope and no intercept": dicom(TWELVE // 2, RescaleSlope=2, **WHOLE),
    "… a slope of 0": dicom(TWELVE, RescaleSlope=0, RescaleIntercept=0, **WHOLE),
    "CT that says its unit, shown as soft tissue": dicom(
        HOUNSFIELD + 1024, Modality="CT", RescaleSlope=1, RescaleIntercept=-1024
    ),
    "a palette of bytes, said to be of 16 bits": dicom(INDEXED, **palette(FALLING, 16, "u1")),
    "a palette of words, said to be of 8 bits": dicom(INDEXED, **palette(FALLING * 257, 8)),
    "a palette of words that hold bytes": dicom(INDEXED, **palette(FALLING, 16)),
    "… said to be of 8 bits": dicom(INDEXED, **palette(FALLING, 8)),
    "a palette of bytes, as it should be": dicom(INDEXED, **palette(FALLING, 8, "u1")),
}


RANGED: dict[str, bytes] = {
    "CT of a micro scanner, neither rescaled nor windowed": dicom(BRIGHT.astype(np.uint16) * 200 + 3000, Modality="CT"),
    "… with a slope and no intercept": dicom(BRIGHT.astype(np.uint16) * 200, Modality="CT", RescaleSlope=0.001),
    "… in an unspecified unit": dicom(
        BRIGHT.astype(np.uint16) * 200, Modality="CT", RescaleSlope=1, RescaleIntercept=0, RescaleType="US"
    ),
}


@pytest.mark.parametrize("data", SHOWN.values(), ids=SHOWN)
def test_greys_are_those_that_viewers_show(data: bytes) -> None:
    assert_shows(data)


@pytest.mark.parametrize("data", RANGED.values(), ids=RANGED)
def test_a_picture_whose_values_mean_nothing_known_is_shown_by_their_own_range(data: bytes) -> None:
    assert_shows(data, BRIGHT)


PADDED: dict[str, bytes] = {
    "in the pixels' own kind": padded(-32768, np.int16, explicit(PADDING, b"SS", -32768)),
    "unsigned beside signed pixels, by a toolkit with one VR for all": padded(
        -32768, np.int16, explicit(PADDING, b"US", 32768)
    ),
    "signed beside unsigned pixels": padded(63536, np.uint16, explicit(PADDING, b"SS", -2000)),
    "signed beside unsigned pixels of twelve bits": padded(
        2096, np.uint16, explicit(PADDING, b"SS", -2000), BitsStored=12
    ),
    "unsigned, of sixteen bits, beside signed pixels of twelve": padded(
        -2000, np.int16, explicit(PADDING, b"US", 63536), BitsStored=12
    ),
    "as an element of unknown VR": padded(-32768, np.int16, explicit(PADDING, b"UN", -32768)),
    "as a range": padded(-30000, np.int16, explicit(PADDING, b"US", 32768), explicit(PADDING_LIMIT, b"US", 36000)),
}


@pytest.mark.parametrize("data", PADDED.values(), ids=PADDED)
def test_padding_is_no_part_of_the_picture_however_it_is_written(data: bytes) -> None:
    """PS3.3 C.7.5.1.1.2 has it in the pixels' own representation."""
    assert np.abs(decode(data).pixels[:, 10:74].astype(int) - BRIGHT).max() <= TOLERANCE


@pytest.mark.parametrize("said", ["YBR_FULL", "YBR_FULL_422", "RGB", "YBR_RCT", "YBR_ICT"])
def test_colour_that_jpeg_2000_transformed_comes_back_as_rgb_whatever_it_is_called(said: str) -> None:
    coded = bytes(imagecodecs.jpeg2k_encode(GAUDY, level=0, codecformat="j2k", mct=True))
    data = dicom(GAUDY, uid.JPEG2000Lossless, PixelData=encapsulate([coded]), PhotometricInterpretation=said)
    assert_shows(data, np.asarray(Image.fromarray(GAUDY).convert("L")))


def test_colour_that_jpeg_2000_left_as_it_was_is_what_it_is_called() -> None:
    ybr = np.asarray(Image.fromarray(GAUDY).convert("YCbCr"))
    coded = bytes(imagecodecs.jpeg2k_encode(ybr, level=0, codecformat="j2k", mct=False))
    data = dicom(GAUDY, uid.JPEG2000Lossless, PixelData=encapsulate([coded]), PhotometricInterpretation="YBR_FULL")
    assert_shows(data, np.asarray(Image.fromarray(GAUDY).convert("L")))


def short(made: list[Dataset]) -> list[Dataset]:
    made[0].LUTData = made[0].LUTData[:-2]
    return made


REFUSED: dict[str, bytes] = {
    "a VOI LUT of a word less than it says": dicom(TWELVE, **WHOLE, VOILUTSequence=short(table(RISING))),
    "a modality LUT of a word less than it says": dicom(TWELVE, **WHOLE, ModalityLUTSequence=short(table(RISING))),
    "a palette of neither bytes nor words": dicom(INDEXED, **palette(FALLING, 16, count=300)),
    "a VOI LUT of no bits": dicom(TWELVE, **WHOLE, VOILUTSequence=table(RISING, bits=0)),
    "a slope that is no number": dicom(TWELVE, RescaleSlope="123456").replace(b"123456", b"abcdef"),
}


@pytest.mark.parametrize("data", REFUSED.values(), ids=REFUSED)
def test_what_could_be_shown_in_several_ways_is_refused(data: bytes) -> None:
    with pytest.raises(DamagedPicture):
        decode(data)
