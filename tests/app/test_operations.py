"""Starting, being watched, and leaving, as an orchestrator sees it."""

import subprocess
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import httpx2
import pytest

from app.model import bundle
from tests.app.asked import assert_error, assert_problem
from tests.app.test_workers import asking
from tests.bundles import flip
from tests.conftest import KINDS
from tests.running import ROOT, Server, run, serving, wait_until


def test_health_says_ok_and_which_model(client: httpx2.Client, artifacts: Path) -> None:
    version = bundle.read(artifacts / "current").manifest.version
    for route in ("/health", "/readyz"):
        answer = client.get(route)
        assert answer.status_code == 200
        assert answer.json()["status"] == "ok"
        assert answer.json()["model"]["version"] == version
    assert client.get("/livez").json() == {"status": "ok"}


def test_model_describes_itself(client: httpx2.Client) -> None:
    model = client.get("/model").json()
    assert model["classes"] == KINDS
    assert model["input"] == {"size": 32, "channels": 1, "resample": "squash-box"}
    assert model["training"]["preset"] == "article"
    assert model["metrics"]["test_accuracy"]["n"] > 0
    assert model["card"].startswith("# mednist")


def test_metrics_count_by_route_template_and_label(client: httpx2.Client, hand: bytes) -> None:
    client.post("/predict", files={"file": hand})
    client.get("/some/strangers/text")
    text = client.get("/metrics").text
    assert 'bodyregion_http_requests_total{method="POST",route="/predict",status="200"}' in text
    assert 'bodyregion_predictions_total{label="Hand"}' in text
    assert "strangers" not in text


NOWHERE = "There is nothing at this path; /docs lists the paths there are."
ANOTHER_METHOD = "This path does not take this method; the header Allow names those it takes."


@pytest.mark.parametrize(
    ("method", "path", "status", "sentence", "instance"),
    [
        ("GET", "/nowhere/a%20%22b%22?c=d", 404, NOWHERE, "/nowhere/a%20%22b%22"),
        ("POST", "/predict//", 404, NOWHERE, "/predict//"),
        ("GET", "/docs/", 404, NOWHERE, "/docs/"),  # its links would lead nowhere
        ("GET", f"/{'long' * 1000}", 404, NOWHERE, f"/{'long' * 1000}"[:1024]),
        ("GET", "/predict", 405, ANOTHER_METHOD, "/predict"),
        ("DELETE", "/health/", 405, ANOTHER_METHOD, "/health"),
    ],
)
def test_a_path_or_a_method_there_is_not_is_told_in_a_sentence(
    client: httpx2.Client, method: str, path: str, status: int, sentence: str, instance: str
) -> None:
    answer = client.request(method, path)
    assert_problem(answer, status)
    assert (answer.json()["detail"], answer.json()["instance"]) == (sentence, instance)
    assert ("allow" in answer.headers) == (status == 405)


@pytest.mark.parametrize("path", ["/health", "/livez", "/readyz", "/model", "/metrics", "/openapi.json", "/v2"])
def test_a_slash_behind_a_path_changes_nothing(client: httpx2.Client, path: str) -> None:
    assert client.get(path).status_code == client.get(f"{path}/").status_code == 200


def test_a_slash_behind_a_route_that_judges_changes_nothing(client: httpx2.Client, hand: bytes) -> None:
    for path, field in (("/predict", "file"), ("/predict/batch", "files"), ("/thumbnail", "file")):
        plain, slashed = (client.post(asked, files={field: hand}) for asked in (path, f"{path}/"))
        assert (slashed.status_code, slashed.content) == (200, plain.content)
    text = client.get("/metrics").text
    assert 'route="/predict"' in text
    assert 'route="/predict/"' not in text


def test_the_documentation_page_lists_every_route(client: httpx2.Client) -> None:
    assert client.get("/docs").status_code == 200
    paths = client.get("/openapi.json").json()["paths"]
    assert set(paths) >= {"/predict", "/predict/batch", "/health", "/livez", "/readyz", "/model", "/metrics"}


def test_logs_are_json(server: Server, client: httpx2.Client, hand: bytes) -> None:
    client.post("/predict", files={"file": hand}, headers={"X-Request-ID": "find-me"})
    wait_until(lambda: "find-me" in server.output.read_text())
    [line] = [line for line in server.logs() if line.get("id") == "find-me"]
    assert (line["route"], line["status"]) == ("/predict", 200)


def test_a_refusal_is_logged_with_its_reason_and_its_sentence(server: Server, client: httpx2.Client) -> None:
    refused = {
        ("POST", "/predict", 415, "unknown type"): client.post("/predict", content=b"\0"),
        ("POST", "/predict", 422, "unusable"): client.post("/predict", content=b""),
        ("GET", "/predict", 405, "method not allowed"): client.get("/predict"),
        ("GET", "unknown", 404, "not found"): client.get("/some/strangers/text"),
        ("OTHER", "/predict", 405, "method not allowed"): client.request("PROPFIND", "/predict"),
        ("GET", "/v2/models/{name}", 404, "not found"): client.get("/v2/models/none"),
    }
    wait_until(lambda: refused_ids(refused.values()) <= {line.get("id") for line in server.logs()})
    lines = {line.get("id"): line for line in server.logs()}
    for told, answer in refused.items():
        line = lines[answer.headers["x-request-id"]]
        assert (line["method"], line["route"], line["status"], line["reason"]) == told
        assert line["detail"] in answer.json().values()
    assert "strangers" not in server.output.read_text()


def refused_ids(answers: Iterable[httpx2.Response]) -> set[str]:
    return {answer.headers["x-request-id"] for answer in answers}


def rewrite(folder: Path, old: str, new: str) -> None:
    manifest = folder / bundle.MANIFEST
    manifest.write_text(manifest.read_text().replace(old, new, 1))


def let_drift(folder: Path) -> None:
    """Another golden answer, properly sealed."""
    manifest = bundle.read(folder).manifest
    first, *others = manifest.golden
    turned = first.model_copy(update={"probabilities": first.probabilities[::-1]})
    bundle.seal(folder, manifest.model_copy(update={"golden": [turned, *others]}))


@pytest.mark.parametrize(
    ("spoil", "workers", "words"),
    [
        pytest.param(lambda folder: flip(folder / bundle.MODEL), "1", "was altered", id="altered model"),
        pytest.param(lambda folder: rewrite(folder, '"classes":', ""), "1", "is not valid", id="invalid manifest"),
        pytest.param(
            lambda folder: rewrite(folder, '"Hand"', '"Hand","Foot"'), "1", "4 probabilities", id="other classes"
        ),
        pytest.param(let_drift, "1", "drifts", id="another answer"),
        pytest.param(let_drift, "2", "drifts", id="another answer, for two workers"),
    ],
)
def test_a_bundle_that_cannot_be_trusted_ends_the_service_with_code_3(
    root: Path, spoil: Callable[[Path], None], workers: str, words: str
) -> None:
    spoil(root / "current")
    done = run("app", "serve", "--bundle", root / "current", "--port", "0", "--workers", workers)
    assert done.returncode == 3
    [sentence] = {line for line in done.stderr.splitlines() if line.startswith("error: ")}  # each worker says it
    assert words in sentence
    assert sentence.endswith(".")
    assert "Traceback" not in done.stderr


def test_a_port_in_use_is_one_sentence(server: Server, artifacts: Path) -> None:
    port = server.address.rsplit(":", 1)[1]
    done = run("app", "serve", "--bundle", artifacts / "current", "--port", port)
    assert done.returncode == 2
    assert "error: " in done.stderr
    assert "Traceback" not in done.stderr


def test_sigterm_turns_unready_finishes_what_runs_and_exits_0(artifacts: Path, tmp_path: Path, hand: bytes) -> None:
    with serving(artifacts / "current", tmp_path / "log", BODYREGION_DRAIN_SECONDS="4") as server:
        with asking(server, hand) as statuses, server.client() as client:
            server.process.terminate()
            time.sleep(0.3)
            assert client.get("/health").status_code == 503
            assert client.get("/health").json()["status"] == "draining"
            assert client.get("/readyz").headers["retry-after"]
            assert [client.head(path).status_code for path in ("/health", "/readyz", "/v2/health/ready")] == [503] * 3
            assert_error(client.get("/v2/health/ready"), 503)
            for path in ("/livez", "/v2/health/live"):
                assert client.get(path).status_code == 200
            assert "bodyregion_rejections_total{" not in client.get("/metrics").text  # probes were told, nobody refused
            assert_error(client.get("/v2/models/mednist/ready"), 503)
        assert server.process.wait(15) == 0
    assert set(statuses) == {200}


def test_make_serve_prints_its_address_when_ready() -> None:
    shown = subprocess.run(["make", "-n", "serve", "PORT=1234"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "./bodyregion serve --port 1234" in shown.stdout
