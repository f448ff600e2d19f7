"""Starting, being watched, and leaving, as an orchestrator sees it."""

import shutil
import subprocess
import threading
import time
from pathlib import Path

import httpx2
import pytest

from app.model import bundle
from tests.conftest import KINDS
from tests.running import ROOT, Server, run, serving


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


def test_the_documentation_page_lists_every_route(client: httpx2.Client) -> None:
    assert client.get("/docs").status_code == 200
    paths = client.get("/openapi.json").json()["paths"]
    assert set(paths) >= {"/predict", "/predict/batch", "/health", "/livez", "/readyz", "/model", "/metrics"}


def test_logs_are_json_and_hold_no_file_name(server: Server, hand: bytes) -> None:
    with server.client() as client:
        client.post("/predict", files={"file": ("MARKER_name.png", hand)}, headers={"X-Request-ID": "find-me"})
        client.post("/predict", files={"file": ("MARKER_name.png", b"MARKER_content")})
    [line] = [line for line in server.logs() if line.get("id") == "find-me"]
    assert (line["route"], line["status"]) == ("/predict", 200)
    assert "MARKER" not in server.output.read_text()


@pytest.mark.parametrize(
    "damage", ["missing", "altered model", "altered golden picture", "invalid manifest", "other classes"]
)
def test_a_bundle_that_cannot_be_trusted_ends_the_process_with_code_3(
    artifacts: Path, tmp_path: Path, damage: str
) -> None:
    folder = tmp_path / "bundle"
    shutil.copytree((artifacts / "current").resolve(), folder)
    spoil(folder, damage)
    done = run("app", "serve", "--bundle", folder, "--port", "0")
    assert done.returncode == 3
    [sentence] = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert sentence.endswith(".")
    assert "Traceback" not in done.stderr


def spoil(folder: Path, damage: str) -> None:
    manifest = folder / "bundle.json"
    if damage == "missing":
        shutil.rmtree(folder)
    elif damage == "altered model":
        flip(folder / "model.keras")
    elif damage == "altered golden picture":
        flip(next(folder.glob("golden/*")))
    elif damage == "invalid manifest":
        manifest.write_text(manifest.read_text()[:-20])
    else:
        manifest.write_text(manifest.read_text().replace('"Hand"', '"Hand","Foot"', 1))


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def test_golden_answers_that_drift_are_refused(artifacts: Path, tmp_path: Path) -> None:
    folder = tmp_path / "bundle"
    shutil.copytree((artifacts / "current").resolve(), folder)
    manifest = bundle.read(folder).manifest
    first = manifest.golden[0]
    turned = first.model_copy(update={"probabilities": first.probabilities[::-1]})
    bundle.seal(folder, manifest.model_copy(update={"golden": [turned, *manifest.golden[1:]]}))
    done = run("app", "serve", "--bundle", folder, "--port", "0")
    assert done.returncode == 3
    assert "drifts" in done.stderr


def test_a_port_in_use_is_one_sentence(server: Server, artifacts: Path) -> None:
    port = server.address.rsplit(":", 1)[1]
    done = run("app", "serve", "--bundle", artifacts / "current", "--port", port)
    assert done.returncode == 2
    assert "error: " in done.stderr
    assert "Traceback" not in done.stderr


def test_sigterm_turns_unready_finishes_what_runs_and_exits_0(artifacts: Path, tmp_path: Path, hand: bytes) -> None:
    with serving(artifacts / "current", tmp_path / "log", BODYREGION_DRAIN_SECONDS="4") as server:
        statuses: list[int] = []

        def keep_asking() -> None:
            with server.client() as client:
                while not leaving.wait(0.01):
                    statuses.append(client.post("/predict", files={"file": hand}).status_code)

        leaving = threading.Event()
        asking = threading.Thread(target=keep_asking)
        asking.start()
        server.process.terminate()
        time.sleep(0.3)
        with server.client() as client:
            assert client.get("/health").status_code == 503
            assert client.get("/health").json()["status"] == "draining"
            assert client.get("/readyz").headers["retry-after"]
            assert client.get("/livez").status_code == 200
            assert "bodyregion_rejections_total{" not in client.get("/metrics").text  # probes were told, nobody refused
        leaving.set()
        asking.join()
        assert server.process.wait(15) == 0
    assert set(statuses) == {200}


def test_ctrl_c_exits_130(artifacts: Path, tmp_path: Path) -> None:
    with serving(artifacts / "current", tmp_path / "log") as server:
        server.process.send_signal(2)
        assert server.process.wait(15) == 130


def test_make_serve_prints_its_address_when_ready() -> None:
    shown = subprocess.run(["make", "-n", "serve", "PORT=1234"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "python -m app serve --port 1234" in shown.stdout
