"""Labels, which Orthanc has from 1.12 on, and what a server is asked at all."""

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.model import bundle
from tests.app.slices import drawn, placed, runs
from tests.bundles import another
from tests.follow.archive import Archive
from tests.follow.stand_in import StandIn, standing_in
from tests.running import COMMITTED, run

ASKED = re.compile(
    r"/system|/changes\?(since=\d+&limit=\d+|last)|/instances/\w+/file"
    r"|/series/\w+/(instances\?expand=true|metadata/4200|labels(/[\w-]+)?)"
)
TRUNK = runs(ChestCT=4, AbdomenCT=4)


def files(series: str, *kinds: str) -> list[bytes]:
    return [placed(pixels, series, InstanceNumber=number) for number, pixels in enumerate(drawn(kinds))]


@pytest.fixture
def server() -> Iterator[StandIn]:
    kept = {"head": files("1.1", *runs(HeadCT=3)), "trunk": files("1.2", *TRUNK), "noise": files("1.3", "noise")}
    with standing_in(kept) as started:
        for series in kept:
            started.stable(series)
        yield started


def follow(server: StandIn, folder: Path, *more: str | Path, of: Path = COMMITTED) -> subprocess.CompletedProcess[str]:
    state = folder / "state.json"
    return run("app", "follow", server.address, "--once", "--bundle", of, "--state", state, *more)


def test_series_are_labelled_where_they_show_something(server: StandIn, tmp_path: Path) -> None:
    assert follow(server, tmp_path).returncode == 0
    assert server.labels == {"head": {"bodyregion-HeadCT"}, "trunk": {"bodyregion-mixed"}, "noise": set()}
    assert json.loads(server.metadata["noise"])["label"] is None


def test_the_prefix_is_an_option(server: StandIn, tmp_path: Path) -> None:
    assert follow(server, tmp_path, "--label-prefix", "shows_").returncode == 0
    assert server.labels["head"] == {"shows_HeadCT"}


def test_a_label_that_is_no_longer_right_goes_and_those_of_others_stay(server: StandIn, tmp_path: Path) -> None:
    server.labels["head"] = {"urgent", "bodyregion-checked", "bodyregion-ChestCT", "bodyregion-Knee"}
    server.metadata["head"] = '{"label": "Knee"}'  # of a bundle with other classes
    assert follow(server, tmp_path).returncode == 0
    assert server.labels["head"] == {"urgent", "bodyregion-checked", "bodyregion-HeadCT"}
    server.files["head"] = files("1.1", *runs(ChestCT=4))
    server.stable("head")
    assert follow(server, tmp_path).returncode == 0
    assert server.labels["head"] == {"urgent", "bodyregion-checked", "bodyregion-ChestCT"}
    assert json.loads(server.metadata["head"])["slices"] == 4


def test_what_orthanc_takes_for_no_letter_of_a_label_is_an_underscore(
    server: StandIn, root: Path, tmp_path: Path
) -> None:
    names = ["Abdomen CT", "Hand", "Head (CT)"]
    renamed = another(root, classes=names)
    bundle.use(root, renamed.title)
    assert follow(server, tmp_path, of=root / "current").returncode == 0
    assert set().union(*server.labels.values()) <= {
        "bodyregion-Abdomen_CT",
        "bodyregion-Hand",
        "bodyregion-Head__CT_",
        "bodyregion-mixed",
    }
    assert server.labels["head"]


@pytest.mark.parametrize("prefix", ["bodyregion:", "", "x" * 60])
def test_a_prefix_that_orthanc_would_refuse_is_refused(prefix: str, server: StandIn, tmp_path: Path) -> None:
    done = follow(server, tmp_path, "--label-prefix", prefix)
    assert done.returncode == 2
    assert re.fullmatch(r"error: Labels .* only letters, digits, - and _, .*--label-prefix\.\n", done.stderr)
    assert not server.asked


def test_a_series_that_judging_itself_fails_on_holds_up_nobody(server: StandIn, tmp_path: Path) -> None:
    server.odd.add("head")
    done = follow(server, tmp_path)
    assert (done.returncode, "Traceback" in done.stderr) == (0, False)
    assert json.loads(server.metadata["head"])["error"] == "Judging the series failed."
    assert (server.labels["head"], server.labels["trunk"]) == (set(), {"bodyregion-mixed"})


@pytest.mark.parametrize(
    ("failing", "error"),
    [
        ("/series/head/instances.*", "The server does not say what is in the series."),
        ("/instances/head.*", "The server does not give the file."),
    ],
)
def test_a_series_that_the_server_fails_on_holds_up_nobody(
    failing: str, error: str, server: StandIn, tmp_path: Path
) -> None:
    server.failing = failing
    assert follow(server, tmp_path).returncode == 0
    assert json.loads(server.metadata["head"])["error"] == error
    assert (server.labels["head"], server.labels["trunk"]) == (set(), {"bodyregion-mixed"})


def test_a_file_of_more_than_256_mib_is_not_fetched(server: StandIn, tmp_path: Path) -> None:
    server.sizes |= {"head": 256 * 2**20, "trunk": 256 * 2**20 + 1}
    assert follow(server, tmp_path).returncode == 0
    assert json.loads(server.metadata["head"])["label"] == "HeadCT"
    assert json.loads(server.metadata["trunk"])["error"] == "The file has more than 268,435,456 bytes."
    assert not any("/instances/trunk" in path for path in server.asked)


def test_a_server_that_fails_on_everything_is_waited_for(server: StandIn, tmp_path: Path) -> None:
    server.failing = "/(series|instances)/.*|/changes.last"
    done = follow(server, tmp_path)
    assert (done.returncode, server.metadata) == (2, {})
    assert done.stderr.endswith(f"error: {server.address} answers a GET with status 500.\n")


def test_a_real_orthanc_takes_the_labels_and_finds_series_by_them(archive: Archive) -> None:
    if not archive.has_labels:
        pytest.skip("this Orthanc is older than 1.12")
    name = archive.store(runs(HeadCT=2), "1.2.1")
    assert archive.client.put(f"/series/{name}/labels/bodyregion:HeadCT").status_code == 400
    archive.client.put(f"/series/{name}/labels/urgent").raise_for_status()
    archive.wait_for_stable(1)
    assert archive.follow_once().returncode == 0
    assert archive.client.get(f"/series/{name}/labels").json() == ["bodyregion-HeadCT", "urgent"]
    asked = {"Level": "Series", "Query": {}, "Labels": ["bodyregion-HeadCT"]}
    assert archive.client.post("/tools/find", json=asked).json() == [name]


def test_nothing_is_asked_that_names_a_patient(server: StandIn, tmp_path: Path) -> None:
    done = follow(server, tmp_path)
    assert [path for path in server.asked if not ASKED.fullmatch(path)] == []
    assert "trunk" not in done.stderr + done.stdout  # nor do the log lines say which series they are about
