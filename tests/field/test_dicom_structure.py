"""DICOM files that break a rule and yet leave one way to read them, and beside them those that leave none or two."""

import struct
import zlib
from typing import Any

import imagecodecs
import numpy as np
import numpy.typing as npt
import pytest
from pydicom import uid

from app import imaging
from app.imaging import DamagedPicture, TooMuchWork, decode
from tests.dicoms import dicom, item
from tests.field.drawn import HAND, TOLERANCE, assert_shows
from tests.hostile.case import encoded

pytestmark = pytest.mark.filterwarnings("ignore:::pydicom")  # as app.imaging has it, which pytest undoes

TWELVE = (HAND.astype(int) * 4095 // 255).astype(np.uint16)
WHOLE: dict[str, Any] = {"BitsStored": 12, "WindowCenter": 2048, "WindowWidth": 4096}  # shows TWELVE whole
GREY_AS_RGB = np.stack([HAND] * 3, -1)
FRAMES = np.stack([HAND // 4, HAND, HAND // 2])
DELIMITER = b"\xfe\xff\xdd\xe0\0\0\0\0"
DEFLATED_FRAMES = "1.2.840.10008.1.2.8.1"


def fragment(content: bytes) -> bytes:
    content += b"\0" * (len(content) % 2)
    return b"\xfe\xff\x00\xe0" + struct.pack("<I", len(content)) + content


def coded(
    syntax: str,
    *fragments: bytes,
    table: bytes | None = b"",
    end: bytes = DELIMITER,
    pixels: npt.NDArray[Any] = HAND,
    **header: Any,
) -> bytes:
    """A file of these fragments, behind a table of offsets if there is one."""
    items = [*([] if table is None else [table]), *fragments]
    start = dicom(pixels, uid.JPIPHTJ2KReferenced if syntax == DEFLATED_FRAMES else syntax, PixelData=None, **header)
    start = start.replace(b"1.2.840.10008.1.2.4.204\0", b"1.2.840.10008.1.2.8.1\0\0\0")  # which pydicom does not know
    vr = b"" if syntax == uid.ImplicitVRLittleEndian else b"OB\0\0"
    return start + b"\xe0\x7f\x10\0" + vr + b"\xff" * 4 + b"".join(map(fragment, items)) + end


def unpacked(syntax: str, pixels: npt.NDArray[Any], **header: Any) -> bytes:
    """Plain pixels under the name of the syntax that they once had."""
    content = pixels.tobytes()
    start = dicom(pixels, syntax, PixelData=None, **header)
    return start + b"\xe0\x7f\x10\0OW\0\0" + struct.pack("<I", len(content)) + content


def jpeg(pixels: npt.NDArray[Any]) -> bytes:
    return encoded(pixels, "JPEG", quality=95, subsampling=0)


def runs(pixels: npt.NDArray[Any], more: bytes = b"") -> bytes:
    """Run lengths without runs (PS3.5 G), a segment for each byte of a value, and some bytes more in each."""
    planes = np.ascontiguousarray(pixels.astype(pixels.dtype.newbyteorder(">"))).view(np.uint8)
    segments = []
    for plane in planes.reshape(-1, pixels.itemsize).T:
        content = plane.tobytes()
        literal = b"".join(
            bytes([len(content[at : at + 128]) - 1]) + content[at : at + 128] for at in range(0, len(content), 128)
        )
        segments.append(literal + more)
    offsets = [64 + sum(map(len, segments[:number])) for number in range(len(segments))]
    return struct.pack("<16I", len(segments), *offsets, *[0] * (15 - len(offsets))) + b"".join(segments)


JPEG, BASELINE = jpeg(HAND), uid.JPEGBaseline8Bit
LOSSLESS = bytes(imagecodecs.jpeg8_encode(HAND, lossless=True))
JPEG_LS, JPEG_2000 = (
    bytes(imagecodecs.jpegls_encode(HAND)),
    bytes(imagecodecs.jpeg2k_encode(HAND, level=0, codecformat="j2k")),
)
YBR = np.stack([HAND, *[np.full_like(HAND, 128)] * 2], -1)
SHRUNK = np.stack([HAND[:, ::2], HAND[:, 1::2], *[np.full((64, 32), 128)] * 2], -1).astype(np.uint8)
THREE = [jpeg(frame) for frame in FRAMES]
PIECES = [piece for frame in THREE for piece in (frame[:400], frame[400:])]
OFFSETS = struct.pack("<3I", *[sum(len(fragment(piece)) for piece in PIECES[:count]) for count in (0, 2, 4)])
TABLES: dict[str, Any] = {"VOILUTSequence": [item(LUTExplanation="none")], "ModalityLUTSequence": [item()]}
BYTES = item(LUTDescriptor=[256, 0, 8], LUTData=np.arange(256, dtype=np.uint8).tobytes())
BYTES["LUTData"].VR = "OW"

SHOWN: dict[str, bytes] = {
    "ACR-NEMA: no photometric interpretation": dicom(HAND, PhotometricInterpretation=None),
    "… which is there and empty": dicom(HAND, PhotometricInterpretation=""),
    "… nor samples per pixel": dicom(HAND, PhotometricInterpretation=None, SamplesPerPixel=None),
    "… of three samples": dicom(GREY_AS_RGB, PhotometricInterpretation=None),
    "… of a JPEG in colour": coded(
        BASELINE, jpeg(GREY_AS_RGB), pixels=GREY_AS_RGB, PhotometricInterpretation=None, PlanarConfiguration=None
    ),
    "no samples per pixel, of RGB": dicom(GREY_AS_RGB, SamplesPerPixel=None),
    "no pixel representation": dicom(TWELVE, PixelRepresentation=None, **WHOLE),
    "… beside a signed padding value": dicom(
        TWELVE.astype(np.int16) - 2048, PixelPaddingValue=-2048, **WHOLE | {"BitsStored": 16, "WindowCenter": 0}
    ).replace(b"\x28\0\x03\1US\2\0\1\0", b""),
    "no bits stored": dicom(HAND, BitsStored=None),
    "… but a high bit": dicom(TWELVE, **WHOLE | {"BitsStored": None, "HighBit": 11}),
    "no planar configuration": dicom(GREY_AS_RGB, PlanarConfiguration=None),
    "a word in small letters, behind it a zero": dicom(HAND, PhotometricInterpretation="monochrome2\0"),
    "more bits stored than allocated": dicom(HAND, BitsStored=12, HighBit=11),
    "… which the values have": dicom(TWELVE, BitsAllocated=8, **WHOLE),
    "… of a JPEG": coded(BASELINE, JPEG, BitsStored=12),
    "commas in a window": dicom(TWELVE, **WHOLE | {"WindowCenter": "2048.0", "WindowWidth": "4096.0"})
    .replace(b"2048.0", b"2048,0")
    .replace(b"4096.0", b"4096,0"),
    "commas in several windows": dicom(TWELVE, **WHOLE | {"WindowCenter": ["2048.5", "1.25"]}).replace(
        b"2048.5\\1.25", b"2048,5\\1,25"
    ),
    "commas in a rescale": dicom(TWELVE // 2, RescaleSlope="2.0", RescaleIntercept="0.5", **WHOLE)
    .replace(b"2.0 ", b"2,0 ")
    .replace(b"0.5 ", b"0,5 "),
    "a window that is no number": dicom(HAND, WindowCenter="123456", WindowWidth="100").replace(b"123456", b"middle"),
    "a window that is empty": dicom(HAND, WindowCenter="", WindowWidth=""),
    "more bytes than pixels": dicom(HAND, PixelData=HAND.tobytes() + b"behind the pixels"),
    "… zeros, to a round size": dicom(HAND, PixelData=HAND.tobytes() + bytes(60_000)),
    "colour shrunk by its name and not by its length": dicom(GREY_AS_RGB, PhotometricInterpretation="YBR_FULL_422"),
    "… which is shrunk": dicom(GREY_AS_RGB, PixelData=SHRUNK.tobytes(), PhotometricInterpretation="YBR_FULL_422"),
    "… by plane": dicom(
        GREY_AS_RGB, PixelData=HAND.tobytes() * 3, PlanarConfiguration=1, PhotometricInterpretation="YBR_FULL_422"
    ),
    "a JPEG and no delimiter": coded(BASELINE, JPEG, end=b""),
    "… a mangled one": coded(BASELINE, JPEG, end=b"\xfe\xff\xdd\xe1\0\0\0\0"),
    "… half of one": coded(BASELINE, JPEG, end=DELIMITER[:3]),
    "… zeros instead": coded(BASELINE, JPEG, end=bytes(100)),
    "a lossless JPEG, padded with what lay in memory": coded(uid.JPEGLosslessSV1, LOSSLESS + b"\x17\x2a"),
    "… a JPEG-LS": coded(uid.JPEGLSLossless, JPEG_LS + b"\x17\x2a"),
    "… a JPEG 2000": coded(uid.JPEG2000Lossless, JPEG_2000 + b"\x17\x2a"),
    "… a JPEG with four bytes of it": coded(BASELINE, JPEG + b"\x17\x2a\x99\x11"),
    "a JPEG in pieces": coded(BASELINE, JPEG[:200], JPEG[200:1000], JPEG[1000:]),
    "… without a table": coded(BASELINE, JPEG[:200], JPEG[200:1000], JPEG[1000:], table=None),
    "… with a table of nonsense": coded(BASELINE, JPEG[:200], JPEG[200:], table=struct.pack("<3I", 5, 6, 7)),
    "run lengths without a table": coded(uid.RLELossless, runs(HAND), table=None),
    "run lengths that hold two bytes too many, as an ultrasound writes them": coded(
        uid.RLELossless, runs(HAND, more=b"\1\0\0")
    ),
    "… of sixteen bits": coded(uid.RLELossless, runs(TWELVE, more=b"\1\0\0"), pixels=TWELVE, **WHOLE),
    "plain pixels, said to be a JPEG": unpacked(BASELINE, HAND),
    "… said to be run lengths": unpacked(uid.RLELossless, TWELVE, **WHOLE),
    "a JPEG, said to be plain": coded(uid.ExplicitVRLittleEndian, JPEG),
    "… in implicit VR": coded(uid.ImplicitVRLittleEndian, JPEG),
    "a lossless JPEG, said to be plain": coded(uid.ExplicitVRLittleEndian, LOSSLESS),
    "a JPEG-LS, said to be plain": coded(uid.ExplicitVRLittleEndian, JPEG_LS),
    "a JPEG 2000, said to be plain": coded(uid.ExplicitVRLittleEndian, JPEG_2000),
    "a VOI LUT of a byte each": dicom(HAND, VOILUTSequence=[BYTES]),
    "a modality LUT of a byte each": dicom(HAND, ModalityLUTSequence=[BYTES]),
    "LUT items without a table": dicom(TWELVE, **WHOLE, **TABLES),
    "an empty LUT sequence": dicom(TWELVE, **WHOLE, VOILUTSequence=[]),
    "deflated frames, of 2024": coded(DEFLATED_FRAMES, zlib.compress(HAND.tobytes(), wbits=-15)),
}


@pytest.mark.parametrize("data", SHOWN.values(), ids=SHOWN)
def test_what_is_certain_is_read(data: bytes) -> None:
    assert_shows(data)


def test_what_pads_an_odd_number_of_pixels_is_not_significant() -> None:
    """PS3.5 8.1.1; whether it is a zero, a space, or not there."""
    odd = HAND[:63, :63]
    for padding in (b"\0", b" ", b"\xff", b""):
        data = dicom(odd, PixelData=odd.tobytes() + b"\0").removesuffix(b"\0")
        assert_shows(data + padding, odd)


SEVERAL: dict[str, tuple[list[bytes], bytes | None]] = {
    "a fragment a frame, and a table of zeros": (THREE, bytes(12)),
    "… a table that is too short": (THREE, bytes(4)),
    "… no table": (THREE, None),
    "… an empty one": (THREE, b""),
    "… and an empty fragment behind them": ([*THREE, b""], b""),
    "two fragments a frame, which begin where codestreams do": (PIECES, b""),
    "… and a table of nonsense": (PIECES, struct.pack("<3I", 0, 7, 9)),
    "… and a table that says so": (PIECES, OFFSETS),
}


@pytest.mark.parametrize(("fragments", "table"), SEVERAL.values(), ids=SEVERAL)
def test_frames_are_found_by_counting_fragments_or_by_where_codestreams_begin(
    fragments: list[bytes], table: bytes | None
) -> None:
    data = coded(BASELINE, *fragments, table=table, pixels=FRAMES)
    assert_shows(data)
    for picture, frame in zip(imaging.open(data).frames(), FRAMES, strict=True):
        assert np.abs(picture.pixels.astype(int) - frame).max() <= TOLERANCE


def test_run_lengths_of_several_frames_have_a_fragment_each() -> None:
    frames = [runs(frame) for frame in FRAMES]
    assert_shows(coded(uid.RLELossless, *frames, table=bytes(12), pixels=FRAMES))
    assert_shows(
        coded(DEFLATED_FRAMES, *(zlib.compress(frame.tobytes(), wbits=-15) for frame in FRAMES), pixels=FRAMES)
    )


def test_an_extended_table_cuts_what_nothing_else_does() -> None:
    """PS3.5 A.4: of 64 bits, for what is longer than four gigabytes."""
    starts = struct.unpack("<3I", OFFSETS)
    table = struct.pack("<3Q", *starts)
    data = coded(BASELINE, *PIECES, pixels=FRAMES, ExtendedOffsetTable=table, ExtendedOffsetTableLengths=table)
    assert_shows(data)


REFUSED: dict[str, bytes] = {
    "a byte less than the pixels": dicom(HAND)[:-1],
    "no bits allocated": dicom(TWELVE, **WHOLE).replace(b"\x28\0\0\1US\2\0\x10\0", b""),
    "another frame, which no header speaks of": dicom(HAND, PixelData=HAND.tobytes() * 2),
    "three samples in a header of one": dicom(HAND, PixelData=GREY_AS_RGB.tobytes(), SamplesPerPixel=None),
    "a palette and no word whether it is used": dicom(
        HAND, PhotometricInterpretation=None, RedPaletteColorLookupTableData=bytes(512)
    ),
    "twelve bits allocated, and three bytes for two values": dicom(
        TWELVE, BitsAllocated=12, PixelData=bytes(64 * 96), **WHOLE
    ),
    "colour of a length between shrunk and whole": dicom(
        GREY_AS_RGB, PixelData=bytes(64 * 64 * 2 - 2), PhotometricInterpretation="YBR_FULL_422"
    ),
    "a fragment cut short": coded(BASELINE, JPEG, end=b"")[:-1],
    "a JPEG without its end": coded(BASELINE, JPEG[:-2]),
    "a lossless JPEG cut short, and then padded": coded(uid.JPEGLosslessSV1, LOSSLESS[:-200] + bytes(200)),
    "run lengths of a byte less": coded(uid.RLELossless, runs(HAND)[:-2]),
    "run lengths, said to be plain": coded(uid.ExplicitVRLittleEndian, runs(HAND)),
    "plain pixels, said to be a JPEG, of a byte less": unpacked(BASELINE, HAND)[:-1],
    "a JPEG 2000 of more bits than are allocated": coded(
        uid.JPEG2000Lossless, bytes(imagecodecs.jpeg2k_encode(TWELVE, level=0, codecformat="j2k"))
    ),
    "two frames in three fragments that all begin a codestream": coded(BASELINE, *THREE, pixels=FRAMES[:2]),
    "two frames of run lengths in three fragments": coded(uid.RLELossless, *map(runs, FRAMES), pixels=FRAMES[:2]),
    "three frames in two fragments": coded(BASELINE, *THREE[:2], pixels=FRAMES),
    "a deflated frame of a byte less": coded(DEFLATED_FRAMES, zlib.compress(HAND.tobytes()[:-2], wbits=-15)),
    "a deflated frame of ten megabytes": coded(DEFLATED_FRAMES, zlib.compress(bytes(10**7), wbits=-15)),
}


@pytest.mark.parametrize("data", REFUSED.values(), ids=REFUSED)
def test_what_is_missing_or_could_be_read_in_two_ways_is_refused(data: bytes) -> None:
    with pytest.raises((DamagedPicture, TooMuchWork)):
        decode(data)
