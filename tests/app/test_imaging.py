"""decode and to_input on real files of every format, made here by Pillow."""

import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from app.imaging import DamagedPicture, PictureError, TooManyPixels, UnknownType, UnusablePicture, decode, to_input
from tests.hostile.case import encoded

RAMP = np.tile(np.arange(0, 256, 4, dtype=np.uint8), (48, 1))  # (48, 64), dark to bright


@pytest.mark.parametrize(
    ("data", "tolerance"),
    [
        pytest.param(encoded(RAMP, "PNG"), 0, id="grey PNG"),
        pytest.param(encoded(RAMP, "BMP"), 0, id="BMP"),
        pytest.param(encoded(RAMP, "TIFF"), 0, id="TIFF"),
        pytest.param(encoded(RAMP, "TIFF", compression="tiff_lzw"), 0, id="LZW TIFF"),
        pytest.param(encoded(RAMP, "TIFF", big_tiff=True), 0, id="BigTIFF"),
        pytest.param(encoded(Image.fromarray(RAMP).convert("RGB"), "WEBP", lossless=True), 1, id="WebP"),
        pytest.param(encoded(RAMP, "JPEG", quality=95), 4, id="grey JPEG"),
        pytest.param(encoded(RAMP, "JPEG", quality=95, progressive=True), 4, id="progressive JPEG"),
        pytest.param(encoded(Image.fromarray(RAMP).convert("RGB"), "JPEG", quality=95), 4, id="RGB JPEG"),
        pytest.param(encoded(Image.fromarray(RAMP).convert("CMYK"), "JPEG", quality=95), 4, id="CMYK JPEG"),
        pytest.param(encoded(Image.fromarray(RAMP).convert("P"), "PNG"), 1, id="palette PNG"),
        pytest.param(encoded(Image.fromarray(RAMP).convert("RGBA"), "PNG"), 0, id="opaque alpha"),
        pytest.param(encoded(RAMP.astype(np.uint16) * 257, "PNG"), 0, id="16 bit PNG"),
        pytest.param(encoded(RAMP.astype(np.uint16) * 257, "TIFF"), 0, id="16 bit TIFF"),
        pytest.param(encoded((RAMP.astype(np.uint32) * 4095 // 255).astype(np.uint16), "PNG"), 1, id="12 bits in 16"),
        pytest.param(encoded((RAMP / 252 * 3.5 - 1).astype(np.float32), "TIFF"), 4, id="float TIFF"),
        pytest.param(encoded(RAMP.astype(np.int32) * 1000 - 7, "TIFF"), 4, id="32 bit TIFF"),
    ],
)
def test_every_format_gives_the_same_picture(data: bytes, tolerance: int) -> None:
    pixels = decode(data).pixels
    assert pixels.dtype == np.uint8
    assert pixels.shape == RAMP.shape
    assert np.abs(pixels.astype(int) - RAMP).max() <= tolerance


def test_one_bit_is_black_and_white() -> None:
    pixels = decode(encoded(Image.fromarray(RAMP > 128), "PNG")).pixels
    assert set(np.unique(pixels)) == {0, 255}


def test_transparency_is_black_background() -> None:
    image = Image.new("RGBA", (32, 32), (255, 255, 255, 0))
    image.paste((255, 255, 255, 255), (8, 8, 24, 24))
    pixels = decode(encoded(image, "PNG")).pixels
    assert (pixels[0, 0], pixels[16, 16]) == (0, 255)


def test_a_jpeg_lying_on_its_side_is_turned_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90° clockwise
    pixels = decode(encoded(RAMP, "JPEG", quality=95, exif=exif)).pixels
    assert np.abs(pixels.astype(int) - np.rot90(RAMP, -1)).max() <= 4


def test_a_tiff_whose_zero_is_white_is_inverted() -> None:
    image = Image.fromarray(RAMP.astype(np.uint16) * 257)
    data = bytearray(encoded(image, "TIFF", tiffinfo={262: 1}))
    tag = data.index(struct.pack("<HHII", 262, 3, 1, 1))
    data[tag + 8] = 0
    assert np.array_equal(decode(bytes(data)).pixels, 255 - RAMP)


def test_a_huge_jpeg_is_decoded_at_a_fraction_when_that_is_enough() -> None:
    data = encoded(Image.fromarray(RAMP).resize((2048, 1024)), "JPEG")
    small = decode(data, at_least=64)
    assert small.pixels.shape == (128, 256)
    whole = to_input(decode(data), 32).astype(int)
    assert np.abs(to_input(small, 32) - whole).max() <= 3


def test_the_input_of_the_model_is_square_whatever_the_picture() -> None:
    assert to_input(decode(encoded(RAMP, "PNG")), 32).shape == (32, 32, 1)


def test_the_limit_on_pixels_comes_from_the_header_alone() -> None:
    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 0, 0, 0, 0)
    chunks = [chunk(b"IHDR", header), chunk(b"IDAT", b""), chunk(b"IEND", b"")]
    with pytest.raises(TooManyPixels):
        decode(b"\x89PNG\r\n\x1a\n" + b"".join(chunks))


def chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


@pytest.mark.parametrize(
    ("data", "error"),
    [
        pytest.param(b"", UnusablePicture, id="empty"),
        pytest.param(b"hello, this is text", UnknownType, id="text"),
        pytest.param(encoded(RAMP, "GIF"), UnknownType, id="GIF"),
        pytest.param(encoded(RAMP, "PNG")[:-40], DamagedPicture, id="truncated PNG"),
        pytest.param(encoded(RAMP, "JPEG")[:400], DamagedPicture, id="truncated JPEG"),
        pytest.param(encoded(RAMP, "TIFF")[:1000], DamagedPicture, id="truncated TIFF"),
        pytest.param(encoded(RAMP, "BMP")[:1000], DamagedPicture, id="truncated BMP"),
        pytest.param(encoded(RAMP, "WEBP")[:60], DamagedPicture, id="truncated WebP"),
        pytest.param(b"\xff\xd8\xff" + b"junk" * 50, DamagedPicture, id="only the signature"),
        pytest.param(encoded(RAMP[:8], "PNG"), UnusablePicture, id="too low"),
        pytest.param(encoded(np.full((32, 32), np.nan, np.float32), "TIFF"), UnusablePicture, id="not finite"),
    ],
)
def test_what_cannot_be_read_is_refused_in_a_sentence(data: bytes, error: type[PictureError]) -> None:
    with pytest.raises(error, match=r"^[A-Z].*\.$"):
        decode(data)


@pytest.mark.parametrize("format", ["TIFF", "WEBP", "PNG"])
def test_several_pages_or_an_animation_are_refused(format: str) -> None:
    other = Image.fromarray(255 - RAMP)
    with pytest.raises(UnusablePicture, match="several pages"):
        decode(encoded(RAMP, format, save_all=True, append_images=[other]))


def test_a_png_with_a_flipped_byte_is_refused_rather_than_guessed_at() -> None:
    data = bytearray(encoded(RAMP, "PNG"))
    data[data.index(b"IDAT") + 10] ^= 1
    with pytest.raises(DamagedPicture):
        decode(bytes(data))
