"""A server that answers as Orthanc 1.12 does, by its published API: with labels, and stricter about revisions."""

import json
import re
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import md5
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

LABEL = re.compile(r"[A-Za-z0-9_-]{1,64}")  # ServerToolbox::IsValidLabel
SERIES = re.compile(r"/series/(\w+)(?:/(instances|metadata|labels)(?:/([^/]+))?)?")
INSTANCE = re.compile(r"/instances/(\w+)/file")


@dataclass
class StandIn:
    """What it keeps: files by series, labels and metadata; and what it was asked."""

    files: dict[str, list[bytes]]
    labels: dict[str, set[str]] = field(default_factory=dict)
    metadata: dict[str, str] = field(default_factory=dict)
    changes: list[str] = field(default_factory=list)  # series that became stable
    odd: set[str] = field(default_factory=set)  # series of whose files it says nothing that makes sense
    sizes: dict[str, int] = field(default_factory=dict)  # by series, of files that are said to be larger than they are
    failing: str = "nothing"  # the paths, as an expression, on which it fails
    asked: list[str] = field(default_factory=list)
    address: str = ""

    def stable(self, series: str) -> None:
        self.labels.setdefault(series, set())
        self.changes.append(series)

    def get(self, path: str) -> Any:
        """What is there: JSON, text or bytes; None for nothing."""
        name, _, query = path.partition("?")
        if name == "/system":
            return {"ApiVersion": 22, "Version": "1.12.4", "HasLabels": True, "CheckRevisions": True}
        if name == "/changes":
            return self._changes(query)
        if found := INSTANCE.fullmatch(name):
            series, _, number = found[1].rpartition("i")
            return self.files[series][int(number)]
        if not (found := SERIES.fullmatch(name)):
            return None
        series, what, _ = found.groups()
        kept = {"instances": self._instances(series), "labels": sorted(self.labels[series])}
        return self.metadata.get(series) if what == "metadata" else kept.get(what)

    def _changes(self, query: str) -> dict[str, Any]:
        since = int(found[1]) if (found := re.search(r"since=(\d+)", query)) else len(self.changes)
        told = [
            {"ChangeType": "StableSeries", "ID": series, "Seq": number}
            for number, series in enumerate(self.changes, start=1)
            if number > since
        ]
        return {"Changes": told, "Last": len(self.changes), "Done": True}

    def _instances(self, series: str) -> list[dict[str, Any]]:
        return [
            {
                "ID": f"{series}i{number}",
                "FileSize": self.sizes.get(series, len(data)),
                "MainDicomTags": None if series in self.odd else {"InstanceNumber": str(number)},
            }
            for number, data in enumerate(self.files[series])
        ]

    def change(self, method: str, path: str, text: str, revision: str | None) -> int:
        """The status of a PUT or DELETE."""
        if not (found := SERIES.fullmatch(path)) or not found[3]:
            return 404
        series, what, name = found.groups()
        if what == "labels":
            if not LABEL.fullmatch(name):
                return 400
            (self.labels[series].add if method == "PUT" else self.labels[series].discard)(name)
            return 200
        if series in self.metadata and revision != etag(self.metadata[series]):
            return 409
        self.metadata[series] = text
        return 200


def etag(text: str) -> str:
    return f'"0-{md5(text.encode()).hexdigest()}"'


@contextmanager
def standing_in(files: dict[str, list[bytes]], certificate: Path | None = None) -> Iterator[StandIn]:
    """By TLS with a key and a certificate in a file."""
    kept = StandIn(files)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            kept.asked.append(self.path)
            if re.fullmatch(kept.failing, self.path):
                self._send(500, b"")
                return
            found = kept.get(self.path)
            if isinstance(found, str):
                self._send(200, found.encode(), etag(found))
            elif isinstance(found, bytes):
                self._send(200, found)
            else:
                self._send(404 if found is None else 200, json.dumps(found).encode())

        def do_PUT(self) -> None:
            kept.asked.append(self.path)
            text = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
            self._send(kept.change(self.command, self.path, text, self.headers.get("If-Match")), b"")

        def do_DELETE(self) -> None:
            self.do_PUT()

        def _send(self, status: int, data: bytes, tag: str | None = None) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            if tag:
                self.send_header("ETag", tag)
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *values: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            server.socket = context.wrap_socket(server.socket, server_side=True)
        kept.address = f"http{'s' * bool(certificate)}://127.0.0.1:{server.server_address[1]}"
        Thread(target=server.serve_forever, daemon=True).start()
        yield kept
        server.shutdown()
