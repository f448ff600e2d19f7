"""An Orthanc of a test's own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.follow.archive import Archive


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    made = Archive(tmp_path / "archive")
    made.start()
    yield made
    made.close()
