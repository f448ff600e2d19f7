"""Keys, origins, what browsers are told, and nothing a stranger sends in anything we say."""

import io
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from app import settings
from app.model import bundle
from app.settings import SettingsError
from tests.dicoms import dicom
from tests.running import Server, run, serving, wait_until
from training import phantoms

MARKER = "zebrafish"  # in everything planted
KEYS = [f"{MARKER}-key-one", f"{MARKER}-key-two"]
ORIGIN = "https://viewer.example.org"
OPEN = ["/health", "/livez", "/readyz", "/docs", "/openapi.json"]
GUARDED = ["/model", "/metrics", "/predict", "/no/such/route"]
PICTURE = phantoms.draw("Hand", np.random.default_rng(12345))


@pytest.fixture(scope="module", params=[1, 2], ids=["one worker", "two workers"])
def guarded(
    request: pytest.FixtureRequest, artifacts: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """A server with keys from a file, one foreign origin, and a bundle of its own, telling all it can."""
    base = tmp_path_factory.mktemp("guarded")
    shutil.copytree((artifacts / "current").resolve(), base / "bundle")
    (base / "keys").write_text("\n".join(KEYS) + "\n")
    chosen = {
        "BODYREGION_API_KEYS": str(base / "keys"),
        "BODYREGION_CORS_ORIGINS": ORIGIN,
        "BODYREGION_LOG_LEVEL": "debug",
        "BODYREGION_MAX_PIXELS": "100000",
        "BODYREGION_MAX_UPLOAD_BYTES": "1000000",
        "BODYREGION_WORKERS": str(request.param),
    }
    with serving(base / "bundle", base / "log", **chosen) as started:
        yield started


@pytest.fixture
def stranger(guarded: Server) -> Iterator[httpx2.Client]:
    with guarded.client() as opened:
        yield opened


@pytest.mark.parametrize("key", KEYS)
def test_each_key_opens_the_service(stranger: httpx2.Client, hand: bytes, key: str) -> None:
    assert stranger.post("/predict", files={"file": hand}, headers={"X-API-Key": key}).status_code == 200
    assert stranger.get("/model", headers={"X-API-Key": key}).status_code == 200


@pytest.mark.parametrize("route", GUARDED)
@pytest.mark.parametrize("key", [None, "", "wrong", KEYS[0][:-1], KEYS[0] + "x", ",".join(KEYS)])
def test_a_missing_or_wrong_key_is_a_401_that_says_how(stranger: httpx2.Client, route: str, key: str | None) -> None:
    refused = stranger.post(route, content=b"x", headers={} if key is None else {"X-API-Key": key})
    assert refused.status_code == 401
    assert refused.headers["www-authenticate"] == "ApiKey"
    assert refused.headers["content-type"] == "application/problem+json"
    assert "X-API-Key" in refused.json()["detail"]
    assert refused.headers["x-request-id"] == refused.json()["request_id"]


@pytest.mark.parametrize("route", OPEN)
def test_probes_and_documentation_stay_open(stranger: httpx2.Client, route: str) -> None:
    assert stranger.get(route).status_code == 200


@pytest.mark.parametrize("route", ["/health/", "//health", "/health/../model", "/v2/health/../../model", "/HEALTH"])
def test_a_path_that_resembles_an_open_one_opens_nothing(guarded: Server, route: str) -> None:
    assert _status(guarded, f"GET {route} HTTP/1.1\r\nHost: here\r\n\r\n") in (401, 404)


def test_a_refusal_does_not_wait_for_the_body(guarded: Server) -> None:
    head = "POST /predict HTTP/1.1\r\nHost: here\r\nContent-Type: image/png\r\nContent-Length: 900000\r\n\r\n"
    assert _status(guarded, head) == 401


def test_refusals_are_counted_and_logged_as_what_they_are(guarded: Server, stranger: httpx2.Client) -> None:
    stranger.post("/predict", headers={"X-Request-ID": "no-key"})
    wait_until(lambda: ("no-key", 401) in [(line.get("id"), line.get("status")) for line in guarded.logs()])
    counted = stranger.get("/metrics", headers={"X-API-Key": KEYS[1]}).text
    assert 'bodyregion_rejections_total{reason="unauthorized"}' in counted


def test_the_documentation_says_which_routes_need_a_key(stranger: httpx2.Client, client: httpx2.Client) -> None:
    document = stranger.get("/openapi.json").json()
    assert document["components"]["securitySchemes"]["ApiKey"] == {
        "type": "apiKey",
        "in": "header",
        "name": "X-API-Key",
    }
    predict, health = document["paths"]["/predict"]["post"], document["paths"]["/health"]["get"]
    assert predict["security"] == [{"ApiKey": []}]
    assert "401" in predict["responses"]
    assert "security" not in health
    assert "401" not in health["responses"]
    assert "securitySchemes" not in client.get("/openapi.json").json()["components"]


def test_a_configured_origin_may_ask_and_read(stranger: httpx2.Client) -> None:
    asks = {"Origin": ORIGIN, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "x-api-key"}
    leave = stranger.options("/predict", headers=asks)
    assert leave.status_code == 200
    assert leave.headers["access-control-allow-origin"] == ORIGIN
    read = stranger.get("/model", headers={"Origin": ORIGIN})
    assert (read.status_code, read.headers["access-control-allow-origin"]) == (401, ORIGIN)
    assert read.headers["access-control-expose-headers"] == "X-Request-ID, X-Model-Version, Server-Timing"


def test_no_other_origin_may(stranger: httpx2.Client, client: httpx2.Client) -> None:
    asks = {"Origin": "https://elsewhere.example", "Access-Control-Request-Method": "POST"}
    for asked in (stranger, client):
        refused = asked.options("/predict", headers=asks)
        assert refused.status_code in (400, 405)
        assert "access-control-allow-origin" not in refused.headers


@pytest.mark.parametrize("route", ["/health", "/model", "/metrics", "/openapi.json", "/predict", "/nowhere", "/docs"])
def test_browsers_are_told_to_run_nothing_keep_nothing_and_tell_nobody(client: httpx2.Client, route: str) -> None:
    headers = client.get(route).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cache-control"] == "no-store"
    policy = headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; frame-ancestors 'none'")
    assert ("script-src" in policy) == (route == "/docs")


def test_a_failure_of_our_own_has_the_headers_of_every_answer(guarded: Server, stranger: httpx2.Client) -> None:
    failed = _without_card(guarded, stranger, "/model")
    assert failed.status_code == 500
    assert failed.headers["x-request-id"] == failed.json()["request_id"]
    assert failed.headers["x-model-version"]
    assert failed.headers["x-content-type-options"] == "nosniff"
    assert "MODEL_CARD" not in failed.text


def test_nothing_a_stranger_sends_comes_back_or_stays(guarded: Server, stranger: httpx2.Client) -> None:
    stranger.headers |= HEADERS
    answers = [answer for key in (KEYS[0], f"{MARKER}-wrong") for answer in _everything(stranger, {"X-API-Key": key})]
    answers.append(_without_card(guarded, stranger, f"/model?{MARKER}={MARKER}"))
    assert {answer.status_code for answer in answers} == {200, 400, 401, 404, 405, 413, 415, 422, 500}
    told = [f"{answer.status_code} {answer.headers} {answer.text}" for answer in answers]
    head = f"/{MARKER} HTTP/1.1\r\nHost: {MARKER}\r\n{MARKER}"  # a header line that is none
    told += [_raw(guarded, f"{method} {head}\r\n\r\n") for method in ("GET", MARKER.upper())]
    logged = guarded.output.read_text().splitlines()
    assert len(logged) > len(answers)
    assert {line.get("logger") for line in guarded.logs()} == {None, "uvicorn.error"}  # no library speaks of content
    assert [text for text in told + logged if MARKER in text.lower()] == []


def test_classify_says_nothing_of_what_is_written_in_pictures(artifacts: Path, tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number, data in enumerate(PICTURES.values()):
        (folder / str(number)).write_bytes(data)
    done = run("app", "classify", folder, "--out", tmp_path / "table.csv", "--bundle", artifacts / "current")
    assert done.returncode == 0
    assert MARKER not in (done.stdout + done.stderr).lower()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("API_KEYS", ""),
        ("API_KEYS", " , "),
        ("API_KEYS", f"/{MARKER}/{MARKER}"),
        ("API_KEYS", "/dev/null"),
        ("API_KEYS", "./"),
        ("CORS_ORIGINS", ""),
        ("CORS_ORIGINS", MARKER),
        ("CORS_ORIGINS", f"https://{MARKER}.org/"),
    ],
)
def test_a_setting_that_cannot_be_meant_is_refused_unquoted(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"BODYREGION_{name}", value)
    with pytest.raises(SettingsError, match=rf"^BODYREGION_{name}: .*\w\.$") as refused:
        settings.load()
    assert MARKER not in str(refused.value)


def test_an_unreadable_secrets_file_ends_the_start_with_code_2() -> None:
    done = run("app", "serve", BODYREGION_API_KEYS=f"./{MARKER}")
    assert done.returncode == 2
    assert done.stderr.startswith("error: BODYREGION_API_KEYS: ")
    assert len(done.stderr.splitlines()) == 1
    assert MARKER not in done.stderr


def test_keys_show_in_no_representation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BODYREGION_API_KEYS", ",".join(KEYS))
    assert MARKER not in f"{settings.load()!r} {settings.load().model_dump_json()}"


@pytest.mark.parametrize(
    ("host", "keys", "warned"),
    [
        ("127.0.0.1", None, False),
        ("127.0.0.9", None, False),
        ("::1", None, False),
        ("localhost", None, False),
        ("0.0.0.0", None, True),
        ("::", None, True),
        ("10.1.2.3", None, True),
        ("some-host", None, True),
        ("0.0.0.0", "key", False),
    ],
)
def test_only_an_address_that_others_reach_is_unguarded_without_a_key(
    host: str, keys: str | None, warned: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BODYREGION_HOST", host)
    if keys:
        monkeypatch.setenv("BODYREGION_API_KEYS", keys)
    assert settings.load().unguarded is warned


@pytest.mark.parametrize("workers", ["1", "2"])
def test_listening_to_others_without_a_key_is_warned_of_once(artifacts: Path, tmp_path: Path, workers: str) -> None:
    chosen = {"BODYREGION_HOST": "0.0.0.0", "BODYREGION_WORKERS": workers}
    with serving(artifacts / "current", tmp_path / "log", **chosen) as open_to_all:
        [warning] = [line for line in open_to_all.logs() if line["level"] == "warning"]
    assert "BODYREGION_API_KEYS" in warning["event"]


def test_listening_to_oneself_is_not_warned_of(server: Server) -> None:
    assert [line for line in server.logs() if "BODYREGION_API_KEYS" in line["event"]] == []


def _status(server: Server, request: str) -> int:
    return int(_raw(server, request).split()[1])


def _raw(server: Server, request: str) -> str:
    """What comes back first for these very bytes."""
    host, port = server.address.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(request.encode())
        return connection.recv(65536).decode("latin-1")


def _without_card(server: Server, client: httpx2.Client, url: str) -> httpx2.Response:
    """Something that fails within the service, for real."""
    [card] = server.output.parent.glob(f"bundle/{bundle.CARD}")
    content = card.read_bytes()
    card.unlink()
    try:
        return client.get(url, headers={"X-API-Key": KEYS[0]})
    finally:
        card.write_bytes(content)


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


def _everything(client: httpx2.Client, key: dict[str, str]) -> Iterator[httpx2.Response]:
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


def _encoded(format: str, picture: Image.Image | None = None, **more: object) -> bytes:
    file = io.BytesIO()
    (picture or Image.fromarray(PICTURE)).save(file, format, **more)
    return file.getvalue()


def _pictures() -> dict[str, bytes]:
    """Sound and broken pictures with the marker wherever their formats hold text."""
    exif, texts = Image.Exif(), PngImagePlugin.PngInfo()
    exif[0x010E] = exif[0x9286] = exif[0x8298] = MARKER  # description, comment, copyright
    texts.add_text(MARKER, MARKER)
    texts.add_text("compressed", MARKER, zip=True)
    texts.add(b"iCCP", MARKER.encode() + b"\0\0broken")
    patient: dict[str, Any] = {
        "PatientName": MARKER,
        "PatientID": MARKER,
        "PatientBirthDate": MARKER,  # no date, so readers would complain of it
        "PatientAge": MARKER,
        "InstitutionName": MARKER,
        "StudyDescription": MARKER,
        "StudyInstanceUID": MARKER,
        "SpecificCharacterSet": "ISO_IR 100",
        "WindowCenter": None,
    }
    sound = {
        "jpeg": _encoded("JPEG", exif=exif, comment=MARKER),
        "png": _encoded("PNG", pnginfo=texts, exif=exif),
        "tiff": _encoded("TIFF", tiffinfo={270: MARKER, 305: MARKER, 65000: MARKER}),
        "webp": _encoded("WEBP", exif=exif, lossless=True),
        "dicom": dicom(PICTURE, **patient),
        "dicom in no alphabet": dicom(PICTURE, **patient).replace(b"ISO_IR 100", f"{MARKER} ".encode()),
        "dicom of a float": dicom(PICTURE.astype(np.float32), **patient),
    }
    cut = {f"{kind}, cut": data[: len(data) * 2 // 3] for kind, data in sound.items()}
    return (
        sound
        | cut
        | {
            "dicom in an unknown syntax": sound["dicom"].replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.9.9.9\0"),
            "dicom without a picture": dicom(PICTURE, **patient | {"PixelData": None}),
            "dicom of an odd number": dicom(PICTURE, **patient | {"PhotometricInterpretation": MARKER}),
            "too many pixels": _encoded("PNG", Image.new("L", (400, 400)), pnginfo=texts),
            "too many bytes": MARKER.encode() * 200_000,
            "text": MARKER.encode(),
            "gif": _encoded("GIF", comment=MARKER),
            "empty": b"",
        }
    )


PICTURES = _pictures()
