"""What `follow` writes to the series of an Orthanc, and when."""

import json
import shutil
import subprocess
from datetime import timedelta
from pathlib import Path

import pytest

from app.model import bundle
from tests.app.scored import classify
from tests.app.slices import drawn, enhanced, own, runs, write_series
from tests.dicoms import dicom
from tests.follow.archive import Archive
from tests.running import COMMITTED, wait_until

PROMISED = timedelta(seconds=5)
VERSION = {"name": "mednist", "version": bundle.read(COMMITTED).manifest.version}


def test_series_that_come_over_rest_and_over_the_network_are_answered_within_five_seconds(
    archive: Archive, tmp_path: Path
) -> None:
    if not (storescu := shutil.which("storescu")):
        pytest.skip("dcmtk is not installed, so nothing can be sent over the network")
    archive.follow()
    names = [archive.store(runs(HeadCT=12), "1.2.1", BodyPartExamined="CHEST")]
    folder = write_series(tmp_path / "sent", runs(ChestCT=20, AbdomenCT=20), "1.2.2", PatientID="2")
    subprocess.run([storescu, "+sd", "127.0.0.1", str(archive.dicom_port), folder], check=True, timeout=60)
    names.append(archive.named("1.2.2"))
    head, trunk = map(archive.answer, names)
    assert head == {
        "label": "HeadCT",
        "share": 1.0,
        "ranges": [{"first": 1, "last": 12, "label": "HeadCT"}],
        "body_part": "CHEST",
        "agrees": False,
        "suggested": {"term": "HEAD", "code": "69536005", "scheme": "SCT", "meaning": "Head"},
        "judged": 8,
        "slices": 12,
        "model": VERSION,
    }
    assert (trunk["label"], trunk["judged"], trunk["slices"]) == ("mixed", 8, 40)
    assert [each["label"] for each in trunk["ranges"]] == ["ChestCT", "AbdomenCT"]
    assert all(archive.delay(name) <= PROMISED for name in names)


def test_the_answer_is_that_of_the_table_of_series(archive: Archive, tmp_path: Path) -> None:
    folder = write_series(tmp_path / "in", runs(ChestCT=9, AbdomenCT=14), "1.2.1")
    (folder / "several").write_bytes(enhanced(runs(HeadCT=30), "1.2.2", range(30), SOPInstanceUID="1.2.2.1"))
    for path in folder.iterdir():
        archive.post(path.read_bytes())
    tables = "--series", tmp_path / "series.csv", "--slices", "8"
    classify(folder, tmp_path / "table.csv", COMMITTED, *tables)
    archive.wait_for_stable(2)
    assert archive.follow_once().returncode == 0
    for series in ("1.2.1", "1.2.2"):
        answer, row = archive.answer(archive.named(series)), own(tmp_path / "series.csv", series)
        ranges = ", ".join(f"{each['first']}–{each['last']} {each['label']}" for each in answer["ranges"])
        assert (answer["label"], str(answer["share"]), ranges) == (row["label"], row["share"], row["ranges"])
        assert str(answer["judged"]) == row["judged"]


def test_what_cannot_be_judged_gets_the_reason_and_holds_up_nobody(archive: Archive) -> None:
    report = archive.store(["noise"], "1.2.1", SOPClassUID="1.2.840.10008.5.1.4.1.1.88.11", Rows=None, PixelData=None)
    unknown = archive.store(["noise"] * 3, "1.2.2", PixelData=b"\0\0")
    sound = archive.store(runs(HeadCT=3), "1.2.3")
    archive.wait_for_stable(3)
    done = archive.follow_once()
    assert done.returncode == 0
    assert archive.answer(report) == {
        "error": "The DICOM file holds no picture; its kind is Basic Text SR Storage.",
        "judged": 0,
        "slices": 1,
        "model": VERSION,
    }
    assert archive.answer(unknown)["error"] == "The DICOM file is damaged, cut short or not what its header says."
    assert archive.answer(sound)["label"] == "HeadCT"
    assert '"series": 3, "not_judged": 2' in done.stderr


def test_a_file_that_the_server_has_lost_is_a_reason_too(archive: Archive, tmp_path: Path) -> None:
    name = archive.store(runs(HeadCT=1), "1.2.1")
    archive.wait_for_stable(1)
    for path in (tmp_path / "archive" / "stored").glob("??/??/*"):
        path.unlink()
    archive.kill()  # it has the latest files in memory as well
    archive.start()
    assert archive.follow_once().returncode == 0
    assert archive.answer(name)["error"] == "The server does not give the file."


def test_a_series_that_grew_is_judged_again_and_own_writes_wake_nobody(archive: Archive) -> None:
    following = archive.follow()
    name = archive.store(runs(HeadCT=2), "1.2.1")
    assert archive.answer(name)["slices"] == 2
    archive.store(runs(HeadCT=3), "1.2.1", first=3)
    wait_until(lambda: archive.answer(name)["slices"] == 5)
    following.terminate()
    assert following.wait(30) == 143
    assert len(archive.changes("UpdatedMetadata")) == 2
    assert archive.follow_once().returncode == 0
    archive.state.unlink()  # and even if all are judged again
    assert '"series": 1' in archive.follow_once().stderr
    assert len(archive.changes("UpdatedMetadata")) == 2


def test_a_series_that_was_deleted_in_between_is_passed_over(archive: Archive) -> None:
    names = [archive.store(runs(HeadCT=2), series) for series in ("1.2.1", "1.2.2")]
    archive.wait_for_stable(2)
    archive.client.delete(f"/series/{names[0]}").raise_for_status()
    assert archive.follow_once().returncode == 0
    assert archive.answer(names[1])["label"] == "HeadCT"


def test_a_dry_run_prints_what_it_would_write_and_writes_nothing(archive: Archive) -> None:
    name = archive.store(runs(HeadCT=2), "1.2.1")
    archive.wait_for_stable(1)
    done = archive.follow_once("--dry-run")
    assert archive.text(name) == ""
    assert not archive.state.exists()
    assert archive.follow_once("--metadata", "1024").returncode == 0
    written = archive.client.get(f"/series/{name}/metadata/1024").json()
    assert json.loads(done.stdout) == {"series": name} | written


def test_no_picture_of_the_archive_is_changed(archive: Archive) -> None:
    data = dicom(drawn(["Hand"])[0], SeriesInstanceUID="1.2.1", StudyInstanceUID="1.2")
    archive.post(data)
    archive.wait_for_stable(1)
    assert archive.follow_once().returncode == 0
    [instance] = archive.client.get("/instances").json()
    assert archive.client.get(f"/instances/{instance}/file").content == data
