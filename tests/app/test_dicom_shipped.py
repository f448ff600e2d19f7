"""decode on every file that pydicom ships."""

from pathlib import Path

import numpy as np
import pydicom
import pytest

from app.imaging import PictureError, decode

pytestmark = pytest.mark.filterwarnings("ignore:::pydicom")  # as app.imaging has it, which pytest undoes

DATA = Path(pydicom.__file__).parent / "data"
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
    "unreadable: at least 16": """JPEGLSNearLossless_08 JPEGLSNearLossless_16 SC_rgb_small_odd
        SC_rgb_small_odd_big_endian SC_rgb_small_odd_jpeg""",
    "no pixels: RT Dose": "badVR rtdose rtdose_1frame rtdose_expb rtdose_expb_1frame rtdose_rle rtdose_rle_1frame",
    "no pixels: RT Plan": "rtplan rtplan_truncated",
    "no pixels: RT Ion Plan": "ExplVR_BigEndNoMeta ExplVR_LitEndNoMeta",
    "no pixels: RT Structure Set": "rtstruct",
    "no pixels: SR Storage": "reportsi reportsi_with_empty_number_tags test-SR",
    "no pixels: ECG Waveform": "waveform_ecg",
    "no pixels: Color Palette": "fall hotiron hotmetalblue pet pet20step spring summer winter",
    "unreadable: Computed Radiography": "chrJapMulti chrJapMultiExplicitIR6 chrKoreanMulti",
    "unreadable: CT Image": "SE000000/* UN_sequence",
    "unreadable: MR Image": "chrSQEncoding chrSQEncoding1 priv_SQ",
    "unreadable: RT Image": "no_meta_group_length",
    "no pixels: not known": "empty_charset_LEI meta_missing_tsyntax nested_priv_SQ",
    "no pixels: DICOMDIR": """DICOMDIR DICOMDIR-bigEnd DICOMDIR-empty DICOMDIR-implicit DICOMDIR-nooffset
        DICOMDIR-nopatient DICOMDIR-reordered""",
    "unreadable: damaged": "JPEG2000-embedded-sequence-delimiter MR_truncated",
    "not a picture: not a DICOM": """FileInfo.txt README README.md README.txt crayons.icc no_meta rtplan.dump rtstruct.dump
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
        outcome = f"{error.kind}: {error}"
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
