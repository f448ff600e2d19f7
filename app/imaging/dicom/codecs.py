"""Compressed DICOM frames through imagecodecs, as a plug-in of pydicom: permissively licensed where others are not."""

from collections.abc import Callable
from itertools import pairwise
from struct import unpack_from
from typing import Any

import imagecodecs
import numpy as np
from pydicom import uid
from pydicom.pixels.decoders import base
from pydicom.pixels.decoders.base import DecodeRunner, get_decoder
from pydicom.pixels.utils import get_j2k_parameters

from app.imaging import jpeg, jpeg_header
from app.imaging.dicom import codestream, jpeg2000

PLUGIN = "imagecodecs"
RLE_HEADER_BYTES = 64
DECODED_TO_RGB = {"YBR_ICT", "YBR_RCT"}  # colour as JPEG 2000 stores it; its decoder gives RGB


def _jpeg(data: bytes, runner: DecodeRunner) -> Any:
    """Colours as they are stored; pydicom knows from the header what they are."""
    data, frame = _whole_jpeg(data, runner)
    color = frame.colors == 3
    checked = jpeg.decode(data, "RGB" if color else "L") if frame.depth == 8 else None  # the other one fills up
    if checked is not None and not color:
        return checked
    space = "rgb" if color else "grayscale"
    return imagecodecs.jpeg8_decode(data, colorspace=space, outcolorspace=space)


def _jpeg_ls(data: bytes, runner: DecodeRunner) -> Any:
    return imagecodecs.jpegls_decode(_whole_jpeg(data, runner)[0])


def _jpeg_2000(data: bytes, runner: DecodeRunner) -> Any:
    _check_size(*jpeg2000.read_size(data), runner)
    if jpeg2000.check(data):  # colour that was transformed comes back as RGB, whatever a header calls it
        runner.set_option("photometric_interpretation", "RGB")
    return imagecodecs.jpeg2k_decode(data)


def _rle(data: bytes, runner: DecodeRunner) -> Any:
    """Plane after plane, in one dimension. PS3.5 G: segments of one byte of each value, the most significant first.

    An ultrasound's segments hold a few bytes more than the picture, which other readers drop, too.
    """
    count, *starts = unpack_from("<16I", data)
    pixels, width = runner.rows * runner.columns, runner.bits_allocated // 8
    if count != width * runner.samples_per_pixel or starts[0] < RLE_HEADER_BYTES:
        raise ValueError("more or fewer segments than the header says")
    bounds = pairwise([*starts[:count], len(data)])
    segments = [imagecodecs.packbits_decode(data[start:end], out=2 * pixels)[:pixels] for start, end in bounds]
    planes = np.frombuffer(b"".join(segments), np.uint8).reshape(runner.samples_per_pixel, width, pixels)
    return np.ascontiguousarray(planes[:, ::-1].transpose(0, 2, 1)).view(f"<u{width}").ravel()


DECODERS: dict[str, Callable[[bytes, DecodeRunner], Any]] = {
    **dict.fromkeys((uid.JPEGBaseline8Bit, uid.JPEGExtended12Bit, uid.JPEGLossless, uid.JPEGLosslessSV1), _jpeg),
    **dict.fromkeys((uid.JPEGLSLossless, uid.JPEGLSNearLossless), _jpeg_ls),
    **dict.fromkeys((uid.JPEG2000Lossless, uid.JPEG2000), _jpeg_2000),
    **dict.fromkeys((uid.HTJ2KLossless, uid.HTJ2KLosslessRPCL, uid.HTJ2K), _jpeg_2000),
    uid.RLELossless: _rle,
}
DECODER_DEPENDENCIES = dict.fromkeys(DECODERS, (PLUGIN,))  # pydicom asks for this, and for the next


def is_available(syntax: str) -> bool:
    return syntax in DECODERS


def decode_frame(data: bytes, runner: DecodeRunner) -> bytearray:
    """The pixels of one frame, in the byte order of this machine. Raises what the codec makes of damage."""
    pixels = DECODERS[runner.transfer_syntax](data, runner)
    if 8 * pixels.itemsize > runner.bits_allocated:
        raise ValueError("deeper than the header says")
    runner.set_option("bits_allocated", 8 * pixels.itemsize)
    runner.set_option("planar_configuration", int(pixels.ndim == 1))
    if runner.photometric_interpretation in DECODED_TO_RGB:
        runner.set_option("photometric_interpretation", "RGB")
    return bytearray(pixels.data.cast("B"))


def register() -> None:
    """Let pydicom decode with imagecodecs, and with nothing else that happens to be installed."""
    for syntax in DECODERS:
        decoder = get_decoder(syntax)
        for other in decoder.available_plugins:
            decoder.remove_plugin(other)
        decoder.add_plugin(PLUGIN, (__name__, "decode_frame"))
    base.get_j2k_parameters = _j2k_parameters  # type: ignore[attr-defined]


def _j2k_parameters(codestream: bytes) -> dict[str, Any]:
    """pydicom's, which looks before the codec does, and stays for ever at a box of no length."""
    jpeg2000.read_size(codestream)
    return get_j2k_parameters(codestream)


def _whole_jpeg(data: bytes, runner: DecodeRunner) -> tuple[bytes, jpeg_header.Jpeg]:
    """Raises ValueError or struct.error where there is none, or its end is missing."""
    frame = jpeg_header.read_header(data)
    _check_size(frame.height, frame.width, runner)
    return codestream.whole_jpeg(data), frame


def _check_size(rows: int, columns: int, runner: DecodeRunner) -> None:
    """Before its memory is asked for."""
    if (rows, columns) != (runner.rows, runner.columns):
        raise ValueError("the frame has another size than its header says")
