"""What programs write wrong where there is still one way to read it, so that the rest of this house sees sound files.

Each function mends one thing in a header, in place, and says who writes it so and why it is certain. What could be read
in two ways is left as it is, for others to refuse.
"""

import re

from pydicom import uid
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.pixels.utils import get_expected_length
from pydicom.tag import Tag

from app.imaging.dicom import codestream
from app.imaging.dicom.tables import PALETTE, modality_table, palette, voi_table

COLORS = 3  # samples of a pixel that is not grey
BYTE = 8  # bits
LOSSY_JPEG = {uid.JPEGBaseline8Bit, uid.JPEGExtended12Bit}
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")  # PS3.5 6.2: a decimal string
RESCALE, WINDOW = ("RescaleSlope", "RescaleIntercept"), ("WindowCenter", "WindowWidth")
UNSPECIFIED = "US"  # a rescale type: to no unit that is known


def header(dataset: Dataset) -> None:
    """All that a header tells by itself."""
    for mend in (photometric_interpretation, samples_per_pixel, pixel_representation, bits_stored, planes):
        mend(dataset)


def shown(dataset: Dataset) -> None:
    """All that tells how the values of one frame are shown."""
    for mend in (decimal_strings, rescale, padding, modality_table, voi_table, palette):
        mend(dataset)


def samples_per_pixel(dataset: Dataset) -> None:
    """Left out by ACR-NEMA and what converted it; the colour space knows how many there are (PS3.3 C.7.6.3.1.2)."""
    if _is_empty(dataset, "SamplesPerPixel"):
        color = dataset.PhotometricInterpretation.startswith(("RGB", "YBR"))
        dataset.SamplesPerPixel = COLORS if color else 1


def photometric_interpretation(dataset: Dataset) -> None:
    """Left out by ACR-NEMA, where one sample was grey from black up and three were RGB; a JPEG's own three are YBR.

    With a palette beside it, grey is not certain.
    """
    said = str(dataset.get("PhotometricInterpretation") or "").strip("\0 ").upper()
    if not said and f"{PALETTE[0]}Data" not in dataset:
        color = dataset.get("SamplesPerPixel") == COLORS
        lossy = dataset.file_meta.TransferSyntaxUID in LOSSY_JPEG
        said = "MONOCHROME2" if not color else "YBR_FULL" if lossy else "RGB"
    dataset.PhotometricInterpretation = said


def pixel_representation(dataset: Dataset) -> None:
    """Left out by frame grabbers; values are unsigned unless what is written in the same kind, the padding, is not."""
    if _is_empty(dataset, "PixelRepresentation"):
        padded = "PixelPaddingValue" in dataset
        dataset.PixelRepresentation = int(padded and dataset.get_item("PixelPaddingValue").VR == "SS")


def bits_stored(dataset: Dataset) -> None:
    """Left out together with others: the high bit tells, or all are used (PS3.5 8.1.1)."""
    if _is_empty(dataset, "BitsStored"):
        high = dataset.get("HighBit")
        dataset.BitsStored = int(high) + 1 if high else dataset.get("BitsAllocated")


def planes(dataset: Dataset) -> None:
    """Left out by secondary capture; colour by pixel is what its writers have in memory."""
    if dataset.SamplesPerPixel == COLORS and _is_empty(dataset, "PlanarConfiguration"):
        dataset.PlanarConfiguration = 0


def plain(dataset: Dataset, value: memoryview) -> None:
    """What the length of plain pixels tells. Raises ValueError where some are missing, or there is another frame."""
    if codestream.is_coded(dataset.file_meta.TransferSyntaxUID):
        # Archives that unpack name the syntax they received; an encoded element has no length of its own (PS3.5 A.4).
        dataset.file_meta.TransferSyntaxUID = uid.ExplicitVRLittleEndian
    bits_allocated(dataset, len(value))
    full_chroma(dataset, len(value))
    needed, frames = get_expected_length(dataset), int(dataset.get("NumberOfFrames") or 1)
    surplus = len(value) - needed  # padding, which PS3.5 8.1.1 calls not significant; but a frame is more than that
    if surplus < 0 or (surplus * frames >= needed and value[needed:].tobytes().strip(b"\0")):
        raise ValueError("other pixels than the header says")


def bits_allocated(dataset: Dataset, length: int) -> None:
    """Less than is stored: the length of plain pixels tells which of both is true."""
    stored = int(dataset.get("BitsStored") or 0)
    if dataset.BitsAllocated == BYTE < stored and length >= 2 * _count(dataset):
        dataset.BitsAllocated = 2 * BYTE
    dataset.BitsStored = min(stored, dataset.BitsAllocated)


def full_chroma(dataset: Dataset, length: int) -> None:
    """Ultrasound says YBR_FULL_422 of what it saves as RGB: by its length no colour is shrunk (PS3.3 C.7.6.3.1.2)."""
    if dataset.PhotometricInterpretation == "YBR_FULL_422" and 8 * length >= _count(dataset) * dataset.BitsAllocated:
        dataset.PhotometricInterpretation = "RGB"


def coded(dataset: Dataset, head: memoryview) -> None:
    """What the first fragment tells. Raises ValueError where it does not tell how it is coded."""
    if not codestream.is_coded(dataset.file_meta.TransferSyntaxUID):
        # Archives that pack name the syntax they received; an element without a length is encoded (PS3.5 A.4).
        dataset.file_meta.TransferSyntaxUID = codestream.syntax(bytes(head))
    dataset.BitsStored = min(dataset.BitsStored, dataset.BitsAllocated)  # the codestream has bits of its own


def bits_below(dataset: Dataset, depth: int | None) -> int:
    """How far values lie above the lowest bit: until 2004 they could, with overlays below them (PS3.5 8.1.1).

    `depth` is that of a codestream, which may hold just the values.
    """
    stored, top = int(dataset.get("BitsStored") or 0), int(dataset.get("HighBit") or 0) + 1
    return top - stored if 0 < stored < top <= min(dataset.BitsAllocated, depth or top) else 0


def decimal_strings(dataset: Dataset) -> None:
    """A comma for a point, by programs that ask the system how numbers are written; PS3.5 6.2 has no other use for it.

    An empty number is none, and so is a window that is no number.
    """
    for name in (*RESCALE, *WINDOW):
        value = dataset.get(name)
        first = next(iter(value), None) if isinstance(value, MultiValue) else value
        first = "" if first is None else str(first).strip("\0 ")
        if NUMBER.fullmatch(number := first.replace(",", ".")):
            dataset.add_new(Tag(name), "FD", float(number))
        elif name in dataset and (name in WINDOW or not first):
            del dataset[name]


def rescale(dataset: Dataset) -> None:
    """Half of it, left by converters and anonymizers, or a slope of 0, by which no picture would be left (PS3.3 C.11.1).

    Without an intercept nobody knows the unit.
    """
    slope, intercept = (dataset.get(name) for name in RESCALE)
    if slope is None and intercept is None:
        return
    if intercept is None:
        dataset.add_new(Tag("RescaleType"), "LO", UNSPECIFIED)
    for name, value in zip(RESCALE, (slope or 1, intercept or 0), strict=True):
        dataset.add_new(Tag(name), "FD", value)


def padding(dataset: Dataset) -> None:
    """Written as US beside signed pixels, by toolkits with one VR for all, or signed beside unsigned: the same bits.

    PS3.3 C.7.5.1.1.2 has it in the pixels' own representation.
    """
    for name in ("PixelPaddingValue", "PixelPaddingRangeLimit"):
        value, bits = dataset.get(name), int(dataset.get("BitsStored") or 0)
        value = int.from_bytes(value, "little") if isinstance(value, bytes) else value
        if value not in {None, ""} and bits:
            dataset.add_new(Tag(name), "SL", _as_stored(int(value), bits, signed=dataset.PixelRepresentation == 1))


def _as_stored(value: int, bits: int, signed: bool) -> int:
    """The number that as many of its bits are for pixels."""
    value &= 2**bits - 1
    return value - 2**bits if signed and value >= 2 ** (bits - 1) else value


def _count(dataset: Dataset) -> int:
    """Values in all frames."""
    frames = int(dataset.get("NumberOfFrames") or 1)
    return int(dataset.Rows * dataset.Columns * dataset.SamplesPerPixel * frames)


def _is_empty(dataset: Dataset, name: str) -> bool:
    return dataset.get(name) in {None, ""}
