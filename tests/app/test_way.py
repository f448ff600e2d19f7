"""How far it is from a request's bytes to its answer's."""

from tests.running import run


def test_a_lone_small_picture_goes_through_few_functions() -> None:
    done = run("tests.app.way")
    entered = [line for line in done.stdout.splitlines() if line.startswith("/")]
    assert "/model/classifier.py Classifier.__call__" in entered
    assert len(entered) <= 50, done.stdout + done.stderr
