"""Nothing a stranger sends, save a path of no route, and nothing written in pictures, in anything we say."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
from PIL import Image, PngImagePlugin

from tests.app.asked import raw
from tests.app.guarded import KEYS, MARKER
from tests.dicoms import dicom
from tests.hostile.case import HAND, encoded
from tests.running import Server, run


def test_a_failure_of_our_own_has_the_headers_of_every_answer(guarded: Server, stranger: httpx2.Client) -> None:
    failed = without_series(guarded, stranger, "/metrics")
    assert failed.status_code == 500
    assert failed.headers["x-request-id"] == failed.json()["request_id"]
    assert failed.headers["x-model-version"]
    assert failed.headers["x-content-type-options"] == "nosniff"
    assert "directory" not in failed.text  # as the error says that is raised


def test_nothing_a_stranger_sends_comes_back_or_stays(guarded: Server, stranger: httpx2.Client) -> None:
    stranger.headers |= HEADERS
    answers = [answer for key in (KEYS[0], f"{MARKER}-wrong") for answer in everything(stranger, {"X-API-Key": key})]
    answers.append(without_series(guarded, stranger, f"/metrics?{MARKER}={MARKER}"))
    assert {answer.status_code for answer in answers} == {200, 400, 401, 404, 405, 413, 415, 422, 500}
    told = [f"{answer.status_code} {answer.headers} {without_path(answer)}" for answer in answers]
    head = f"/{MARKER} HTTP/1.1\r\nHost: {MARKER}\r\n{MARKER}"  # a header line that is none
    told += [raw(guarded, f"{method} {head}\r\n\r\n") for method in ("GET", MARKER.upper())]
    logged = guarded.output.read_text().splitlines()
    assert len(logged) > len(answers)
    assert {line.get("logger") for line in guarded.logs()} == {None, "uvicorn.error"}  # no library speaks of content
    assert [text for text in told + logged if any(word in text.lower() for word in PLANTED)] == []
    assert any('"series":[{"indices":[0,1]' in text for text in told)


def test_classify_says_nothing_of_what_is_written_in_pictures(artifacts: Path, tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number, data in enumerate(PICTURES.values()):
        (folder / str(number)).write_bytes(data)
    done = run("app", "classify", folder, "--out", tmp_path / "table.csv", "--bundle", artifacts / "current")
    assert done.returncode == 0
    assert MARKER not in (done.stdout + done.stderr).lower()


def without_path(answer: httpx2.Response) -> str:
    """Its text; of a refusal without the path that was asked for, which it repeats."""
    return answer.text.replace(f'"instance":"{answer.request.url.path}"', "")


def without_series(server: Server, client: httpx2.Client, url: str) -> httpx2.Response:
    """Something that fails within the service, for real."""
    series = server.output.parent / "series"
    away = series.rename(series.with_name("away"))
    try:
        return client.get(url, headers={"X-API-Key": KEYS[0]})
    finally:
        away.rename(series)


ELEMENTS = ["PatientName", "PatientID", "PatientAge", "InstitutionName", "StudyDescription"]
UIDS = ["StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"]
PLANTED = MARKER, hashlib.sha256(MARKER.encode()).hexdigest()[:8]  # a hash of a UID is as good as the UID
HEADERS = {
    "User-Agent": MARKER,
    "Cookie": f"{MARKER}={MARKER}",
    "Authorization": f"Bearer {MARKER}",
    "Referer": f"https://{MARKER}.example/{MARKER}",
    "X-Forwarded-For": MARKER,
    "Forwarded": f"for={MARKER}",
    "X-Request-ID": f"{MARKER}!",  # no plain word, so not taken over
    "Origin": f"https://{MARKER}.example",
    "Accept-Language": MARKER,
    f"X-{MARKER}": MARKER,
}


def everything(client: httpx2.Client, key: dict[str, str]) -> Iterator[httpx2.Response]:
    """Every way in, each with the marker wherever a request can hold one."""
    name, query = f"{MARKER}.dcm", {MARKER: MARKER}
    for data in PICTURES.values():
        part, beside = (name, data, f"image/{MARKER}"), {MARKER: MARKER}
        yield client.post("/predict", content=data, params=query, headers=key | {"Content-Type": f"image/{MARKER}"})
        yield client.post("/predict", files={"file": part}, data=beside, headers=key)
        yield client.post("/predict", params={"frames": "all"}, files={"file": part}, headers=key)
        yield client.post("/predict/batch", files=[("files", part), ("files", part)], data=beside, headers=key)
        yield client.post("/explain", files={"file": part}, headers=key | {"Accept": f"application/json, {MARKER}/x"})
    for odd in (
        {"Content-Type": f"multipart/form-data; boundary={MARKER}"},
        {"Content-Type": f"multipart/form-data; {MARKER}={MARKER}"},
        {"Content-Type": f"multipart/form-data; boundary={MARKER}-2"},
        {"Content-Encoding": MARKER},
        {"X-Request-Timeout": MARKER},
    ):
        yield client.post("/predict", content=f"--{MARKER}\r\n{MARKER}: {MARKER}\r\n{MARKER}", headers=key | odd)
    yield client.post("/predict", files={MARKER: (name, b"x")}, headers=key)
    yield client.post("/predict", params={"frames": MARKER}, headers=key)
    yield client.post("/predict/", params=query, headers=key | {"Host": MARKER})
    yield client.get("/predict", params=query, headers=key)
    yield client.options("/predict", headers=key | {"Access-Control-Request-Method": MARKER})
    for path in (f"/{MARKER}", f"/model/{MARKER}", "/model", "/metrics", "/health", "/docs", "/openapi.json"):
        yield client.get(path, params=query, headers=key)


def pictures() -> dict[str, bytes]:
    """Sound and broken pictures with the marker wherever their formats hold text."""
    exif, texts = Image.Exif(), PngImagePlugin.PngInfo()
    exif[0x010E] = exif[0x9286] = exif[0x8298] = MARKER  # description, comment, copyright
    texts.add_text(MARKER, MARKER)
    texts.add_text("compressed", MARKER, zip=True)
    texts.add(b"iCCP", MARKER.encode() + b"\0\0broken")
    patient: dict[str, Any] = dict.fromkeys([*ELEMENTS, *UIDS], MARKER) | {"SpecificCharacterSet": "ISO_IR 100"}
    patient["PatientBirthDate"] = MARKER  # no date, so readers would complain of it
    sound = {
        "jpeg": encoded(HAND, "JPEG", exif=exif, comment=MARKER),
        "png": encoded(HAND, "PNG", pnginfo=texts, exif=exif),
        "tiff": encoded(HAND, "TIFF", tiffinfo={270: MARKER, 305: MARKER, 65000: MARKER}),
        "webp": encoded(HAND, "WEBP", exif=exif, lossless=True),
        "dicom": dicom(HAND, **patient),
        "dicom in no alphabet": dicom(HAND, **patient).replace(b"ISO_IR 100", f"{MARKER} ".encode()),
        "dicom of a float": dicom(HAND.astype(np.float32), **patient),
    }
    cut = {f"{kind}, cut": data[: len(data) * 2 // 3] for kind, data in sound.items()}
    broken = {
        "dicom in an unknown syntax": sound["dicom"].replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.9.9.9\0"),
        "dicom without a picture": dicom(HAND, **patient | {"PixelData": None}),
        "dicom of an odd number": dicom(HAND, **patient | {"PhotometricInterpretation": MARKER}),
        "too many pixels": encoded(Image.new("L", (400, 400)), "PNG", pnginfo=texts),
        "too many bytes": MARKER.encode() * 200_000,
        "text": MARKER.encode(),
        "gif": encoded(HAND, "GIF", comment=MARKER),
        "empty": b"",
    }
    return sound | cut | broken


PICTURES = pictures()
