"""A file, or a member of an archive: what the table calls it, and its bytes."""

import os
import re
from collections.abc import Collection
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from app.scoring import archives
from app.scoring.containers import DAMAGED_MEMBER, MAX_FILE_BYTES, TOO_LARGE, Fault

CONTROL_CHARACTER = re.compile(r"[\x00-\x1f\x7f]")

NOT_OPENED = Fault("The file cannot be read.")


class Unreadable(Exception):
    """A file or member that gives no bytes; the message is one plain sentence."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.sentence)
        self.kind = fault.kind


@dataclass(frozen=True, slots=True)
class File:
    """A file, or a member of an archive."""

    path: Path
    member: str | None = None
    places: tuple[int, ...] = ()  # of the member, as archives.read takes them
    fault: Fault | None = None  # why it cannot be read, where that is known
    frames: Collection[int] = ()  # of an enhanced DICOM: which to judge beside the middle one
    content: bytes | None = field(default=None, repr=False)  # of a member that was read before

    @property
    def name(self) -> str:
        """What the table calls it: the path, and a member's path below that of its archive, in printable letters."""
        name = os.fsencode(self.path if self.member is None else f"{self.path}/{self.member}")
        text = name.decode("utf-8", "backslashreplace")
        return CONTROL_CHARACTER.sub(lambda found: f"\\x{ord(found[0]):02x}", text)

    @property
    def is_packed(self) -> bool:
        """Whether going back to it means to unpack its archive from the start."""
        return bool(self.places) and archives.is_packed(self.path)

    def read(self) -> bytes:
        """The file's bytes. Raises Unreadable, also where there are more than MAX_FILE_BYTES."""
        if self.content is not None:
            return self.content
        if self.fault:
            raise Unreadable(self.fault)
        try:
            if self.places:
                data = archives.read(self.path, self.places)
            else:
                with open(self.path, "rb", buffering=0) as plain:  # noqa: PTH123 Path.open takes longer than a small file
                    fits = os.fstat(plain.fileno()).st_size <= MAX_FILE_BYTES
                    data = plain.read() if fits else plain.read(MAX_FILE_BYTES + 1)
        except Exception as error:  # archives fail in as many ways as pictures
            raise Unreadable(DAMAGED_MEMBER if self.places else NOT_OPENED) from error
        if len(data) > MAX_FILE_BYTES:
            raise Unreadable(TOO_LARGE)
        return data

    def open(self) -> BinaryIO:
        """The file, for a look at its beginning. Raises Unreadable."""
        if self.fault or self.places:
            return BytesIO(self.read())
        try:
            return self.path.open("rb")
        except OSError as error:
            raise Unreadable(NOT_OPENED) from error
