"""DICOM files made in memory, sound or not."""

import io
from typing import Any

import numpy.typing as npt
from pydicom import uid
from pydicom.config import disable_value_validation
from pydicom.dataset import Dataset, FileMetaDataset


def item(**elements: Any) -> Dataset:
    dataset = Dataset()
    with disable_value_validation():  # what pydicom would rather not write is what readers meet
        for name, value in elements.items():
            setattr(dataset, name, value)
    return dataset


def dicom(pixels: npt.NDArray[Any], syntax: str = uid.ExplicitVRLittleEndian, **header: Any) -> bytes:
    """A file of `pixels`, (frames,) rows, columns(, colours). `header` adds elements, changes or, with None, drops."""
    colors, bits, big = pixels.shape[-1] == 3, 8 * pixels.itemsize, syntax == uid.ExplicitVRBigEndian
    shape = pixels.shape[:-1] if colors else pixels.shape
    content = pixels.astype(pixels.dtype.newbyteorder(">" if big else "<")).tobytes()
    integers = {"BitsStored": bits, "PixelRepresentation": int(pixels.dtype.kind == "i"), "PixelData": content}
    floats = {4: {"FloatPixelData": content}, 8: {"DoubleFloatPixelData": content}}
    stored: dict[str, Any] = floats[pixels.itemsize] if pixels.dtype.kind == "f" else integers
    elements = {
        "SOPClassUID": uid.SecondaryCaptureImageStorage,
        "SOPInstanceUID": "1.2.3",
        "Modality": "OT",
        "SamplesPerPixel": 3 if colors else 1,
        "PlanarConfiguration": 0 if colors else None,
        "PhotometricInterpretation": "RGB" if colors else "MONOCHROME2",
        "NumberOfFrames": shape[0] if len(shape) == 3 else None,
        "Rows": shape[-2],
        "Columns": shape[-1],
        "BitsAllocated": bits,
        **stored,
        **header,
    }
    dataset = item(**{name: value for name, value in elements.items() if value is not None})
    if "BitsStored" in dataset and "HighBit" not in header:
        dataset.HighBit = dataset.BitsStored - 1
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = uid.UID(syntax)
    file = io.BytesIO()
    implicit = syntax == uid.ImplicitVRLittleEndian
    with disable_value_validation():
        dataset.save_as(file, implicit_vr=implicit, little_endian=not big, enforce_file_format=True)
    return file.getvalue()
