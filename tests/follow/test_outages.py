"""`follow` and its Orthanc, either killed at any moment: nothing is lost, and nothing written twice that differs."""

import signal

import pytest

from tests.app.slices import runs
from tests.follow.archive import Archive
from tests.running import wait_until

SERIES = 60  # more than a second of work


def stored(archive: Archive) -> list[str]:
    """Some that are stable, in the order in which they came."""
    names = [archive.store(runs(HeadCT=8), f"1.2.{number}") for number in range(SERIES)]
    archive.wait_for_stable(SERIES)
    return names


def written_once(archive: Archive, names: list[str]) -> bool:
    return all(len(archive.changes("UpdatedMetadata", name)) == 1 for name in names)


def test_a_killed_follower_goes_on_where_it_was(archive: Archive) -> None:
    names = stored(archive)
    following = archive.follow()
    wait_until(lambda: bool(archive.text(names[0])))
    following.kill()
    following.wait()
    assert not archive.text(names[-1]), "it had no more to do"
    assert archive.follow_once().returncode == 0
    assert all(archive.answer(name)["label"] == "HeadCT" for name in names)
    assert written_once(archive, names)


def test_a_killed_orthanc_is_waited_for(archive: Archive) -> None:
    names = stored(archive)
    following = archive.follow()
    wait_until(lambda: bool(archive.text(names[0])))
    archive.kill()
    wait_until(lambda: "Connection refused" in archive.log())
    archive.start()
    assert all(archive.answer(name)["label"] == "HeadCT" for name in names)
    assert written_once(archive, names)
    assert following.poll() is None
    assert archive.log().count('"waiting"') < 10


@pytest.mark.parametrize("is_running", [True, False])
def test_a_series_of_which_a_killed_orthanc_never_tells_that_it_is_stable_is_answered(
    is_running: bool, archive: Archive
) -> None:
    assert archive.follow_once().returncode == 0
    following = archive.follow() if is_running else None
    name = archive.store(runs(HeadCT=2), "1.2.1")
    archive.kill()
    archive.start()
    if following:
        assert archive.answer(name)["slices"] == 2
        following.kill()
    wait_until(lambda: bool(archive.client.get(f"/series/{name}").json()["IsStable"]))
    assert archive.follow_once().returncode == 0
    assert archive.answer(name)["slices"] == 2
    assert not archive.changes("StableSeries")


def test_of_another_database_all_is_gone_through(archive: Archive) -> None:
    archive.state.write_text('{"last": 1000}')
    name = archive.store(runs(HeadCT=2), "1.2.1")
    archive.wait_for_stable(1)
    assert "another database" in archive.follow_once().stderr
    assert archive.answer(name)["label"] == "HeadCT"
    assert int(archive.state.read_text().split(":")[1].strip(" }\n")) < 1000


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_it_after_the_series_in_hand(number: signal.Signals, code: int, archive: Archive) -> None:
    names = stored(archive)
    following = archive.follow()
    wait_until(lambda: bool(archive.text(names[0])))
    following.send_signal(number)
    assert following.wait(30) == code
    assert "Traceback" not in archive.log()
    assert not archive.text(names[-1])
    assert archive.follow_once().returncode == 0
    assert written_once(archive, names)


def test_without_a_server_it_ends_at_a_signal_too(archive: Archive) -> None:
    following = archive.follow()
    wait_until(lambda: '"following"' in archive.log())
    archive.kill()
    wait_until(lambda: '"waiting"' in archive.log())
    following.terminate()
    assert following.wait(30) == 143
    assert archive.follow_once().returncode == 2
