"""Compose's archive and its follower are confined and know each other; the router in the document routes."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
import pytest
import yaml

from tests.dicoms import dicom
from tests.follow.archive import running
from tests.running import ROOT, free_port, run, wait_until

README = (ROOT / "deploy" / "README.md").read_text()
DOCKERFILE = (ROOT / "Dockerfile").read_text()
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
ORTHANC, FOLLOWER = (COMPOSE["services"][name] for name in ("orthanc", "follower"))
USER = "Bodyregion"


@pytest.mark.parametrize("service", [ORTHANC, FOLLOWER], ids=["orthanc", "follower"])
def test_both_are_asked_for_and_confined(service: dict[str, Any]) -> None:
    assert service["profiles"] == ["orthanc"]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["mem_limit"]
    assert all(path in COMPOSE["volumes"] for path, _ in (volume.split(":") for volume in service["volumes"]))


def test_the_archive_is_pinned_nobody_special_and_on_loopback_and_the_follower_listens_to_nobody() -> None:
    assert re.fullmatch(r"orthancteam/orthanc:\d+\.\d+\.\d+", ORTHANC["image"])
    assert not ORTHANC["user"].startswith("0")
    assert all(port.startswith("127.0.0.1:") for port in ORTHANC["ports"])
    assert "ports" not in FOLLOWER
    assert FOLLOWER["image"] == COMPOSE["services"]["bodyregion"]["image"]


def test_the_password_is_in_a_file_that_is_in_no_image_and_no_commit() -> None:
    [(secret, from_file)] = COMPOSE["secrets"].items()
    assert ORTHANC["secrets"] == FOLLOWER["secrets"] == [secret]
    assert from_file["file"] == "${ORTHANC_PASSWORD_FILE:-deploy/secrets/orthanc}"
    assert " /dev/stdin deploy/secrets/orthanc\n" in README
    assert "deploy/secrets/\n" in (ROOT / ".gitignore").read_text()
    assert not re.search("^!deploy", (ROOT / ".dockerignore").read_text(), re.MULTILINE)
    settings = ORTHANC["environment"]
    assert settings["ORTHANC__AUTHENTICATION_ENABLED"] == "true"
    [[name, where]] = [item for item in settings.items() if "USERS" in item[0]]
    assert name == f"ORTHANC__REGISTERED_USERS__{USER.upper()}_SECRET"  # the image writes its words as `Words`
    assert where == secret


def test_the_follower_waits_for_an_archive_that_asks_for_the_password_and_keeps_its_state() -> None:
    assert FOLLOWER["depends_on"]["orthanc"] == {"condition": "service_healthy"}
    assert "!= 401" in ORTHANC["healthcheck"]["test"][-1]
    command = FOLLOWER["command"]
    options = dict(zip(command[5::2], command[6::2], strict=True))
    assert command[:5] == ["python", "-m", "app", "follow", "http://orthanc:8042"]
    assert options["--user"] == USER
    assert options["--password-file"] == f"/run/secrets/{FOLLOWER['secrets'][0]}"
    [volume] = FOLLOWER["volumes"]
    folder = str(Path(options["--state"]).parent)
    assert volume.endswith(f":{folder}")
    made = re.search(rf"^RUN install --directory --owner=(\d+) --group=(\d+) {folder}$", DOCKERFILE, re.MULTILINE)
    assert made
    assert f"USER {':'.join(made.groups())}\n" in DOCKERFILE


def test_the_follower_knows_every_option_it_is_given() -> None:
    known = run("app", "follow", "--help").stdout
    for word in FOLLOWER["command"]:
        assert not word.startswith("--") or re.search(rf"{word}\b", known), word


def test_the_health_check_is_a_program() -> None:
    how, python, flag, program = ORTHANC["healthcheck"]["test"]
    assert (how, python, flag) == ("CMD", "python3", "-c")
    compile(program, "healthcheck", "exec")


@pytest.fixture
def orthanc(tmp_path: Path) -> Iterator[httpx2.Client]:
    """An archive with compose's name for the metadata, the document's router and a modality that nobody answers for."""
    [router] = re.findall(r"^```lua\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    (tmp_path / "route.lua").write_text(router)
    with running(
        tmp_path / "archive",
        UserMetadata=json.loads(ORTHANC["environment"]["ORTHANC__USER_METADATA"]),
        LuaScripts=[str(tmp_path / "route.lua")],
        DicomModalities={"neuro": ["NEURO", "127.0.0.1", free_port()]},
    ) as archive:
        yield archive.client


def test_the_router_of_the_document_sends_what_it_says_and_nothing_else(orthanc: httpx2.Client) -> None:
    sent: dict[str, bool] = {}
    for number, (label, share) in enumerate([("Hand", 1.0), ("HeadCT", 0.5), (None, None), ("HeadCT", 0.95)]):
        uids = dict.fromkeys(("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"), f"1.2.{number}")
        stored = orthanc.post("/instances", content=dicom(np.zeros((64, 64), np.uint8), PatientID="1", **uids)).json()
        series = stored["ParentSeries"]
        sent[series] = label == "HeadCT" and share == 0.95
        orthanc.put(f"/series/{series}/metadata/1024", content="another's")
        written = json.dumps({"label": label, "share": share})
        assert orthanc.put(f"/series/{series}/metadata/4200", content=written).status_code == 200
        assert orthanc.get(f"/series/{series}/metadata/bodyregion").text == written
    wait_until(lambda: len(orthanc.get("/jobs").json()) > 0)  # it was the last, and Orthanc tells of events in order
    for job in orthanc.get("/jobs", params={"expand": ""}).json():
        assert job["Content"]["RemoteAet"] == "NEURO"
        assert job["Content"]["ParentResources"] == [series for series, wanted in sent.items() if wanted]
