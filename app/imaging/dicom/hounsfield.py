"""Hounsfield units of a CT, for whoever chooses the window."""

import numpy as np
import numpy.typing as npt

from app.imaging.dicom import DAMAGED, DicomFile, repair
from app.imaging.dicom.frames import read_element, stored_values
from app.imaging.dicom.header import of_frame
from app.imaging.picture import as_damage

UNIT = "HU"  # what a CT's rescale leads to where it does not say (PS3.3 C.11.1.1.2)


@as_damage(*DAMAGED)
def hounsfield(file: DicomFile) -> npt.NDArray[np.float32] | None:
    """Those of the middle frame, (rows, columns), or None where the header promises none. Raises PictureError."""
    middle = file.header.frames // 2
    values = stored_values(file.dataset, read_element(file.file, file.dataset, file.header.frames), middle)
    header = of_frame(file.dataset, middle)
    repair.shown(header)
    if file.header.modality != "CT" or "RescaleSlope" not in header or (header.get("RescaleType") or UNIT) != UNIT:
        return None
    return np.asarray(values * float(header.RescaleSlope) + float(header.RescaleIntercept), np.float32)
