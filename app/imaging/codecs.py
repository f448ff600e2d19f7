"""Compressed DICOM frames through imagecodecs, as a plug-in of pydicom: permissively licensed where others are not."""

from collections.abc import Callable
from functools import partial
from typing import Any

import imagecodecs
from pydicom import uid
from pydicom.pixels.decoders.base import DecodeRunner, get_decoder

NAME = "imagecodecs"
TRANSFORMED = {"YBR_ICT", "YBR_RCT"}  # colour as JPEG 2000 stores it; its decoder gives RGB


def _decode(name: str, data: bytes) -> Any:
    return getattr(imagecodecs, name)(data)  # imported when first needed


_jpeg, _jpeg_ls, _jpeg_2000 = (partial(_decode, f"{name}_decode") for name in ("jpeg8", "jpegls", "jpeg2k"))
DECODERS: dict[str, Callable[[bytes], Any]] = {
    uid.JPEGExtended12Bit: _jpeg,
    uid.JPEGLossless: _jpeg,
    uid.JPEGLosslessSV1: _jpeg,
    uid.JPEGLSLossless: _jpeg_ls,
    uid.JPEGLSNearLossless: _jpeg_ls,
    uid.JPEG2000Lossless: _jpeg_2000,
    uid.JPEG2000: _jpeg_2000,
    uid.HTJ2KLossless: _jpeg_2000,
    uid.HTJ2KLosslessRPCL: _jpeg_2000,
    uid.HTJ2K: _jpeg_2000,
}
DECODER_DEPENDENCIES = dict.fromkeys(DECODERS, (NAME,))  # pydicom asks for this, and for the next


def is_available(syntax: str) -> bool:
    return syntax in DECODERS


def decode_frame(data: bytes, runner: DecodeRunner) -> bytearray:
    """The pixels of one frame, in the byte order of this machine. Raises what the codec makes of damage."""
    pixels = DECODERS[runner.transfer_syntax](data)
    if pixels.shape[:2] != (runner.rows, runner.columns):
        raise ValueError("the frame has another size than its header says")
    runner.set_option("bits_allocated", 8 * pixels.itemsize)
    runner.set_option("planar_configuration", 0)
    if runner.photometric_interpretation in TRANSFORMED:
        runner.set_option("photometric_interpretation", "RGB")
    return bytearray(pixels.tobytes())


def register() -> None:
    """Let pydicom decode with imagecodecs, and with nothing else that happens to be installed, what Pillow does not."""
    for syntax in DECODERS:
        decoder = get_decoder(syntax)
        for other in decoder.available_plugins:
            decoder.remove_plugin(other)
        decoder.add_plugin(NAME, (__name__, "decode_frame"))
