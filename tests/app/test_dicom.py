"""decode and open on real DICOM files: all that pydicom ships, and small ones made here in every encoding."""

import io
import logging
import subprocess
import sys
import tracemalloc
import zlib
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import numpy.typing as npt
import pydicom
import pytest
from PIL import Image
from pydicom import uid
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate

from app import imaging
from app.imaging import DamagedPicture, PictureError, SizeLimits, TooManyPixels, UnknownType, UnusablePicture, decode
from tests import dicoms
from tests.dicoms import item

pytestmark = pytest.mark.filterwarnings("ignore:::pydicom")  # as app.imaging has it, which pytest undoes

DATA = Path(pydicom.__file__).parent / "data"
RAMP = np.tile(np.linspace(0, 255, 64).round().astype(np.uint8), (48, 1))  # dark to bright
WIDE = RAMP.astype(np.uint16) * 257
TWELVE = WIDE >> 4
SIGNED = RAMP.astype(np.int16) * 10 - 1000
RGB = np.stack([RAMP] * 3, axis=-1)
GAUDY = np.stack([RAMP, 255 - RAMP, RAMP // 2], axis=-1)
FRAMES = np.stack([RAMP // 4, RAMP, RAMP // 2])
SHOWN: dict[str, Any] = {
    "RescaleSlope": 2,
    "RescaleIntercept": -100,
    "WindowCenter": 450.5,
    "WindowWidth": 5101,
}  # all of SIGNED


NO_ROWS: dict[str, Any] = {"Rows": None, "Columns": None, "PixelData": None}
PATIENT: dict[str, Any] = {"PatientName": "MARKER^NAME", "PatientBirthDate": "MARKER"}


def dicom(pixels: npt.NDArray[Any] = RAMP, syntax: str = uid.ExplicitVRLittleEndian, **header: Any) -> bytes:
    return dicoms.dicom(pixels, syntax, **header)


def packed(pixels: npt.NDArray[Any], syntax: str, frame: bytes | bytearray, **header: Any) -> bytes:
    return dicom(pixels, syntax, PixelData=encapsulate([bytes(frame)]), **header)


def run_lengths(pixels: npt.NDArray[Any]) -> bytes:
    dataset = pydicom.dcmread(io.BytesIO(dicom(pixels)))
    dataset.compress(uid.RLELossless, encoding_plugin="pydicom")
    file = io.BytesIO()
    dataset.save_as(file)
    return file.getvalue()


def jpeg(pixels: npt.NDArray[Any]) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=95, subsampling=0)
    return file.getvalue()


def lossless(pixels: npt.NDArray[Any], bits: int | None = None) -> bytes:
    return bytes(imagecodecs.jpeg8_encode(pixels, lossless=True, bitspersample=bits))


def lut(entries: npt.NDArray[Any], bits: int = 16) -> list[Dataset]:
    data = entries.astype("<u2").tobytes()
    return [item(LUTDescriptor=[len(entries), 0, bits], LUTData=data, ModalityLUTType="US")]


YBR = np.stack([RAMP, *[np.full_like(RAMP, 128)] * 2], axis=-1)
PADDED = np.hstack([np.full((48, 8), 5000), RAMP]).astype(np.uint16)
FALLING, EIGHT = np.arange(65535, -1, -257, dtype=np.uint16), np.arange(4096) // 16
PALETTE: dict[str, Any] = {
    f"{color}PaletteColorLookupTable{part}": value
    for color in ("Red", "Green", "Blue")
    for part, value in {"Descriptor": [256, 0, 16], "Data": FALLING.tobytes()}.items()
}
TWELVE_BIT_JPEG = imagecodecs.jpeg8_encode(TWELVE, 95, bitspersample=12)
TWELVE_BITS_SIGNED = lossless((SIGNED & 0xFFF).astype(np.uint16), 12)
ENCODINGS: dict[str, tuple[bytes, int]] = {  # and how far the greys may be off
    "8 bit": (dicom(), 0),
    "16 bit": (dicom(WIDE), 0),
    "16 bit signed, rescaled and windowed": (dicom(SIGNED, **SHOWN), 0),
    "12 bits in 16": (dicom(TWELVE, BitsStored=12), 1),
    "12 bits in 16 below an overlay": (dicom(TWELVE | 0xA000, BitsStored=12), 1),
    "12 bits signed in 16": (dicom(SIGNED & 0xFFF, BitsStored=12, **SHOWN), 0),
    "32 bit": (dicom(RAMP.astype(np.uint32) * 0x1010101), 0),
    "float": (dicom(RAMP.astype(np.float32) / 255 - 0.5), 0),
    "double": (dicom(RAMP.astype(np.float64) / 255 - 0.5), 0),
    "padded and rescaled": (dicom(PADDED, RescaleSlope=3, RescaleIntercept=-9, PixelPaddingValue=5000), 0),
    "zero is white": (dicom(255 - RAMP, PhotometricInterpretation="MONOCHROME1"), 0),
    "RGB by pixel": (dicom(RGB), 0),
    "RGB by plane": (dicom(RGB, PlanarConfiguration=1, PixelData=RAMP.tobytes() * 3), 0),
    "RGB of 12 bits in 16": (dicom(RGB.astype(np.uint16) << 4, BitsStored=12), 1),
    "YBR": (dicom(YBR, PhotometricInterpretation="YBR_FULL"), 1),
    "palette": (dicom(255 - RAMP, PhotometricInterpretation="PALETTE COLOR", **PALETTE), 0),
    "modality LUT": (dicom(255 - RAMP, ModalityLUTSequence=lut(FALLING)), 0),
    "modality LUT of 8 bits": (dicom(TWELVE, BitsStored=12, ModalityLUTSequence=lut(EIGHT, 8)), 1),
    "VOI LUT": (dicom(255 - RAMP, VOILUTSequence=lut(FALLING)), 0),
    "VOI LUT of 8 bits": (dicom(TWELVE, BitsStored=12, VOILUTSequence=lut(EIGHT, 8)), 1),
    "VOI LUT, rescaled": (dicom(255 - RAMP, RescaleSlope=1, RescaleIntercept=0, VOILUTSequence=lut(FALLING)), 0),
    "big endian": (dicom(WIDE, uid.ExplicitVRBigEndian), 0),
    "implicit": (dicom(WIDE, uid.ImplicitVRLittleEndian), 0),
    "deflated": (dicom(WIDE, uid.DeflatedExplicitVRLittleEndian), 0),
    "no preamble": (dicom()[128 + 4 :], 0),
    "RLE": (run_lengths(RAMP), 0),
    "RLE of 16 bits": (run_lengths(WIDE), 0),
    "JPEG": (packed(RAMP, uid.JPEGBaseline8Bit, jpeg(RAMP)), 2),
    "extended JPEG": (packed(RAMP, uid.JPEGExtended12Bit, jpeg(RAMP)), 2),
    "extended JPEG of 12 bits": (packed(TWELVE, uid.JPEGExtended12Bit, TWELVE_BIT_JPEG, BitsStored=12), 2),
    "lossless JPEG": (packed(RAMP, uid.JPEGLossless, lossless(RAMP)), 0),
    "lossless JPEG of 16 bits": (packed(WIDE, uid.JPEGLosslessSV1, lossless(WIDE)), 0),
    "lossless JPEG, signed": (packed(SIGNED, uid.JPEGLosslessSV1, TWELVE_BITS_SIGNED, BitsStored=12, **SHOWN), 0),
    "JPEG-LS": (packed(WIDE, uid.JPEGLSLossless, imagecodecs.jpegls_encode(WIDE)), 0),
    "JPEG-LS, lossy": (packed(RAMP, uid.JPEGLSNearLossless, imagecodecs.jpegls_encode(RAMP, level=2)), 2),
    "JPEG-LS, signed": (packed(SIGNED, uid.JPEGLSLossless, imagecodecs.jpegls_encode(SIGNED.view("u2")), **SHOWN), 0),
    "JPEG 2000": (packed(WIDE, uid.JPEG2000Lossless, imagecodecs.jpeg2k_encode(WIDE)), 0),
    "JPEG 2000, signed": (packed(SIGNED, uid.JPEG2000Lossless, imagecodecs.jpeg2k_encode(SIGNED), **SHOWN), 0),
    "HTJ2K": (packed(WIDE, uid.HTJ2KLossless, imagecodecs.htj2k_encode(WIDE)), 0),
}


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
    header = decode(dicom(SIGNED, Modality="CT", **window)).header
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
    "cut in the header": (dicom()[:400], UnusablePicture, "no picture"),
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
        pytest.param(dicom(**PATIENT, WindowCenter="99999999").replace(b"99999999", b"MARKER  "), id="number"),
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


SHIPPED = {  # by what becomes of them
    "(16, 16)": "CR?/* CT*/* MR*/*",
    "(32, 32)": "chrArab chrFren chrFrenMulti chrGerm chrGreek chrH31 chrH32 chrHbrw chrI2 chrRuss chrX1 chrX2",
    "(60, 80)": "ExplVR_BigEnd",
    "(64, 64)": """MR_small MR_small_RLE MR_small_bigendian MR_small_expb MR_small_implicit MR_small_jp2klossless
        MR_small_jpeg_ls_lossless MR_small_padded""",
    "(100, 100)": """SC_rgb_dcmtk_+eb+cr SC_rgb_dcmtk_+eb+cy+n1 SC_rgb_dcmtk_+eb+cy+n2 SC_rgb_dcmtk_+eb+cy+np
        SC_rgb_dcmtk_+eb+cy+s2 SC_rgb_dcmtk_+eb+cy+s4 SC_rgb_gdcm_KY SC_rgb_jls_lossy_line SC_rgb_jls_lossy_sample
        SC_rgb_jpeg_dcmtk SC_rgb_jpeg_gdcm SC_rgb_jpeg_lossy_gdcm SC_rgb_rle SC_rgb_rle_16bit SC_rgb_rle_16bit_2frame
        SC_rgb_rle_2frame SC_rgb_rle_32bit SC_rgb_rle_32bit_2frame SC_ybr_full_422_uncompressed""",
    "(128, 128)": "CT_small",
    "(240, 320)": "examples_rgb_color examples_ybr_color",
    "(256, 256)": """SC_jpeg_no_color_transform SC_jpeg_no_color_transform_2 SC_rgb_jpeg SC_rgb_jpeg_app14_dcmd
        SC_rgb_jpeg_dcmd""",
    "(300, 484)": "examples_overlay",
    "(350, 800)": "examples_palette",
    "(400, 400)": "GDCMJ2K_TextGBR",
    "(480, 640)": "examples_jpeg2k",
    "(512, 512)": "693_J2KI J2K_pixelrep_mismatch image_dfl liver_1frame liver_expb_1frame",
    "(1024, 256)": "JPEG-lossy JPEG2000 JPGExtended",
    "UnusablePicture: at least 16": """JPEGLSNearLossless_08 JPEGLSNearLossless_16 SC_rgb_small_odd
        SC_rgb_small_odd_big_endian SC_rgb_small_odd_jpeg""",
    "UnusablePicture: RT Dose": "badVR rtdose rtdose_1frame rtdose_expb rtdose_expb_1frame rtdose_rle rtdose_rle_1frame",
    "UnusablePicture: RT Plan": "rtplan rtplan_truncated",
    "UnusablePicture: RT Ion Plan": "ExplVR_BigEndNoMeta ExplVR_LitEndNoMeta",
    "UnusablePicture: RT Structure Set": "rtstruct",
    "UnusablePicture: SR Storage": "reportsi reportsi_with_empty_number_tags test-SR",
    "UnusablePicture: ECG Waveform": "waveform_ecg",
    "UnusablePicture: Color Palette": "fall hotiron hotmetalblue pet pet20step spring summer winter",
    "UnusablePicture: Computed Radiography": "chrJapMulti chrJapMultiExplicitIR6 chrKoreanMulti",
    "UnusablePicture: CT Image": "SE000000/*",
    "UnusablePicture: not known": """UN_sequence chrSQEncoding chrSQEncoding1 empty_charset_LEI meta_missing_tsyntax
        nested_priv_SQ no_meta_group_length priv_SQ""",
    "UnusablePicture: no picture": """DICOMDIR DICOMDIR-bigEnd DICOMDIR-empty DICOMDIR-implicit DICOMDIR-nooffset
        DICOMDIR-nopatient DICOMDIR-reordered""",
    "DamagedPicture: damaged": "JPEG2000-embedded-sequence-delimiter MR_truncated",
    "UnknownType: not a DICOM": """FileInfo.txt README README.md README.txt crayons.icc no_meta rtplan.dump rtstruct.dump
        test1.json test_PN.json zipMR.gz""",
}
NAMES = {name: outcome for outcome, names in SHIPPED.items() for name in names.split()}
FOLDERS = ("charset_files", "palettes", "test_files")
FILES = sorted(path for folder in FOLDERS for path in (DATA / folder).rglob("*") if path.is_file())


def names(path: Path) -> list[str]:
    return [name for name in NAMES if path.with_name(path.name.removesuffix(".dcm")).match(name)]


def test_every_file_that_pydicom_ships_is_named_once() -> None:
    assert [path for path in FILES if len(names(path)) != 1] == []
    assert set(NAMES) == {name for path in FILES for name in names(path)}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(DATA).as_posix())
def test_every_file_that_pydicom_ships_gives_what_it_should(path: Path) -> None:
    try:
        outcome = str(decode(path.read_bytes()).pixels.shape)
    except PictureError as error:
        outcome = f"{type(error).__name__}: {error}"
    kind, _, phrase = NAMES[names(path)[0]].partition(": ")
    assert outcome.startswith(kind)
    assert phrase in outcome


@pytest.mark.parametrize(
    ("shape", "first", "tolerance"), [("(64, 64)", "MR_small", 0), ("(100, 100)", "SC_rgb_rle", 8)]
)
def test_the_picture_shipped_in_many_encodings_is_always_the_same(shape: str, first: str, tolerance: int) -> None:
    same = [name for name in SHIPPED[shape].split() if not name.endswith("2frame")]  # the second frame is another
    shown = {name: decode((DATA / "test_files" / f"{name}.dcm").read_bytes()).pixels.astype(int) for name in same}
    assert [name for name in same if np.abs(shown[name] - shown[first]).max() > tolerance] == []
