"""Pictures as scanners, phones, editors and converters write them: each of the right value, or refused where it is not sure."""

import struct
import zlib
from typing import Any

import imagecodecs
import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from app.imaging import DamagedPicture, Pixels, UnknownType, UnusablePicture, decode
from tests.field.drawn import HAND, HEAD, assert_shows
from tests.hostile import chunks, jpegs, tiffs
from tests.hostile.bmps_and_webps import LOSSLESS, canvas, riff, webp_chunk
from tests.hostile.case import encoded

FULL = ((HAND - HAND.min()) * (255 / np.ptp(HAND)) + 0.5).astype(
    np.uint8
)  # from black to white, for files without a window
END = b"\xff\xd9"
BASELINE, PROGRESSIVE = (encoded(HAND, "JPEG", quality=95, progressive=progressive) for progressive in (False, True))
COLORED = encoded(np.stack([HAND] * 3, axis=-1), "JPEG", quality=95)
RESTARTING = encoded(HAND, "JPEG", quality=95, restart_marker_blocks=16)
IHDR, IDAT = chunks.header(64, 64), chunks.data(chunks.scanlines(HAND))
NOTES = {
    b"tEXt": b"Comment\0x",
    b"zTXt": b"Comment\0\0junk",
    b"iTXt": b"x",
    b"iCCP": b"x\0\0junk",
    b"gAMA": b"",
    b"tIME": b"",
}
RAW = {"II": "<", "MM": ">"}


def bmp(
    pixels: npt.NDArray[Any], bits: int, masks: tuple[int, ...] = (), upside_down: bool = False, size: int = 124
) -> bytes:
    """With a header of version 5, or 40 bytes, whose masks say which bits are red, green, blue and alpha."""
    rows = (pixels if upside_down else pixels[::-1]).tobytes()
    fields = (size, 64, -64 if upside_down else 64, 1, bits, 3 if masks else 0, len(rows), 2835, 2835, 0, 0)
    info = struct.pack("<IiiHHIIiiII", *fields) + struct.pack(f"<{len(masks)}I", *masks)
    info = info.ljust(size, b"\0")
    return b"BM" + struct.pack("<IHHI", 14 + len(info) + len(rows), 0, 0, 14 + len(info)) + info + rows


def with_alpha(alpha: Any) -> npt.NDArray[np.uint8]:
    return np.dstack([HAND, HAND, HAND, np.broadcast_to(np.uint8(alpha), HAND.shape)])


BGRA, BGR565 = (0xFF0000, 0xFF00, 0xFF, 0xFF000000), (0xF800, 0x7E0, 0x1F)
SHADES = HAND.astype(np.uint16) >> 3
HALF_CLEAR = np.where(np.arange(64) < 32, 255, 0).astype(np.uint8)  # across


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(bmp(with_alpha(0), 32, BGRA), id="Windows' clipboard, version 5 header"),
        pytest.param(bmp(with_alpha(0), 32, BGRA, size=108), id="version 4 header"),
        pytest.param(bmp(with_alpha(0), 32, BGRA, upside_down=True), id="top row first"),
        pytest.param(bmp(with_alpha(0), 32, size=40), id="the fourth byte unused"),
        pytest.param(bmp(with_alpha(255), 32, BGRA), id="opaque"),
        pytest.param(bmp(SHADES << 11 | SHADES << 6 | SHADES, 16, BGR565), id="16 bits, 565"),
        pytest.param(bmp(SHADES << 10 | SHADES << 5 | SHADES, 16, size=40), id="16 bits, 555"),
    ],
)
def test_a_bmp_in_which_no_pixel_has_alpha_has_none(data: bytes) -> None:
    assert_shows(data)


def test_a_bmp_in_which_some_pixels_have_alpha_is_black_elsewhere() -> None:
    assert_shows(bmp(with_alpha(HALF_CLEAR), 32, BGRA), np.where(HALF_CLEAR, HAND, 0).astype(np.uint8))


NUMBERS = ["float64", "float32", "float16", "int8", "int16", "int32", "int64", "uint32", "uint64"]


def tiff_of(values: npt.NDArray[Any], order: str = "<", **tags: int) -> bytes:
    """As ImageJ, MATLAB, GDAL, ITK and tifffile write numbers: what sort they are is in SampleFormat."""
    sort = {"u": 1, "i": 2, "f": 3}[values.dtype.kind]
    numbers = {
        tiffs.BITS: 8 * values.itemsize,
        tiffs.SAMPLE_FORMAT: sort,
        **{int(tag[1:]): value for tag, value in tags.items()},
    }
    strip = values.astype(values.dtype.newbyteorder(order)).tobytes()  # type: ignore[arg-type]
    return tiffs.tiff(numbers, zlib.compress(strip) if tags.get("t259") == 8 else strip, order)


def spread(kind: str) -> Any:
    """HAND as numbers of a kind: signed ones below zero as well, as Hounsfield units are, large ones beyond 32 bits' half."""
    signed = FULL.astype(np.float64) - 100 if not kind.startswith("u") else FULL * 2.0**24 * 0.99
    return (signed / 2 if kind == "int8" else signed).astype(kind)


@pytest.mark.parametrize("order", RAW.values(), ids=RAW)
@pytest.mark.parametrize("kind", NUMBERS)
@pytest.mark.parametrize("tags", [{}, {"t259": 8}, {"t262": 0}], ids=["plain", "deflated", "zero is white"])
def test_a_tiff_of_any_numbers_is_shown_from_its_smallest_to_its_largest(
    kind: str, order: str, tags: dict[str, int]
) -> None:
    assert_shows(tiff_of(spread(kind), order, **tags), 255 - FULL if tags.get("t262") == 0 else FULL)


@pytest.mark.parametrize("kind", NUMBERS)
def test_a_tiff_of_numbers_a_byte_short_is_refused(kind: str) -> None:
    values = spread(kind)
    with pytest.raises(DamagedPicture):
        decode(tiff_of(values, t278=64, t279=values.nbytes - 1))


def test_a_tiff_of_complex_numbers_is_of_a_kind_that_is_not_read() -> None:
    with pytest.raises(UnknownType):
        decode(tiff_of(HAND.astype(np.float64), t339=6))


@pytest.mark.parametrize(
    ("compression", "tags"),
    [
        *[(method, {}) for method in ("raw", "tiff_lzw", "tiff_adobe_deflate", "packbits", "zstd")],
        *[(method, {317: 2}) for method in ("tiff_lzw", "tiff_adobe_deflate")],  # each number less the one before
        ("tiff_adobe_deflate", {317: 3}),  # floats byte by byte
    ],
)
def test_a_tiff_of_numbers_is_unpacked(compression: str, tags: dict[int, int]) -> None:
    for values in (FULL.astype(np.float32), FULL.astype(np.int32))[: 1 if tags == {317: 3} else 2]:
        assert_shows(encoded(values, "TIFF", compression=compression, tiffinfo=tags), FULL)


def deep(bits: int) -> Any:
    """FULL in so many bits, as a detector fills them."""
    return (FULL.astype(np.uint32) * (2**bits - 1) // 255).astype(np.uint16)


@pytest.mark.parametrize("bits", range(8, 17))
def test_the_largest_number_of_the_fewest_bits_that_hold_a_picture_is_white(bits: int) -> None:
    for data in (encoded(deep(bits), "PNG"), encoded(deep(bits), "TIFF"), tiff_of(deep(bits), ">")):
        assert_shows(data, FULL)
    for order in RAW.values():
        assert_shows(tiff_of(deep(bits), order, t262=0), 255 - FULL)


def test_a_dark_picture_of_16_bits_stays_dark_and_a_hot_pixel_of_as_many_bits_changes_nothing() -> None:
    dark = deep(12) // 3 * 2
    hot = dark.copy()
    hot[0, 0] = 4095
    pixels = decode(encoded(dark, "PNG")).pixels
    assert 165 <= pixels.max() <= 175
    assert np.array_equal(decode(encoded(hot, "PNG")).pixels[1:], pixels[1:])


SMALL = Image.fromarray(HEAD[::2, ::2])


def jpeg_of_a_phone(**options: Any) -> bytes:
    return encoded(Image.fromarray(HAND), "MPO", save_all=True, append_images=[SMALL], quality=95, **options)


def held(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


MP4 = b"\0\0\0\x18ftypmp42" + b"\xff\xda" * 500  # where a hundred scans would be too many


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(jpeg_of_a_phone(), id="MPO"),
        pytest.param(jpeg_of_a_phone()[:-200], id="MPO whose second picture is cut"),
        pytest.param(jpeg_of_a_phone()[: jpeg_of_a_phone().index(END) + 2], id="MPF note, and no second picture"),
        pytest.param(jpegs.START + jpegs.segment(0xE2, b"MPF\0junk") + BASELINE[2:], id="MPF note of junk"),
        pytest.param(BASELINE + MP4, id="a film behind it, as phones of several makers save motion"),
        pytest.param(BASELINE + jpeg_of_a_phone(), id="several pictures behind it"),
        pytest.param(jpegs.START + jpegs.segment(0xE1, b"Exif\0\0" + BASELINE) + BASELINE[2:], id="one in a note"),
    ],
)
def test_the_first_picture_of_a_phones_file_is_the_picture(data: bytes) -> None:
    assert_shows(data)


def test_a_phones_portrait_is_turned_upright() -> None:
    assert_shows(jpeg_of_a_phone(exif=held(6)), np.rot90(HAND, -1))


@pytest.mark.parametrize(
    "jpeg", [BASELINE, PROGRESSIVE, COLORED, RESTARTING], ids=["plain", "progressive", "colours", "restarts"]
)
@pytest.mark.parametrize(
    "end",
    [
        pytest.param(b"\x12" * 12 + END, id="a dozen stray bytes"),
        pytest.param(bytes(range(1, 13)) + END, id="a dozen of any value"),
        pytest.param(bytes(500) + END, id="zeros to a round size"),
        pytest.param(b"\r\n" * 8 + END, id="line ends"),
        pytest.param(b"\xff" * 9 + END, id="fill bytes, which B.1.1.2 allows"),
        pytest.param(b"", id="no end marker"),
        pytest.param(b"\xff", id="half of it"),
        pytest.param(bytes(100), id="zeros instead of it"),
        pytest.param(END + b"junk" * 99, id="a trailer behind it"),
    ],
)
def test_a_jpeg_whose_coded_pixels_are_all_there_is_read(jpeg: bytes, end: bytes) -> None:
    assert_shows(jpeg[:-2] + end)


def test_zeros_between_segments_are_passed_over() -> None:
    scan = BASELINE.index(b"\xff\xda")
    tables = BASELINE.index(b"\xff\xdb")
    assert_shows(BASELINE[:tables] + b"\0" + BASELINE[tables:scan] + bytes(3) + BASELINE[scan:])


LAST_RESTART = RESTARTING.rindex(b"\xff\xd2")
SECOND_SCAN = PROGRESSIVE.index(b"\xff\xda", PROGRESSIVE.index(b"\xff\xda") + 2)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(BASELINE[:-12], id="a few pixels short, without an end"),
        pytest.param(BASELINE[:-12] + END, id="a few pixels short"),
        pytest.param(PROGRESSIVE[:-12], id="a few bits short"),
        pytest.param(PROGRESSIVE[:SECOND_SCAN], id="cut between two scans"),
        pytest.param(PROGRESSIVE[: PROGRESSIVE.rindex(b"\xff\xda")], id="the last scan missing"),
        pytest.param(RESTARTING[:LAST_RESTART], id="cut where a restart should be"),
        pytest.param(RESTARTING[:LAST_RESTART] + bytes(12) + END, id="stray bytes where a restart should be"),
        pytest.param(BASELINE[:1200] + bytes(len(BASELINE) - 1202) + END, id="zeros instead of the last pixels"),
        pytest.param(jpegs.claiming(BASELINE, 64, 48), id="more pixels than the header says"),
        pytest.param(BASELINE.replace(b"\n", b"\r\n"), id="sent as text"),
        pytest.param(BASELINE.replace(b"\xff\xdb", b"text\xff\xdb", 1), id="words between segments"),
    ],
)
def test_a_jpeg_that_lacks_pixels_or_is_not_what_it_was_is_refused(data: bytes) -> None:
    with pytest.raises(DamagedPicture):
        decode(data)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(imagecodecs.jpeg8_encode(deep(12), bitspersample=12), id="12 bits"),
        pytest.param(imagecodecs.jpeg8_encode(deep(16), lossless=True), id="lossless, 16 bits"),
        pytest.param(imagecodecs.jpegls_encode(HAND), id="JPEG-LS"),
        pytest.param(imagecodecs.jpegls_encode(deep(16)), id="JPEG-LS of 16 bits"),
        pytest.param(imagecodecs.jpeg2k_encode(HAND), id="JPEG 2000"),
    ],
)
def test_what_belongs_into_a_dicom_is_of_a_kind_that_is_not_read_by_itself(data: bytes) -> None:
    with pytest.raises(UnknownType, match=r"^[A-Z].*\.$"):
        decode(data)


def spoilt(kind: bytes, content: bytes) -> bytes:
    """A chunk with a wrong checksum."""
    return chunks.chunk(kind, content)[:-4] + b"\0\0\0\1"


@pytest.mark.parametrize("kind", NOTES)
def test_a_png_with_a_damaged_note_is_read_as_the_standard_says(kind: bytes) -> None:
    for note in (
        spoilt(kind, NOTES[kind]),
        chunks.chunk(kind, NOTES[kind]) if kind in {b"gAMA", b"iCCP", b"tIME"} else b"",
    ):
        assert_shows(chunks.png(IHDR, note, IDAT, note))


@pytest.mark.parametrize(
    "end",
    [b"", chunks.END[:5], chunks.END[:-1], spoilt(b"tEXt", b"x"), chunks.END + b"junk" * 99],
    ids=["none", "its length", "all but a byte", "a damaged note", "more behind it"],
)
def test_a_png_whose_rows_are_all_there_needs_no_end(end: bytes) -> None:
    assert_shows(chunks.SIGNATURE + IHDR + IDAT + end)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(chunks.png(spoilt(b"IHDR", IHDR[8:-4]), IDAT), id="header"),
        pytest.param(chunks.png(IHDR, spoilt(b"IDAT", IDAT[8:-4])), id="pixels"),
        pytest.param(chunks.png(IHDR, spoilt(b"PLTE", b"123"), IDAT), id="palette"),
        pytest.param(chunks.png(IHDR, spoilt(b"tRNS", b"\0\0"), IDAT), id="transparency, which changes pixels"),
        pytest.param(chunks.SIGNATURE + IHDR + IDAT + spoilt(b"IEND", b""), id="end"),
        pytest.param(chunks.SIGNATURE + IHDR + IDAT[:-1], id="pixels cut in their checksum"),
        pytest.param(
            chunks.SIGNATURE + IHDR + chunks.data(chunks.scanlines(HAND[:63])), id="a row short, without an end"
        ),
    ],
)
def test_a_png_with_damage_where_its_pixels_are_is_refused(data: bytes) -> None:
    with pytest.raises(DamagedPicture):
        decode(data)


def pages(*all: tuple[Pixels, dict[int, int]], below: bool = False) -> bytes:
    """A TIFF of some pages, one behind the other, or those but the first in the first one's SubIFDs."""
    data = bytearray(b"II*\0\0\0\0\0")
    link = 4
    for number, (pixels, changes) in enumerate(all):
        tags: dict[int, tiffs.Value] = {**tiffs.PICTURE, tiffs.WIDTH: pixels.shape[1], tiffs.HEIGHT: pixels.shape[0]}
        tags |= {tiffs.ROWS: pixels.shape[0], tiffs.OFFSETS: len(data), tiffs.COUNTS: pixels.size, **changes}
        if below and number == 0:
            tags[330] = 0
        data += pixels.tobytes()
        struct.pack_into("<I", data, link, len(data))
        entries = [tiffs.entry("<", tag, value) for tag, value in sorted(tags.items()) if value is not None]
        start = len(data)
        data += struct.pack("<H", len(entries)) + b"".join(entries) + bytes(4)
        link = len(data) - 4
        if below and number == 0:
            link = start + 2 + 12 * sorted(tags).index(330) + 8
    return bytes(data)


FULL_PAGE: tuple[Pixels, dict[int, int]] = (HAND, {})
RGB = {tiffs.BITS: 8, tiffs.SAMPLES: 3, tiffs.PHOTOMETRIC: 2}
SMALLER, SMALLEST, OLD = (HEAD[::2, ::2], {254: 1}), (HEAD[::4, ::4], {254: 1}), (HEAD[::2, ::2], {255: 2})


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(pages(FULL_PAGE, SMALLER), id="preview behind it"),
        pytest.param(pages(SMALLER, FULL_PAGE), id="preview before it, as scanners write"),
        pytest.param(pages(FULL_PAGE, OLD), id="preview of TIFF 5.0"),
        pytest.param(pages(FULL_PAGE, SMALLER, SMALLEST), id="pyramid"),
        pytest.param(pages((np.stack([HAND] * 3, -1), RGB), SMALLER), id="in colours"),
        pytest.param(pages(SMALLER, (np.stack([HAND] * 3, -1), RGB)), id="in colours, preview before it"),
        pytest.param(pages(FULL_PAGE, SMALLER, below=True), id="pyramid below it, as OME and libvips write"),
        pytest.param(pages(SMALLER, FULL_PAGE, below=True), id="below its preview, as cameras write"),
        pytest.param(pages(FULL_PAGE, (HEAD, {254: 4, 262: 4})), id="mask"),
        pytest.param(pages((HAND, {254: 1})), id="one page that says it is a preview"),
        pytest.param(pages((HAND, {254: 2})), id="one page of several, and no other"),
    ],
)
def test_a_smaller_form_of_a_tiffs_picture_is_no_page(data: bytes) -> None:
    assert_shows(data)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(pages(FULL_PAGE, (HEAD, {})), id="two"),
        pytest.param(pages(FULL_PAGE, SMALLER, (HEAD, {254: 2})), id="two and a preview"),
        pytest.param(pages(SMALLER, SMALLEST), id="two previews of nothing"),
        pytest.param(pages(FULL_PAGE, *[SMALLEST] * 200), id="more previews than anything has"),
    ],
)
def test_a_tiff_of_several_pages_is_refused_still(data: bytes) -> None:
    with pytest.raises(UnusablePicture, match="several pages"):
        decode(data)


EXIF = held(6).tobytes()


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(encoded(HAND, "JPEG", quality=95, exif=EXIF), id="JPEG"),
        pytest.param(encoded(HAND, "PNG", exif=EXIF), id="PNG"),
        pytest.param(encoded(Image.fromarray(HAND).convert("RGB"), "WEBP", lossless=True, exif=EXIF), id="WebP"),
        pytest.param(encoded(HAND, "TIFF", tiffinfo={274: 6}), id="TIFF"),
        pytest.param(encoded(HAND.astype(np.uint16) * 257, "TIFF", tiffinfo={274: 6}), id="TIFF of 16 bits"),
        pytest.param(encoded(np.stack([HAND] * 3, axis=-1), "TIFF", tiffinfo={274: 6}), id="TIFF in colours"),
    ],
)
def test_every_picture_is_turned_as_it_was_held(data: bytes) -> None:
    assert_shows(data, np.rot90(HAND, -1))


def test_a_webp_with_notes_and_bytes_behind_it_is_read() -> None:
    notes = [webp_chunk(b"EXIF", b"junk"), webp_chunk(b"XMP ", b"junk")]
    assert_shows(LOSSLESS + b"junk" * 99)
    assert_shows(riff(canvas(64, 64, 0x0C), LOSSLESS[12:], *notes))
