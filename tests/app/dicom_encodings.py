"""One picture as DICOM in every encoding that is read, and what packs it."""

import io
from typing import Any

import imagecodecs
import numpy as np
import numpy.typing as npt
import pydicom
from pydicom import uid
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate

from tests import dicoms
from tests.dicoms import item
from tests.hostile.case import encoded

RAMP = np.tile(np.linspace(0, 255, 64).round().astype(np.uint8), (48, 1))  # dark to bright
WIDE = RAMP.astype(np.uint16) * 257
TWELVE = WIDE >> 4
SIGNED = RAMP.astype(np.int16) * 10 - 1000
RGB = np.stack([RAMP] * 3, axis=-1)
GAUDY = np.stack([RAMP, 255 - RAMP, RAMP // 2], axis=-1)
FRAMES = np.stack([RAMP // 4, RAMP, RAMP // 2])
# All of SIGNED.
SHOWN: dict[str, Any] = {"RescaleSlope": 2, "RescaleIntercept": -100, "WindowCenter": 450.5, "WindowWidth": 5101}


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
    return encoded(pixels, "JPEG", quality=95, subsampling=0)


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
