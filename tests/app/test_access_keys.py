"""What a key opens and its lack closes, and what the settings of keys and origins may be."""

from pathlib import Path

import httpx2
import pytest

from app import settings
from app.settings import SettingsError
from tests.app.asked import INFER, assert_error, assert_problem, status, tensor
from tests.app.guarded import KEYS, MARKER
from tests.running import Server, run, serving, wait_until

OPEN = [
    "/",
    "/web/page.js",
    "/health",
    "/livez",
    "/readyz",
    "/docs",
    "/openapi.json",
    "/v2/health/live",
    "/v2/health/ready",
]
GUARDED = ["/model", "/metrics", "/predict", "/no/such/route"]


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize(("header", "before"), [("X-API-Key", ""), ("Authorization", "Bearer ")])
def test_each_key_opens_the_service(stranger: httpx2.Client, hand: bytes, key: str, header: str, before: str) -> None:
    given = {header: before + key}
    assert stranger.post("/predict", files={"file": hand}, headers=given).status_code == 200
    assert stranger.get("/model", headers=given).status_code == 200


@pytest.mark.parametrize("route", GUARDED)
@pytest.mark.parametrize("key", [None, "", "wrong", KEYS[0][:-1], KEYS[0] + "x", ",".join(KEYS)])
def test_a_missing_or_wrong_key_is_a_401_that_says_how(stranger: httpx2.Client, route: str, key: str | None) -> None:
    refused = stranger.post(route, content=b"x", headers={} if key is None else {"X-API-Key": key})
    assert_problem(refused, 401)
    assert refused.headers["www-authenticate"] == 'Bearer realm="bodyregion", ApiKey'
    assert "X-API-Key" in refused.json()["detail"]
    assert "Authorization: Bearer" in refused.json()["detail"]


def test_a_missing_key_is_a_401_of_the_protocol_too(stranger: httpx2.Client) -> None:
    for path in ("/v2", "/v2/models/mednist", "/v2/models/mednist/ready"):
        assert_error(stranger.get(path), 401)
    assert_error(stranger.post(INFER, json=tensor()), 401)


@pytest.mark.parametrize("route", OPEN)
def test_probes_and_documentation_stay_open(stranger: httpx2.Client, route: str) -> None:
    assert stranger.get(route).status_code == 200


@pytest.mark.parametrize(
    "route",
    ["/model/", "//health", "/health//", "/health/../model", "/v2/health/../../model", "/web/../model", "/HEALTH"],
)
def test_a_path_that_resembles_an_open_one_opens_nothing(guarded: Server, route: str) -> None:
    assert status(guarded, f"GET {route} HTTP/1.1\r\nHost: here\r\n\r\n") in (401, 404)


def test_a_refusal_does_not_wait_for_the_body(guarded: Server) -> None:
    head = "POST /predict HTTP/1.1\r\nHost: here\r\nContent-Type: image/png\r\nContent-Length: 900000\r\n\r\n"
    assert status(guarded, head) == 401


def test_refusals_are_counted_and_logged_as_what_they_are(guarded: Server, stranger: httpx2.Client) -> None:
    stranger.post("/predict", headers={"X-Request-ID": "no-key"})
    wait_until(lambda: ("no-key", 401) in [(line.get("id"), line.get("status")) for line in guarded.logs()])
    counted = stranger.get("/metrics", headers={"X-API-Key": KEYS[1]}).text
    assert 'bodyregion_rejections_total{reason="unauthorized"}' in counted


def test_the_documentation_says_which_routes_need_a_key(stranger: httpx2.Client, client: httpx2.Client) -> None:
    document = stranger.get("/openapi.json").json()
    told = document["components"]["securitySchemes"]
    assert told["ApiKey"] == {"type": "apiKey", "in": "header", "name": "X-API-Key"}
    assert told["Bearer"] == {"type": "http", "scheme": "bearer"}
    predict, health = document["paths"]["/predict"]["post"], document["paths"]["/health"]["get"]
    assert predict["security"] == [{"ApiKey": []}, {"Bearer": []}]
    assert "401" in predict["responses"]
    assert "security" not in health
    assert "401" not in health["responses"]
    assert "securitySchemes" not in client.get("/openapi.json").json()["components"]


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
