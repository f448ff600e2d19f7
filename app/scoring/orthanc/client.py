"""An Orthanc by its REST API, https://orthanc.uclouvain.be/api/; the one place that knows httpx2.

Nothing here asks for a patient, a study or all tags of a file: what is asked for of a series names nobody.
"""

import re
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from app.scoring import ScoringError, missing_package

try:
    import httpx2
except ImportError as error:
    raise missing_package("Following an Orthanc", "httpx2") from error

ADDRESS = re.compile(r"https?://[^/?#@\s]+(/[^?#\s]*)?")
CONNECT_SECONDS, ANSWER_SECONDS = 5.0, 60.0
IDLE_SECONDS = 0.5  # that a connection is kept: Orthanc itself closes it after one
AS_IT_IS = {"Accept-Encoding": "identity"}  # Orthanc 1.10 compresses a file of 60 MB in 3 s, and sends it in 0.06
REFUSED = {401, 403}
NOT_NOW = {429, 502, 503, 504}  # of whoever stands before it, too


class Unavailable(ScoringError):
    """The server gives no answer that one could go on with, which may pass."""


class Failed(Unavailable):
    """This request has failed; others may not."""


class Gone(Exception):
    """What was asked for is not there, or no more."""


class Changes(NamedTuple):
    """Some of what has changed, from first to last."""

    changes: list[dict[str, Any]]  # each with Seq, ChangeType and ID
    last: int  # Seq of the last of these; where there are none, of the last there was
    is_all: bool


class Value(NamedTuple):
    """Metadata as it is there."""

    text: str | None = None
    etag: str | None = None  # to be named by who replaces it, where the server checks revisions


class Orthanc:
    """Requests to a server, for several threads. Each raises Unavailable, and Gone where its resource is not there."""

    def __init__(
        self, address: str, user: str | None = None, password: Path | None = None, ca: Path | None = None
    ) -> None:
        """Raises ScoringError where the server cannot be asked. `password` and `ca` are files."""
        if not ADDRESS.fullmatch(address):
            raise ScoringError(
                "The address of an Orthanc is like http://localhost:8042; user and password are options of their own."
            )
        if (user is None) != (password is None):
            raise ScoringError("--user and --password-file belong together.")
        self.address = address
        self._client = httpx2.Client(
            base_url=address,
            auth=(user, _first_line(password)) if user and password else None,
            verify=_trusting(ca) if ca else True,
            headers=AS_IT_IS,
            timeout=httpx2.Timeout(ANSWER_SECONDS, connect=CONNECT_SECONDS),
            limits=httpx2.Limits(keepalive_expiry=IDLE_SECONDS),
        )
        system = self._of_server("/system", "ApiVersion")
        self.has_labels = bool(system.get("HasLabels"))  # from 1.12 on, save on databases that cannot keep them

    def changes(self, since: int, limit: int) -> Changes:
        found = self._of_server("/changes", "Changes", "Last", "Done", since=since, limit=limit)
        return Changes(found["Changes"], found["Last"], found["Done"])

    def last_change(self) -> int:
        return int(self._of_server("/changes?last", "Last")["Last"])

    def instances(self, series: str) -> list[dict[str, Any]]:
        """Those of a series, each with ID, FileSize and the MainDicomTags of its level, such as its position."""
        return list(self._json(f"/series/{series}/instances", expand="true"))

    def settled_series(self, instance: str) -> str | None:
        """The series of an instance; None while more of it may be on its way."""
        series = str(self._json(f"/instances/{instance}")["ParentSeries"])
        return series if self._json(f"/series/{series}")["IsStable"] else None

    def file(self, instance: str) -> bytes:
        """A DICOM."""
        data = bytearray()  # thousands of chunks, kept until they are joined, would leave their memory in pieces
        with self._asking("GET"), self._client.stream("GET", f"/instances/{instance}/file") as response:
            for chunk in self._sound(response).iter_raw():
                data += chunk
        return bytes(data)

    def metadata(self, series: str, number: int) -> Value:
        response = self._answer("GET", f"/series/{series}/metadata/{number}")
        if response.status_code == httpx2.codes.NOT_FOUND:
            return Value()
        return Value(self._sound(response).text, response.headers.get("ETag"))

    def set_metadata(self, series: str, number: int, text: str, before: Value) -> None:
        headers = {"If-Match": before.etag} if before.etag else {}
        self._sound(self._answer("PUT", f"/series/{series}/metadata/{number}", content=text, headers=headers))

    def labels(self, series: str) -> set[str]:
        return set(self._json(f"/series/{series}/labels"))

    def set_label(self, series: str, label: str, present: bool) -> None:
        self._sound(self._answer("PUT" if present else "DELETE", f"/series/{series}/labels/{label}"))

    def _of_server(self, path: str, *names: str, **parameters: int) -> dict[str, Any]:
        """What every Orthanc has there, with these names."""
        try:
            found = self._json(path, **parameters)
        except Gone as error:
            raise self._no_orthanc() from error
        if not isinstance(found, dict) or not found.keys() >= {*names}:
            raise self._no_orthanc()
        return found

    def _json(self, path: str, **parameters: str | int) -> Any:
        try:
            return self._sound(self._answer("GET", path, params=parameters or None)).json()
        except ValueError as error:
            raise self._no_orthanc() from error

    def _answer(self, method: str, path: str, **more: Any) -> httpx2.Response:
        with self._asking(method):
            return self._client.request(method, path, **more)

    @contextmanager
    def _asking(self, method: str) -> Iterator[None]:
        try:
            yield
        except httpx2.ReadTimeout as error:
            raise Failed(f"{self.address} gives no answer to a {method} within {ANSWER_SECONDS:.0f} s.") from error
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            raise Unavailable(f"{self.address} gives no answer: {str(error) or type(error).__name__}.") from error

    def _sound(self, response: httpx2.Response) -> httpx2.Response:
        if response.status_code == httpx2.codes.NOT_FOUND:
            raise Gone
        if response.status_code in REFUSED:
            raise Unavailable(f"{self.address} refuses this user or password, or what this user may do.")
        if not response.is_success:
            kind = Unavailable if response.status_code in NOT_NOW else Failed
            raise kind(f"{self.address} answers a {response.request.method} with status {response.status_code}.")
        return response

    def _no_orthanc(self) -> Unavailable:
        return Unavailable(f"What answers at {self.address} is no Orthanc.")


def _first_line(path: Path) -> str:
    try:
        return path.read_text().splitlines()[0].strip()
    except (OSError, ValueError, IndexError) as error:
        raise ScoringError(f"There is no password in {path} that can be read.") from error


def _trusting(ca: Path) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca)
    except (OSError, ssl.SSLError) as error:
        raise ScoringError(f"There are no certificates in {ca} that can be read.") from error
