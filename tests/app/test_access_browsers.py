"""What browsers may ask for from other origins, and what they are told not to do."""

import httpx2
import pytest

from tests.app.guarded import ORIGIN


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


PAGES = ["/", "/docs", "/web/page.js"]


@pytest.mark.parametrize("route", ["/health", "/model", "/metrics", "/openapi.json", "/predict", "/nowhere", *PAGES])
def test_browsers_are_told_to_run_only_ours_keep_nothing_and_tell_nobody(client: httpx2.Client, route: str) -> None:
    headers = client.get(route).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cache-control"] == ("no-cache" if route in PAGES else "no-store")
    policy = headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; frame-ancestors 'none'")
    assert ("script-src 'self';" in policy) == (route in PAGES)
    assert "unsafe" not in policy
    assert "http" not in policy
