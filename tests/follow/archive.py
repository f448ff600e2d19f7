"""A real Orthanc, and `python -m app follow` beside it."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.app.slices import drawn, placed
from tests.running import COMMITTED, free_port, run, start, wait_until

NUMBER = 4200
Answer = dict[str, Any]


class Archive:
    """An Orthanc with its own folder, which a kill leaves as it is; a series is stable after a second."""

    def __init__(self, folder: Path, **settings: object) -> None:
        self._program = shutil.which("Orthanc", path=f"{os.environ['PATH']}:/usr/sbin")
        if self._program is None:
            pytest.skip("Orthanc is not installed, so there is nothing to follow")
        self._folder = folder
        self.port, self.dicom_port, self.state = free_port(), free_port(), folder / "state.json"
        folder.mkdir(exist_ok=True)
        self._write(HttpPort=self.port, DicomPort=self.dicom_port, StableAge=1, **settings)
        self.process: subprocess.Popen[bytes] | None = None
        self._following: list[subprocess.Popen[bytes]] = []
        self.client = httpx2.Client(base_url=self.address, timeout=30, auth=("reader", "secret"))

    def _write(self, **settings: object) -> None:
        folders = {"StorageDirectory": str(self._folder / "stored"), "IndexDirectory": str(self._folder / "stored")}
        closed = {"RemoteAccessAllowed": False, "AuthenticationEnabled": False, "Plugins": []}
        (self._folder / "orthanc.json").write_text(json.dumps(folders | closed | settings))

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        with (self._folder / "orthanc.log").open("ab") as log:
            command = [str(self._program), str(self._folder / "orthanc.json")]
            self.process = subprocess.Popen(command, stdout=log, stderr=log)
        wait_until(self._answers)

    def _answers(self) -> bool:
        try:
            return self.client.get("/system").is_success
        except httpx2.HTTPError:
            return False

    @property
    def has_labels(self) -> bool:
        return bool(self.client.get("/system").json().get("HasLabels"))

    def kill(self) -> None:
        if self.process:
            self.process.kill()
            self.process.wait()

    def store(self, kinds: Sequence[str], series: str, first: int = 1, **header: Any) -> str:
        """Slices of these kinds over REST; the server's name of the series."""
        for number, pixels in enumerate(drawn(kinds), start=first):
            said = {"InstanceNumber": number, "SOPInstanceUID": f"{series}.{number}", "PatientID": "1", **header}
            self.post(placed(pixels, series, number, **said))
        return self.named(series)

    def post(self, data: bytes) -> None:
        self.client.post("/instances", content=data).raise_for_status()

    def named(self, series: str) -> str:
        [name] = self.client.post("/tools/lookup", content=series).json()
        return str(name["ID"])

    def text(self, name: str) -> str:
        """What is written to a series; nothing where there is nothing yet."""
        return self.client.get(f"/series/{name}/metadata/{NUMBER}").text

    def answer(self, name: str) -> Answer:
        """As soon as it is there."""
        wait_until(lambda: bool(self.text(name)))
        return dict(json.loads(self.text(name)))

    def changes(self, kind: str, name: str | None = None) -> list[datetime]:
        """When there were some of this kind, of all series or one."""
        found = self.client.get("/changes", params={"limit": 100_000}).json()["Changes"]
        return [
            datetime.strptime(each["Date"], "%Y%m%dT%H%M%S")
            for each in found
            if each["ChangeType"] == kind and each["ID"] == (name or each["ID"])
        ]

    def delay(self, name: str) -> timedelta:
        """From when a series became stable to its answer."""
        return self.changes("UpdatedMetadata", name)[0] - self.changes("StableSeries", name)[0]

    def arguments(self, *more: str | Path) -> list[str | Path]:
        return ["app", "follow", self.address, "--bundle", COMMITTED, "--state", self.state, *more]

    def follow_once(self, *more: str | Path) -> subprocess.CompletedProcess[str]:
        """To its end."""
        return run(*self.arguments("--once", *more))

    def follow(self, *more: str | Path) -> subprocess.Popen[bytes]:
        """Left running; its log is beside the server's."""
        self._following.append(start(*self.arguments(*more), output=self._folder / "follow.log"))
        return self._following[-1]

    def close(self) -> None:
        """Leave nothing running."""
        for following in self._following:
            following.kill()
            following.wait()
        self.kill()
        self.client.close()

    def log(self) -> str:
        return (self._folder / "follow.log").read_text()

    def wait_for_stable(self, count: int) -> None:
        wait_until(lambda: len(self.changes("StableSeries")) >= count)


@contextmanager
def running(folder: Path, **settings: object) -> Iterator[Archive]:
    """An archive that is there, and gone with all that followed it."""
    with closing(Archive(folder, **settings)) as archive:
        archive.start()
        yield archive
