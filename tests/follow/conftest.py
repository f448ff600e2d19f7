"""An Orthanc of a test's own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.follow.archive import Archive, running


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    with running(tmp_path / "archive") as started:
        yield started
