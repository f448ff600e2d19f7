"""Publishing, listing and switching bundles, with files and no model."""

from pathlib import Path

import pytest

from app.imaging import RESAMPLE
from app.model import bundle
from app.model.bundle import Bundle, BundleError
from app.model.manifest import Golden, Input, Manifest
from tests.running import run


def publish(root: Path, content: str) -> Bundle:
    with bundle.staging(root) as folder:
        (folder / bundle.MODEL).write_text(content)
        manifest = Manifest(name="toy", classes=["a", "b"], input=Input(size=32, resample=RESAMPLE))
        return bundle.use(root, bundle.publish(bundle.seal(folder, manifest), root).title)


def test_a_published_bundle_can_be_made_current_and_leaves_nothing_else_behind(tmp_path: Path) -> None:
    published = publish(tmp_path, "one")
    assert bundle.current(tmp_path) == published.folder
    assert sorted(path.name for path in tmp_path.iterdir()) == ["current", published.title]


def test_older_bundles_stay_and_can_be_used_again(tmp_path: Path) -> None:
    first, second = publish(tmp_path, "one"), publish(tmp_path, "two")
    assert [found.title for found in bundle.available(tmp_path)] == [first.title, second.title]
    assert bundle.current(tmp_path) == second.folder
    bundle.use(tmp_path, first.manifest.version)
    assert bundle.current(tmp_path) == first.folder
    with pytest.raises(BundleError, match="There is no bundle 0000"):
        bundle.use(tmp_path, "0000")


def test_the_version_follows_from_the_content_alone(tmp_path: Path) -> None:
    versions = [publish(tmp_path / name, content).manifest.version for name, content in ("ax", "bx", "cy")]
    assert versions[0] == versions[1] != versions[2]


def test_publishing_the_same_content_again_changes_nothing(tmp_path: Path) -> None:
    assert publish(tmp_path, "one").folder == publish(tmp_path, "one").folder
    assert len(bundle.available(tmp_path)) == 1


def test_a_failure_before_publishing_leaves_what_was_there(tmp_path: Path) -> None:
    published = publish(tmp_path, "one")
    with pytest.raises(RuntimeError), bundle.staging(tmp_path) as folder:
        (folder / bundle.MODEL).write_text("half")
        raise RuntimeError
    assert sorted(path.name for path in tmp_path.iterdir()) == ["current", published.title]


def test_an_altered_bundle_cannot_become_current(tmp_path: Path) -> None:
    first, second = publish(tmp_path, "one"), publish(tmp_path, "two")
    first.path(bundle.MODEL).write_text("evil")
    with pytest.raises(BundleError, match=r"model\.keras"):
        bundle.use(tmp_path, first.title)
    assert bundle.current(tmp_path) == second.folder


def test_a_file_outside_the_bundle_cannot_be_listed() -> None:
    with pytest.raises(ValueError, match="outside"):
        Golden(file="../../etc/passwd", probabilities=[])


def test_the_command_line_lists_and_switches(tmp_path: Path) -> None:
    first, second = publish(tmp_path, "one"), publish(tmp_path, "two")
    listed = run("app", "bundles", "--root", tmp_path).stdout
    assert listed.index(first.title) < listed.index("→") < listed.index(second.title)
    used = run("app", "use", first.manifest.version, "--root", tmp_path)
    assert used.returncode == 0
    assert bundle.current(tmp_path) == first.folder
