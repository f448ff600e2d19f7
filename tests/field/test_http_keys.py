"""Keys as other people's clients send them: Authorization: Bearer, RFC 6750, is what most of them know."""

from collections.abc import Iterator

import httpx2
import pytest

from tests.app.asked import assert_error, assert_problem
from tests.app.guarded import KEYS, ORIGIN
from tests.running import COMMITTED, Server, serving


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    log = tmp_path_factory.mktemp("guarded") / "log"
    with serving(COMMITTED, log, BODYREGION_API_KEYS=",".join(KEYS), BODYREGION_CORS_ORIGINS=ORIGIN) as started:
        yield started
        assert not [key for key in KEYS if key in started.output.read_text()]


@pytest.fixture
def stranger(guarded: Server) -> Iterator[httpx2.Client]:
    with guarded.client() as opened:
        yield opened


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": f"Bearer {KEYS[0]}"},
        {"Authorization": f"bearer {KEYS[1]}"},
        {"Authorization": f"BEARER   {KEYS[1]}"},
        {"X-API-Key": KEYS[0], "Authorization": f"Bearer {KEYS[1]}"},
        {"X-API-Key": KEYS[0], "Authorization": "Basic dXNlcjpwYXNzd29yZA=="},  # a proxy's own
        {"X-API-Key": KEYS[0], "Authorization": "Bearer another"},
        {"X-API-Key": "another", "Authorization": f"Bearer {KEYS[1]}"},
    ],
)
def test_a_key_is_taken_as_a_bearer_too_and_one_right_key_is_enough(
    stranger: httpx2.Client, headers: dict[str, str]
) -> None:
    assert stranger.get("/model", headers=headers).status_code == 200
    assert stranger.head("/model", headers=headers).status_code == 200


@pytest.mark.parametrize(
    "given",
    [
        *("Bearer", "Bearer another", f"Bearer {KEYS[0]}x", f"Bearer {','.join(KEYS)}", f"Bearer{KEYS[0]}"),
        *(KEYS[0], f"Basic {KEYS[0]}", f"Token {KEYS[0]}", f"Bearer Bearer {KEYS[0]}", f"ApiKey {KEYS[0]}"),
    ],
)
def test_no_other_authorization_opens_anything(stranger: httpx2.Client, given: str) -> None:
    refused = stranger.get("/model", headers={"Authorization": given})
    assert_problem(refused, 401)
    assert refused.headers["www-authenticate"].startswith("Bearer ")
    assert "Authorization: Bearer" in refused.json()["detail"]
    assert_error(stranger.get("/v2", headers={"Authorization": given}), 401)
    assert stranger.head("/model", headers={"Authorization": given}).status_code == 401


def test_pages_elsewhere_may_send_a_bearer_and_ask_for_a_head(stranger: httpx2.Client) -> None:
    asks = {"Origin": ORIGIN, "Access-Control-Request-Headers": "authorization"}
    for method in ("POST", "HEAD"):
        leave = stranger.options("/predict", headers=asks | {"Access-Control-Request-Method": method})
        assert leave.status_code == 200
        assert "Authorization" in leave.headers["access-control-allow-headers"]
