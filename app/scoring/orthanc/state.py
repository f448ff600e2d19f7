"""How far `follow` has come, on disk."""

import json
import os
import re
from pathlib import Path

from app.scoring import ScoringError
from app.scoring.table import written_whole


class State:
    """The last change that was dealt with, in a file. Raises ScoringError where that is something else."""

    def __init__(self, path: Path, keep: bool) -> None:
        self._path, self._keep = path, keep
        try:
            self.last = int(json.loads(path.read_text())["last"]) if path.exists() else 0
        except (ValueError, TypeError, KeyError) as error:
            raise ScoringError(f"{path} is no state of an earlier run; choose another --state.") from error
        if keep:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._write()

    def set(self, last: int) -> None:
        if last != self.last:
            self.last = last
            if self._keep:
                self._write()

    def _write(self) -> None:
        with written_whole(self._path) as part, part.open("w") as file:
            json.dump({"last": self.last}, file)
            file.flush()
            os.fsync(file.fileno())


def default_state(address: str) -> Path:
    """A file of this user's own for each server. Raises ScoringError for a user without a home."""
    try:
        folder = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state")
    except RuntimeError as error:
        raise ScoringError("There is no home folder to keep the state in; name a file with --state.") from error
    name = re.sub(r"[^A-Za-z0-9.]+", "-", address.partition("://")[2]).strip("-")
    return folder / "bodyregion" / f"follow-{name}.json"
