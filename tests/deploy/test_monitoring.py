"""What Prometheus and Grafana are given is valid, and asks for what the service really exports."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml

from app.settings import Settings
from tests.deploy.exported import HAND, NOISE, Series, asked, series
from tests.deploy.promql import grouped, selectors
from tests.deploy.watching import watching
from tests.running import ROOT, Server, run, wait_until

PROMETHEUS, GRAFANA = ROOT / "deploy" / "prometheus", ROOT / "deploy" / "grafana"
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
RULES = [rule for group in yaml.safe_load((PROMETHEUS / "rules.yml").read_text())["groups"] for rule in group["rules"]]
ALERTS = {rule["alert"]: rule for rule in RULES if "alert" in rule}
DASHBOARD = json.loads((GRAFANA / "dashboards" / "bodyregion.json").read_text())
TARGETS = [target for panel in DASHBOARD["panels"] for target in panel.get("targets", [])]
QUERIES = [rule["expr"] for rule in RULES] + [target["expr"] for target in TARGETS]
CASES = sorted((ROOT / "tests" / "deploy").glob("*.yml"))
TOOLS = all(map(shutil.which, ("prometheus", "promtool")))
needs_prometheus = pytest.mark.skipif(not TOOLS, reason="prometheus is missing; apt install prometheus")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with asked(tmp_path_factory.mktemp("asked")) as started:
        yield started


@pytest.fixture(scope="module")
def exported(server: Server) -> Series:
    recorded: Series = {rule["record"]: {"label": set()} for rule in RULES if "record" in rule}
    made_by_prometheus: Series = {
        "up": {"job": {"bodyregion"}, "instance": set()},
        "ALERTS": {"alertstate": {"firing"}, "alertname": {"Bodyregion.*"}},
    }
    return series(server) | made_by_prometheus | recorded


@pytest.mark.parametrize("query", QUERIES)
def test_every_query_names_series_labels_and_values_that_the_service_exports(exported: Series, query: str) -> None:
    asked_for = list(selectors(query))
    assert asked_for
    for name, matchers in asked_for:
        assert name in exported
        for label, values in matchers.items():
            known = exported[name][label]
            assert [value for value in values if not any(re.fullmatch(value, one) for one in known)] == []
    labels = {label for name, _ in asked_for for label in exported[name]}
    assert grouped(query) <= labels | {"instance"}
    legend = " ".join(target["legendFormat"] for target in TARGETS if target["expr"] == query)
    assert set(re.findall(r"{{\s*(\w+)\s*}}", legend)) <= labels | {"instance"}


@needs_prometheus
def test_a_real_prometheus_fills_every_panel(server: Server, tmp_path: Path) -> None:
    later = ("ALERTS", "bodyregion:class_share:moved")  # nothing fires, and there is no week before
    wanted = [target["expr"] for target in TARGETS if not any(name in target["expr"] for name in later)]

    def filled(query: str) -> bool:
        for picture in (HAND, NOISE):
            client.post("/predict", files={"file": picture})
        return any(one["value"][1] != "NaN" for one in found(query.replace("$__rate_interval", "10s")))

    with watching(server.address, PROMETHEUS, tmp_path) as found, server.client() as client:
        for query in wanted:
            wait_until(partial(filled, query))


@pytest.mark.parametrize("alert", ALERTS)
def test_every_alert_says_what_it_means_and_what_to_do_and_is_tried(alert: str) -> None:
    said = ALERTS[alert]["annotations"]
    assert set(said) == {"summary", "meaning", "action"}
    assert all(text.endswith(".") for text in said.values())
    assert set(re.findall(r"\$labels\.(\w+)", " ".join(said.values()))) <= grouped(ALERTS[alert]["expr"])
    assert any(f'alertname="{alert}"' in case.read_text() for case in CASES)
    assert f"`{alert}`" in (ROOT / "deploy" / "README.md").read_text()


def test_the_queue_fills_at_three_quarters_of_what_it_holds() -> None:
    limit = Settings.model_fields["max_queue"].default
    assert ALERTS["BodyregionQueueFilling"]["expr"].endswith(f">= {limit * 3 // 4}")


@needs_prometheus
def test_prometheus_accepts_its_configuration_and_rules() -> None:
    checked = subprocess.run(["promtool", "check", "config", PROMETHEUS / "prometheus.yml"], check=False)
    assert checked.returncode == 0


@needs_prometheus
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.stem)
def test_alerts_fire_when_they_should_and_only_then(case: Path) -> None:
    tried = subprocess.run(["promtool", "test", "rules", case], capture_output=True, text=True, check=False)
    assert tried.returncode == 0, tried.stderr + tried.stdout


def test_compose_is_valid() -> None:
    checked = run("check_jsonschema", "--builtin-schema", "vendor.compose-spec", ROOT / "docker-compose.yml")
    assert checked.returncode == 0, checked.stdout


@pytest.mark.parametrize("name", ["prometheus", "grafana"])
def test_monitoring_is_asked_for_pinned_confined_and_on_loopback(name: str) -> None:
    service: dict[str, Any] = COMPOSE["services"][name]
    assert service["profiles"] == ["monitoring"]
    assert re.fullmatch(r"[\w./-]+:v?\d+\.\d+\.\d+", service["image"])
    assert all(port.startswith("127.0.0.1:") for port in service["ports"])
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert not service["user"].startswith("0")
    sources = [volume.split(":") for volume in service["volumes"]]
    assert all((ROOT / path).exists() and mode == ["ro"] for path, _, *mode in sources if path.startswith("."))
    assert all(path in COMPOSE["volumes"] for path, *_ in sources if not path.startswith("."))


def test_the_service_alone_starts_without_a_profile() -> None:
    assert [name for name, service in COMPOSE["services"].items() if "profiles" not in service] == ["bodyregion"]


def test_nobody_logs_in_to_grafana_and_it_asks_nobody_outside() -> None:
    settings = COMPOSE["services"]["grafana"]["environment"]
    assert settings["GF_SECURITY_DISABLE_INITIAL_ADMIN_CREATION"] == "true"
    assert settings["GF_AUTH_ANONYMOUS_ORG_ROLE"] == "Viewer"
    assert not [name for name in settings if "PASSWORD" in name]
    assert settings["GF_ANALYTICS_REPORTING_ENABLED"] == settings["GF_ANALYTICS_CHECK_FOR_UPDATES"] == "false"


def test_the_dashboard_asks_the_source_that_is_provisioned_where_compose_mounts_it() -> None:
    [source] = yaml.safe_load((GRAFANA / "provisioning/datasources/prometheus.yml").read_text())["datasources"]
    [provider] = yaml.safe_load((GRAFANA / "provisioning/dashboards/bodyregion.yml").read_text())["providers"]
    [job] = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text())["scrape_configs"]
    panels = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
    assert {panel["datasource"]["uid"] for panel in panels} == {source["uid"]}
    assert source["url"] == "http://prometheus:9090"
    assert f"./deploy/grafana/dashboards:{provider['options']['path']}:ro" in COMPOSE["services"]["grafana"]["volumes"]
    assert job["static_configs"] == [{"targets": ["bodyregion:8000"]}]


def test_no_panel_covers_another() -> None:
    taken = [
        (column, line)
        for place in (panel["gridPos"] for panel in DASHBOARD["panels"])
        for column in range(place["x"], place["x"] + place["w"])
        for line in range(place["y"], place["y"] + place["h"])
    ]
    assert len(taken) == len(set(taken))
    assert max(column for column, _ in taken) < 24
