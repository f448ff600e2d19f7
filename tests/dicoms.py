"""DICOM files made in memory, sound or not."""

import io
from typing import Any

import numpy.typing as npt
from pydicom import uid
from pydicom.dataset import Dataset, FileMetaDataset


def item(**elements: Any) -> Dataset:
    dataset = Dataset()
    for name, value in elements.items():
        setattr(dataset, name, value)
    return dataset


def dicom(pixels: npt.NDArray[Any], syntax: str = uid.ExplicitVRLittleEndian, **header: Any) -> bytes:
    """A file of `pixels`, (frames,) rows, columns(, colours). `header` adds elements, changes or, with None, drops."""
    colors, bits, big = pixels.shape[-1] == 3, 8 * pixels.itemsize, syntax == uid.ExplicitVRBigEndian
    shape = pixels.shape[:-1] if colors else pixels.shape
    content = pixels.astype(pixels.dtype.newbyteorder(">" if big else "<")).tobytes()
    integers = {"BitsStored": bits, "PixelRepresentation": int(pixels.dtype.kind == "i"), "PixelData": content}
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
        **(
            {"f4": {"FloatPixelData": content}, "f8": {"DoubleFloatPixelData": content}}.get(
                pixels.dtype.str[1:], integers
            )
        ),
        **header,
    }
    dataset = item(**{name: value for name, value in elements.items() if value is not None})
    if "BitsStored" in dataset:
        dataset.HighBit = dataset.BitsStored - 1
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = uid.UID(syntax)
    file = io.BytesIO()
    dataset.save_as(
        file, implicit_vr=syntax == uid.ImplicitVRLittleEndian, little_endian=not big, enforce_file_format=True
    )
    return file.getvalue()
