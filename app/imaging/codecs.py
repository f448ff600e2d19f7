"""Compressed DICOM frames through imagecodecs, as a plug-in of pydicom: permissively licensed where others are not."""

from collections.abc import Callable
from functools import partial
from struct import unpack_from
from typing import Any

import imagecodecs
from pydicom import uid
from pydicom.pixels.decoders.base import DecodeRunner, get_decoder

NAME = "imagecodecs"
TRANSFORMED = {"YBR_ICT", "YBR_RCT"}  # colour as JPEG 2000 stores it; its decoder gives RGB
END, SCAN = b"\xff\xd9", 0xDA  # JPEG markers
FRAMES = {*range(0xC0, 0xD0), 0xF7} - {0xC4, 0xC8, 0xCC}  # those that say how large a JPEG, or a JPEG-LS, is
SIZ = b"\xff\x4f\xff\x51"  # how a JPEG 2000 codestream begins


def _decode(name: str, data: bytes, **options: Any) -> Any:
    return getattr(imagecodecs, name)(data, **options)  # imported when first needed


def _jpeg(data: bytes) -> Any:
    """Colours as they are stored; pydicom knows from the header what they are."""
    colors = data[_frame_header(data) + 9]
    space = "rgb" if colors == 3 else "grayscale"
    return _decode("jpeg8_decode", data, colorspace=space, outcolorspace=space)


_jpeg_ls, _jpeg_2000 = (partial(_decode, f"{name}_decode") for name in ("jpegls", "jpeg2k"))
JPEG_2000 = {uid.JPEG2000Lossless, uid.JPEG2000, uid.HTJ2KLossless, uid.HTJ2KLosslessRPCL, uid.HTJ2K}
DECODERS: dict[str, Callable[[bytes], Any]] = {
    uid.JPEGBaseline8Bit: _jpeg,
    uid.JPEGExtended12Bit: _jpeg,
    uid.JPEGLossless: _jpeg,
    uid.JPEGLosslessSV1: _jpeg,
    uid.JPEGLSLossless: _jpeg_ls,
    uid.JPEGLSNearLossless: _jpeg_ls,
    **dict.fromkeys(JPEG_2000, _jpeg_2000),
}
DECODER_DEPENDENCIES = dict.fromkeys(DECODERS, (NAME,))  # pydicom asks for this, and for the next


def is_available(syntax: str) -> bool:
    return syntax in DECODERS


def decode_frame(data: bytes, runner: DecodeRunner) -> bytearray:
    """The pixels of one frame, in the byte order of this machine. Raises what the codec makes of damage."""
    if _size(data, runner.transfer_syntax) != (runner.rows, runner.columns):  # before its memory is asked for
        raise ValueError("the frame has another size than its header says")
    pixels = DECODERS[runner.transfer_syntax](data)
    runner.set_option("bits_allocated", 8 * pixels.itemsize)
    runner.set_option("planar_configuration", 0)
    if runner.photometric_interpretation in TRANSFORMED:
        runner.set_option("photometric_interpretation", "RGB")
    return bytearray(pixels.data.cast("B"))


def register() -> None:
    """Let pydicom decode with imagecodecs, and with nothing else that happens to be installed."""
    for syntax in DECODERS:
        decoder = get_decoder(syntax)
        for other in decoder.available_plugins:
            decoder.remove_plugin(other)
        decoder.add_plugin(NAME, (__name__, "decode_frame"))


def _size(data: bytes, syntax: str) -> tuple[int, int]:
    """Rows and columns that a frame claims. Raises ValueError or struct.error where it claims none, or is cut."""
    if syntax in JPEG_2000:
        width, height, left, top = unpack_from(">4I", data, _codestream(data) + 8)
        return height - top, width - left
    if not data.rstrip(b"\0\xff").endswith(END):  # decoders fill a missing rest up, or search it for seconds
        raise ValueError("the frame is cut short")
    rows, columns = unpack_from(">2H", data, _frame_header(data) + 5)
    return rows, columns


def _frame_header(data: bytes) -> int:
    """Where in a JPEG its frame header begins."""
    at = 2
    while True:
        marker, length = unpack_from(">xBH", data, at)
        if data[at] != 0xFF or marker == SCAN:
            raise ValueError("no frame header before the scan")
        if marker in FRAMES:
            return at
        at += 1 if marker == 0xFF else 2 + length  # fill bytes may stand before a marker


def _codestream(data: bytes) -> int:
    """Where a JPEG 2000 codestream begins: at once, as DICOM wants it, or in a box of a JP2 file."""
    at = 0
    while data[at : at + 4] != SIZ:
        length, kind = unpack_from(">I4s", data, at)
        at += 8 if kind == b"jp2c" else max(8, length)
    return at
