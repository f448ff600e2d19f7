"""A bundle whose model is not what Keras writes for layers we know, or that was altered, is never opened."""

import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile

import h5py
import keras
import numpy as np
import pytest
from keras import layers

from app.imaging import RESAMPLE
from app.model import archive, bundle
from app.model.bundle import MODEL, Bundle, BundleError
from app.model.manifest import Golden, Input, Manifest
from tests.running import ROOT, run
from training import phantoms

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # Keras' own, on saving

COMMITTED = sorted(path.parent.name for path in (ROOT / "model_artifacts").glob("[!.]*/bundle.json") if path.is_file())
CONFIG, WEIGHTS = "config.json", "model.weights.h5"


def model(*middle: keras.Layer) -> keras.Model:
    """A small network as ours end, with `middle` in it."""
    inputs = keras.Input((32, 32, 1), dtype="uint8")
    x = layers.Rescaling(1 / 255)(inputs)
    for layer in (*middle, layers.Conv2D(4, 3), layers.GlobalAveragePooling2D()):
        x = layer(x)
    return keras.Model(inputs, {"probabilities": layers.Dense(2, activation="softmax")(x)})


@keras.saving.register_keras_serializable("elsewhere")
class OfOurOwn(keras.layers.Layer):  # type: ignore[misc]
    """A custom layer that does nothing."""

    def call(self, inputs: Any) -> Any:
        return inputs


def rewritten(folder: Path, change: Callable[[dict[str, bytes]], None], compression: int = 0) -> None:
    """The model's archive with its members changed."""
    with ZipFile(folder / MODEL) as opened:
        members = {name: opened.read(name) for name in opened.namelist()}
    change(members)
    with ZipFile(folder / MODEL, "w", compression) as file:
        for name, data in members.items():
            file.writestr(name, data)


def reconfigured(folder: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    """The model with another description, of which `change` is given that of the convolution."""

    def describe(members: dict[str, bytes]) -> None:
        config = json.loads(members[CONFIG])
        change(next(layer for layer in config["config"]["layers"] if layer["class_name"] == "Conv2D"))
        members[CONFIG] = json.dumps(config).encode()

    rewritten(folder, describe)


def reweighted(folder: Path, change: Callable[[h5py.File], Any]) -> None:
    """The model with other weights."""

    def store(members: dict[str, bytes]) -> None:
        buffer = io.BytesIO(members[WEIGHTS])
        with h5py.File(buffer, "r+") as file:
            change(file)
        members[WEIGHTS] = buffer.getvalue()

    rewritten(folder, store)


def lambda_(folder: Path) -> None:
    model(layers.Lambda(lambda x: x + 1)).save(folder / MODEL)


def custom(folder: Path) -> None:
    model(OfOurOwn()).save(folder / MODEL)


def hdf5(folder: Path) -> None:
    model().save(folder / "model.h5")
    (folder / "model.h5").rename(folder / MODEL)


def gadget(layer: dict[str, Any]) -> None:
    """What earlier Keras imported and called by its name."""
    layer["config"]["activation"] = {
        "module": "keras.config",
        "class_name": "function",
        "config": "enable_unsafe_deserialization",
        "registered_name": "enable_unsafe_deserialization",
    }


def wide(layer: dict[str, Any]) -> None:
    """Weights of 17 GB out of numbers that are not absurd each."""
    layer["config"]["filters"] = layer["build_config"]["input_shape"][-1] = 2**16


def chunks(file: h5py.File) -> None:
    """A gigabyte of zeros in a few thousand bytes."""
    values = file["layers/conv2d/vars"]
    del values["0"]
    values.create_dataset("0", (2**14, 2**14), "f4", chunks=(2**10, 2**10), compression="gzip")


def overflowing(file: h5py.File) -> None:
    """A size that is 0 in 64 bits."""
    file.create_dataset("more", (2**40, 2**40), "f4", chunks=(1024, 1024))


def external_storage(file: h5py.File) -> None:
    file.create_dataset("more", (8,), "u1", external=[("/etc/hostname", 0, 8)])


def virtual(file: h5py.File) -> None:
    layout = h5py.VirtualLayout((8,), "u1")
    layout[:] = h5py.VirtualSource("/etc/hostname", "data", (8,))
    file.create_virtual_dataset("more", layout)


def link(path: Any) -> Callable[[Path], None]:
    return lambda folder: reweighted(folder, lambda file: file["layers/conv2d/vars"].__setitem__("9", path))


def members(change: Callable[[dict[str, bytes]], Any], compression: int = 0) -> Callable[[Path], None]:
    return lambda folder: rewritten(folder, change, compression)


def config(change: Callable[[dict[str, Any]], Any]) -> Callable[[Path], None]:
    return lambda folder: reconfigured(folder, change)


def weights(change: Callable[[h5py.File], Any]) -> Callable[[Path], None]:
    return lambda folder: reweighted(folder, change)


BAD: dict[str, tuple[Callable[[Path], object], str]] = {
    "a Lambda layer": (lambda_, "Lambda"),
    "a layer registered elsewhere": (custom, "OfOurOwn"),
    "an .h5 by another name": (hdf5, "no Keras archive"),
    "no archive at all": (lambda folder: (folder / MODEL).write_bytes(b"PK\3\4"), "no Keras archive"),
    "a file beside those of Keras": (members(lambda files: files.update({"assets/x": b""})), "other files"),
    "a member outside": (members(lambda files: files.update({"../x": b""})), "other files"),
    "a file of Keras missing": (members(lambda files: files.pop(WEIGHTS)), "other files"),
    "a bomb in zip": (members(lambda files: files.update({WEIGHTS: bytes(2**28)}), ZIP_DEFLATED), "compressed"),
    "a description of many bytes": (members(lambda files: files.update({CONFIG: b" " * 2**24})), "description"),
    "a description that nests": (members(lambda files: files.update({CONFIG: b"[" * 10**6})), "no Keras archive"),
    "a function by its module": (config(gadget), "enable_unsafe|function"),
    "a class by its module": (config(lambda layer: layer.update(module="os", class_name="system")), "os.system"),
    "a class registered": (config(lambda layer: layer.update(registered_name="elsewhere>OfOurOwn")), "Conv2D"),
    "an array in its description": (
        config(lambda layer: layer["config"].update(x={"class_name": "__numpy__"})),
        "numpy",
    ),
    "a type in its description": (
        config(lambda layer: layer["config"].update(x={"class_name": "__typespec__"})),
        "type",
    ),
    "a class where an identity should be": (
        config(lambda layer: layer["config"].update(x={"shared_object_id": {"class_name": "Lambda"}})),
        "Lambda",
    ),
    "a billion filters": (config(lambda layer: layer["config"].update(filters=10**9)), "the number 1e"),
    "an infinite number": (config(lambda layer: layer["config"].update(filters=float("inf"))), "the number inf"),
    "many filters of many": (config(wide), "more weights than it holds"),
    "weights beside its own": (config(lambda layer: layer["config"].update(lora_rank=2**16)), "beside"),
    "a bomb in HDF5": (weights(chunks), "claim to be larger"),
    "a size that overflows": (weights(overflowing), "claim to be larger"),
    "weights in another file": (weights(external_storage), "other files"),
    "weights put together from other files": (weights(virtual), "other files"),
    "a link to another file": (link(h5py.ExternalLink("/etc/hostname", "/")), "link elsewhere"),
    "a link within": (link(h5py.SoftLink("/layers")), "link elsewhere"),
    "no HDF5": (members(lambda files: files.update({WEIGHTS: b"x" * 1000})), "no Keras archive"),
}


def sealed(folder: Path, spoil: Callable[[Path], object]) -> Bundle:
    """A bundle whose checksums are right, so that only its model is not."""
    model().save(folder / MODEL)
    spoil(folder)
    (folder / "golden.png").write_bytes(phantoms.png(phantoms.draw("Hand", np.random.default_rng(0))))
    golden = Golden(file="golden.png", probabilities=[0.5, 0.5])
    manifest = Manifest(name="toy", classes=["a", "b"], input=Input(size=32, resample=RESAMPLE), golden=[golden])
    return bundle.seal(folder, manifest)


@pytest.mark.parametrize("case", BAD)
def test_a_model_that_is_not_of_known_layers_and_honest_sizes_is_refused(case: str, tmp_path: Path) -> None:
    spoil, words = BAD[case]
    opened = sealed(tmp_path, spoil)
    with pytest.raises(BundleError, match=words) as refused:
        archive.inspect(opened)
    assert str(refused.value).startswith("The model of toy-")
    assert str(refused.value).endswith(".")
    assert len(str(refused.value)) < 250


def test_a_model_of_known_layers_is_let_through(tmp_path: Path) -> None:
    more = (layers.ReLU(), layers.Dropout(0.5), layers.MaxPooling2D(), layers.Conv2D(4, 3, groups=1, use_bias=False))
    archive.inspect(sealed(tmp_path, lambda folder: model(*more).save(folder / MODEL)))


@pytest.mark.parametrize("name", COMMITTED)
def test_every_bundle_of_the_repository_is_let_through(name: str) -> None:
    archive.inspect(bundle.read(ROOT / "model_artifacts" / name))


@pytest.mark.parametrize("command", ["check", "serve"])
def test_the_command_line_refuses_such_a_model_in_one_line(command: str, tmp_path: Path) -> None:
    folder = sealed(tmp_path, lambda_).folder
    options = ["serve", "--port", "0", "--bundle"] if command == "serve" else ["check"]
    done = run("app", *options, folder)
    assert done.returncode == 3
    [sentence] = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert "cannot be trusted" in sentence
    assert "Traceback" not in done.stderr


def test_one_altered_byte_of_any_listed_file_is_refused_in_words(artifacts: Path, tmp_path: Path) -> None:
    folder = tmp_path / "bundle"
    shutil.copytree((artifacts / "current").resolve(), folder)
    listed = bundle.read(folder).manifest.files
    assert len(listed) > 5
    random = np.random.default_rng(0)
    for name in listed:
        content = (folder / name).read_bytes()
        for place in (0, len(content) - 1, *random.integers(len(content), size=6)):
            altered = bytearray(content)
            altered[place] ^= 1 << int(random.integers(8))
            (folder / name).write_bytes(altered)
            with pytest.raises(BundleError, match=f"cannot be trusted: {name} is missing or was altered"):
                bundle.read(folder)
        (folder / name).write_bytes(content)
    bundle.read(folder)


def test_a_listed_file_that_is_a_link_out_of_the_bundle_is_refused(artifacts: Path, tmp_path: Path) -> None:
    folder = tmp_path / "bundle"
    shutil.copytree((artifacts / "current").resolve(), folder)
    (folder / MODEL).rename(tmp_path / "elsewhere.keras")
    (folder / MODEL).symlink_to(tmp_path / "elsewhere.keras")
    with pytest.raises(BundleError, match=r"model\.keras is a link out of it"):
        bundle.read(folder)


def test_a_link_within_the_bundle_is_as_good_as_a_file(artifacts: Path, tmp_path: Path) -> None:
    folder = tmp_path / "bundle"  # Kubernetes mounts files so
    shutil.copytree((artifacts / "current").resolve(), folder)
    (folder / MODEL).rename(folder / ".data.keras")
    (folder / MODEL).symlink_to(".data.keras")
    bundle.read(folder)
