"""Does what a DICOM header says about the body part agree with what the model sees?"""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from functools import cache

from pydicom.sr.codedict import codes

from app.imaging import Header
from app.model.manifest import Terms

# Words of the standard's body parts (PS3.16 CID 4031) that name no part by themselves.
VAGUE = frozenset(
    [
        "AND",
        "BODY",
        "BONE",
        "BONES",
        "DUCT",
        "ENTIRE",
        "LARGE",
        "LOWER",
        "MUSCLE",
        "OF",
        "PHANTOM",
        "REGION",
        "SMALL",
        "STRUCTURE",
        "SYSTEMS",
        "UPPER",
    ]
)


def agrees(terms: Mapping[str, Terms], label: str | None, header: Header) -> bool | None:
    """Whether header and label name the same region; None where either names none, or nothing we understand.

    `terms` says for each class which words, codes and modalities go with it. Words are looked for anywhere in what the
    header says, whatever the case, accents and punctuation, because people write "CHEST/ABD. p.v.".
    """
    said = [_plain(text) for text in header.said]
    if label is None or label not in terms or not said:
        return None
    if _names(terms[label], said):
        return header.modality in terms[label].modality or not (header.modality and terms[label].modality)
    understood = any(_names(other, said) for other in terms.values()) or any(
        _parts() & set(text.split()) for text in said
    )
    return False if understood else None


def _names(terms: Terms, said: Iterable[str]) -> bool:
    return any(f" {_plain(term)} " in f" {text} " for term in terms.body_part for text in said)


@cache
def _plain(text: str) -> str:
    ascii = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return " ".join(re.findall(r"[A-Z0-9]+", ascii.upper()))


@cache
def _parts() -> frozenset[str]:
    """KNEE, SPINE, FOOT, …: what a header can name beside the classes."""
    names = [name for name in codes.CID4031.dir() if name[0].isupper()]
    return frozenset(word.upper() for name in names for word in re.findall("[A-Z][a-z]+", name)) - VAGUE
