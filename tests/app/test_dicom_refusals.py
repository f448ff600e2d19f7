"""decode on DICOM files that hold no picture, a damaged one or a huge one, and what it says then."""

import logging
import subprocess
import sys
import tracemalloc
import zlib
from typing import Any

import imagecodecs
import numpy as np
import numpy.typing as npt
import pytest
from pydicom import uid

from app.imaging import DamagedPicture, PictureError, SizeLimits, TooManyPixels, UnknownType, UnusablePicture, decode
from tests.app.dicom_encodings import FRAMES, RAMP, WIDE, dicom, jpeg, lossless, packed, run_lengths

pytestmark = pytest.mark.filterwarnings("ignore:::pydicom")  # as app.imaging has it, which pytest undoes

NO_ROWS: dict[str, Any] = {"Rows": None, "Columns": None, "PixelData": None}
PATIENT: dict[str, Any] = {"PatientName": "MARKER^NAME", "PatientBirthDate": "MARKER"}
KINDS = {
    "Basic Text SR": uid.BasicTextSRStorage,
    "Encapsulated PDF": uid.EncapsulatedPDFStorage,
    "Presentation State": uid.GrayscaleSoftcopyPresentationStateStorage,
}
REFUSED: dict[str, tuple[bytes, type[PictureError], str]] = {
    **{kind: (dicom(SOPClassUID=number, **NO_ROWS), UnusablePicture, kind) for kind, number in KINDS.items()},
    "dose": (dicom(WIDE, SOPClassUID=uid.RTDoseStorage), UnusablePicture, "RT Dose"),
    "NaN": (dicom(np.full((48, 64), np.nan, np.float32)), UnusablePicture, "not finite"),
    "too low": (dicom(RAMP[:8]), UnusablePicture, "64 × 8"),
    "film": (packed(RAMP, uid.MPEG2MPML, b"film"), UnknownType, "MPEG2"),
    "private syntax": (dicom(RAMP, "1.2.3.4.5"), UnknownType, r"1\.2\.3\.4\.5"),
    "huge": (dicom(Rows=65535, Columns=65535), TooManyPixels, "65535 × 65535"),
    "many frames": (dicom(NumberOfFrames=10_001), TooManyPixels, "10,001 frames"),
    "fewer than no frames": (dicom(NumberOfFrames=-1), DamagedPicture, "damaged"),
    "missing frames": (dicom(FRAMES, NumberOfFrames=9), DamagedPicture, "damaged"),
    "cut": (dicom()[:-100], DamagedPicture, "damaged"),
    "cut in the header": (dicom()[:400], UnusablePicture, "before its pixels"),
    "too many rows": (dicom(Rows=49), DamagedPicture, "damaged"),
    "RLE, cut": (run_lengths(RAMP)[:-100], DamagedPicture, "damaged"),
}
CODED: dict[str, tuple[npt.NDArray[Any], bytes | bytearray]] = {
    uid.JPEGBaseline8Bit: (RAMP, jpeg(RAMP)),
    uid.JPEGExtended12Bit: (RAMP, jpeg(RAMP)),
    uid.JPEGLossless: (WIDE, lossless(WIDE)),
    uid.JPEGLSLossless: (RAMP, imagecodecs.jpegls_encode(RAMP)),
    uid.JPEG2000Lossless: (WIDE, imagecodecs.jpeg2k_encode(WIDE)),
    uid.HTJ2KLossless: (WIDE, imagecodecs.htj2k_encode(WIDE)),
}


@pytest.mark.parametrize(("data", "error", "phrase"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_read_is_refused_in_a_sentence(data: bytes, error: type[PictureError], phrase: str) -> None:
    with pytest.raises(error, match=rf"^[A-Z].*{phrase}.*\.$"):
        decode(data)


@pytest.mark.parametrize("syntax", CODED, ids=lambda syntax: syntax.keyword)
@pytest.mark.parametrize(
    ("part", "header"),
    [
        pytest.param(0.8, {}, id="cut"),
        pytest.param(1, {"Rows": 49}, id="too many rows"),
        pytest.param(1, {"Rows": 64, "Columns": 48}, id="lying on its side"),
    ],
)
def test_a_frame_that_is_not_what_the_header_says_is_refused(part: float, header: dict[str, Any], syntax: str) -> None:
    pixels, frame = CODED[syntax]
    with pytest.raises(DamagedPicture):
        decode(packed(pixels, syntax, frame[: int(part * len(frame))], **header))


def deflated(content: bytes) -> bytes:
    start = dicom(syntax=uid.DeflatedExplicitVRLittleEndian)
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return start[: 144 + int.from_bytes(start[140:144], "little")] + packer.compress(content) + packer.flush()


HUNDRED_MB = b"\x09\0\x10\0OB\0\0" + (100_000_000).to_bytes(4, "little") + bytes(100_000_000)
LYING_JPEG_LS = imagecodecs.jpegls_encode(RAMP).replace(b"\0\x30\0\x40", b"\x7f\xff\x7f\xff", 1)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(deflated(HUNDRED_MB), id="deflated"),
        pytest.param(deflated(deflated(HUNDRED_MB)), id="deflated twice"),
        pytest.param(packed(RAMP, uid.JPEGLSLossless, LYING_JPEG_LS), id="a frame that claims to be huge"),
    ],
)
def test_a_small_file_does_not_unpack_to_a_huge_one(data: bytes) -> None:
    tracemalloc.start()
    with pytest.raises(PictureError):
        decode(data, limits=SizeLimits(100_000))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 64e6


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(
            dicom(**PATIENT, SOPClassUID="9.9.9.9.9", **NO_ROWS).replace(b"9.9.9.9.9", b"MARKER^NN"), id="kind"
        ),
        pytest.param(dicom(**PATIENT, RescaleSlope="99999999").replace(b"99999999", b"MARKER  "), id="number"),
        pytest.param(dicom(**PATIENT)[:-9], id="cut"),
    ],
)
def test_no_error_says_whose_picture_it_is(
    data: bytes, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    assert b"MARKER" in data
    with caplog.at_level(logging.DEBUG), pytest.raises(PictureError) as caught:
        decode(data)
    assert "MARKER" not in str(caught.value)
    assert not caplog.records
    assert capfd.readouterr() == ("", "")


def test_no_warning_says_whose_picture_it_is() -> None:
    data = dicom(**PATIENT, PixelData=RAMP.tobytes() + bytes(64))  # pydicom would warn of what is too much
    program = "import sys; from app import imaging; imaging.decode(sys.stdin.buffer.read())"
    done = subprocess.run([sys.executable, "-c", program], input=data, capture_output=True, check=True)
    assert (done.stdout, done.stderr) == (b"", b"")
