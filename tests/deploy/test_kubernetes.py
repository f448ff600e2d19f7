"""The manifests are what Kubernetes takes, and agree with the service that they start."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from app.api.security import OPEN_PATHS
from app.settings import PREFIX, Settings
from tests.running import ROOT, run, serving

FOLDER = ROOT / "deploy" / "kubernetes"
README = (ROOT / "deploy" / "README.md").read_text()
KUSTOMIZATION = yaml.safe_load((FOLDER / "kustomization.yaml").read_text())
MANIFESTS = [yaml.safe_load((FOLDER / name).read_text()) for name in KUSTOMIZATION["resources"]]
BY_KIND: dict[str, dict[str, Any]] = {manifest["kind"]: manifest["spec"] for manifest in MANIFESTS}
TEMPLATE = BY_KIND["Deployment"]["template"]
POD = TEMPLATE["spec"]
[CONTAINER] = POD["containers"]
KEYS = yaml.safe_load((FOLDER / "keys.yaml").read_text())["spec"]["template"]["spec"]
ENVIRONMENT = {entry["name"]: entry["value"] for entry in CONTAINER["env"] + KEYS["containers"][0]["env"]}
PROBES = ("startupProbe", "readinessProbe", "livenessProbe")
OLDEST, NEWEST = "1.30", "1.37"
needs_kubectl = pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is missing")


@pytest.mark.parametrize("version", [OLDEST, NEWEST])
def test_every_manifest_follows_the_schemas_that_kubernetes_publishes(version: str) -> None:
    files = [FOLDER / name for name in KUSTOMIZATION["resources"]]
    checked = run("kubernetes_validate", "--strict", "-k", version, *files)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_every_file_is_built_or_a_patch() -> None:
    assert {path.name for path in FOLDER.iterdir()} == {"kustomization.yaml", "keys.yaml", *KUSTOMIZATION["resources"]}


@needs_kubectl
def test_kustomize_builds_it_with_and_without_keys(tmp_path: Path) -> None:
    shutil.copytree(FOLDER, tmp_path / "plain")
    shutil.copytree(FOLDER, tmp_path / "guarded")
    commented = (FOLDER / "kustomization.yaml").read_text()
    (tmp_path / "guarded" / "kustomization.yaml").write_text(
        commented.replace("# patches", "patches").replace("#   -", "  -")
    )
    for folder in ("plain", "guarded"):
        built = subprocess.run(["kubectl", "kustomize", tmp_path / folder], capture_output=True, text=True, check=True)
        (tmp_path / f"{folder}.yaml").write_text(built.stdout)
        assert run("kubernetes_validate", "--strict", "-k", NEWEST, tmp_path / f"{folder}.yaml").returncode == 0
        assert ("BODYREGION_API_KEYS" in built.stdout) == (folder == "guarded")
        assert built.stdout.count("name: TMPDIR") == 1


@needs_kubectl
@pytest.mark.parametrize("command", re.findall(r"kubectl (set [^`\n]+)", README))
def test_the_commands_for_another_bundle_change_the_manifest(command: str) -> None:
    *words, resource, change = command.split()
    assert resource == "deployment/bodyregion"
    local = ["kubectl", *words, "--local", "-f", str(FOLDER / "deployment.yaml"), "-o", "yaml", change]
    changed = subprocess.run(local, capture_output=True, text=True, check=True).stdout
    value = change.partition("=")[2]
    assert value in changed
    assert not value.startswith("model_artifacts/") or (ROOT / value / "bundle.json").exists()


def test_the_pod_starts_with_its_settings_and_answers_its_probes(tmp_path: Path) -> None:
    (tmp_path / "keys").write_text("a-key\n")
    mounted = {"BODYREGION_PORT": "0", "BODYREGION_HOST": "127.0.0.1", "TMPDIR": str(tmp_path)}
    mounted |= {"BODYREGION_API_KEYS": str(tmp_path / "keys"), "KUBERNETES_SERVICE_HOST": "10.0.0.1"}
    with serving(ROOT / ENVIRONMENT["BODYREGION_BUNDLE"], tmp_path / "log", **(ENVIRONMENT | mounted)) as server:
        with server.client() as client:
            assert [client.get(CONTAINER[probe]["httpGet"]["path"]).status_code for probe in PROBES] == [200] * 3
            assert client.get("/metrics").status_code == 401
        assert list(tmp_path.glob("bodyregion-*"))


def test_probes_need_no_key_and_ask_where_the_service_listens() -> None:
    [port] = CONTAINER["ports"]
    assert {CONTAINER[probe]["httpGet"]["path"] for probe in PROBES} <= OPEN_PATHS
    assert {CONTAINER[probe]["httpGet"]["port"] for probe in PROBES} == {port["name"]}
    assert ENVIRONMENT["BODYREGION_PORT"] == str(port["containerPort"])
    assert [one["targetPort"] for one in BY_KIND["Service"]["ports"]] == [port["name"]]


def test_every_variable_is_a_setting_and_every_file_is_mounted() -> None:
    settings = {PREFIX + name.upper() for name in Settings.model_fields}
    assert {name for name in ENVIRONMENT if name.startswith(PREFIX)} <= settings
    [keys] = KEYS["containers"]
    mounts = {mount["mountPath"]: mount["name"] for mount in CONTAINER["volumeMounts"] + keys["volumeMounts"]}
    assert set(mounts.values()) == {volume["name"] for volume in POD["volumes"] + KEYS["volumes"]}
    assert ENVIRONMENT["TMPDIR"] in mounts
    assert str(Path(ENVIRONMENT["BODYREGION_API_KEYS"]).parent) in mounts
    assert keys["name"] == CONTAINER["name"]


def test_a_pod_that_leaves_has_time_to_drain_and_one_that_starts_to_load() -> None:
    drain, probe = float(ENVIRONMENT["BODYREGION_DRAIN_SECONDS"]), CONTAINER["startupProbe"]
    answers_within = Settings.model_fields["request_timeout_seconds"].default
    assert answers_within <= drain / 2  # the half in which what runs is finished
    assert drain + 5 <= POD["terminationGracePeriodSeconds"]
    assert probe["periodSeconds"] * probe["failureThreshold"] >= 60
    assert BY_KIND["Deployment"]["strategy"]["rollingUpdate"]["maxUnavailable"] == 0


def test_the_pod_has_no_right_that_it_does_not_need() -> None:
    assert CONTAINER["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    context = POD["securityContext"]
    assert context["runAsNonRoot"] is True
    assert f"USER {context['runAsUser']}:{context['runAsGroup']}" in (ROOT / "Dockerfile").read_text()
    assert context["seccompProfile"] == {"type": "RuntimeDefault"}
    assert POD["automountServiceAccountToken"] is POD["enableServiceLinks"] is False
    assert not POD.keys() & {"hostNetwork", "hostPID", "hostIPC", "serviceAccountName"}


def test_the_port_is_all_that_is_reached_and_nothing_is_reached_from_it() -> None:
    policy = BY_KIND["NetworkPolicy"]
    assert policy["policyTypes"] == ["Ingress", "Egress"]
    assert policy["egress"] == []
    assert policy["ingress"] == [{"ports": [{"port": "http", "protocol": "TCP"}]}]


def test_everything_means_the_same_pods() -> None:
    labels = TEMPLATE["metadata"]["labels"]
    selectors = [BY_KIND[kind]["selector"]["matchLabels"] for kind in ("Deployment", "PodDisruptionBudget")]
    [spread] = POD["topologySpreadConstraints"]
    selectors += [BY_KIND["NetworkPolicy"]["podSelector"]["matchLabels"], spread["labelSelector"]["matchLabels"]]
    assert [*selectors, BY_KIND["Service"]["selector"]] == [labels] * 5
    target = BY_KIND["HorizontalPodAutoscaler"]["scaleTargetRef"]["name"]
    assert target in [manifest["metadata"]["name"] for manifest in MANIFESTS if manifest["kind"] == "Deployment"]
    assert "replicas" not in BY_KIND["Deployment"]
