"""One picture, as sound files of every sort we read. Whatever it comes in, the answer is the same."""

from collections.abc import Iterator
from typing import Any

import imagecodecs
import numpy as np
from PIL import Image
from pydicom import uid
from pydicom.encaps import encapsulate

from tests.dicoms import dicom
from tests.hostile import chunks, tiffs
from tests.hostile.case import HAND, WIDE, Case, encoded
from tests.hostile.dicom_frames import RUNS, frames
from tests.hostile.dicom_headers import palette

RGB = np.stack([HAND] * 3, axis=-1)
YBR = np.stack([HAND, *[np.full_like(HAND, 128)] * 2], axis=-1)
GREYS = Image.fromarray(HAND)
ENTRIES = (np.arange(256) * 257).astype("<u2").tobytes()
PLAIN = encoded(HAND, "PNG")


def packed(pixels: Any, syntax: str, frame: Any, **header: Any) -> bytes:
    return dicom(pixels, syntax, PixelData=encapsulate([bytes(frame)]), **header)


def dicoms() -> dict[str, bytes]:
    return {
        "DICOM": dicom(HAND),
        "DICOM without preamble": dicom(HAND)[132:],
        "DICOM of 16 bits": dicom(WIDE),
        "DICOM, big endian": dicom(WIDE, uid.ExplicitVRBigEndian),
        "DICOM, implicit": dicom(WIDE, uid.ImplicitVRLittleEndian),
        "DICOM, deflated": dicom(WIDE, uid.DeflatedExplicitVRLittleEndian),
        "DICOM, zero is white": dicom(255 - HAND, PhotometricInterpretation="MONOCHROME1"),
        "DICOM, RGB by pixel": dicom(RGB),
        "DICOM, RGB by plane": dicom(RGB, PlanarConfiguration=1, PixelData=HAND.tobytes() * 3),
        "DICOM, YBR": dicom(YBR, PhotometricInterpretation="YBR_FULL"),
        "DICOM, palette": dicom(HAND, **palette(256, ENTRIES)),
        "DICOM, RLE": frames(uid.RLELossless, RUNS),
        "DICOM, JPEG": packed(HAND, uid.JPEGBaseline8Bit, encoded(HAND, "JPEG", quality=98)),
        "DICOM, lossless JPEG": packed(HAND, uid.JPEGLosslessSV1, imagecodecs.jpeg8_encode(HAND, lossless=True)),
        "DICOM, JPEG-LS": packed(WIDE, uid.JPEGLSLossless, imagecodecs.jpegls_encode(WIDE)),
        "DICOM, JPEG 2000": packed(WIDE, uid.JPEG2000Lossless, imagecodecs.jpeg2k_encode(WIDE)),
    }


def rasters() -> dict[str, bytes]:
    rgb = GREYS.convert("RGB")
    return {
        "PNG of 16 bits": encoded(WIDE, "PNG"),
        "PNG, interlaced": chunks.interlaced(HAND),
        "PNG of 16 bits, interlaced": chunks.interlaced(WIDE),
        "PNG, colours": encoded(rgb, "PNG"),
        "PNG, palette": encoded(GREYS.convert("P"), "PNG"),
        "PNG, grey and opaque": encoded(GREYS.convert("LA"), "PNG"),
        "PNG, colours and opaque": encoded(GREYS.convert("RGBA"), "PNG"),
        "BMP": encoded(HAND, "BMP"),
        "BMP, colours": encoded(rgb, "BMP"),
        "WebP, lossless": encoded(rgb, "WEBP", lossless=True),
        "JPEG": encoded(HAND, "JPEG", quality=98),
        "JPEG, progressive": encoded(HAND, "JPEG", quality=98, progressive=True),
        "JPEG, colours": encoded(rgb, "JPEG", quality=98),
        "JPEG, CMYK": encoded(rgb.convert("CMYK"), "JPEG", quality=98),
    }


def tiff_files() -> dict[str, bytes]:
    methods = ("raw", "tiff_lzw", "tiff_adobe_deflate", "packbits")
    return {
        **{f"TIFF ({method})": encoded(HAND, "TIFF", compression=method) for method in methods},
        **{f"TIFF of 16 bits ({method})": encoded(WIDE, "TIFF", compression=method) for method in methods},
        "TIFF, big endian": tiffs.tiff(order=">"),
        "TIFF of 16 bits, big endian": tiffs.tiff({tiffs.BITS: 16}, WIDE.astype(">u2").tobytes(), ">"),
        "TIFF, zero is white": tiffs.tiff({tiffs.PHOTOMETRIC: 0}, (255 - HAND).tobytes()),
        "TIFF, colours": encoded(RGB, "TIFF"),
        "TIFF, palette": encoded(GREYS.convert("P"), "TIFF"),
        "BigTIFF": encoded(HAND, "TIFF", big_tiff=True),
    }


def files() -> dict[str, bytes]:
    return rasters() | tiff_files() | dicoms()


def sound() -> Iterator[Case]:
    for name, data in files().items():
        yield Case(f"sound: {name}", data, 200)
