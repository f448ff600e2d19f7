"""Bundles with models that Keras would not have written, or not for us."""

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile

import h5py
import keras
import numpy as np
from keras import layers

from app.imaging import RESAMPLE
from app.model import bundle
from app.model.bundle import MODEL, Bundle
from app.model.manifest import Golden, Input, Manifest
from training import phantoms

CONFIG, WEIGHTS = "config.json", "model.weights.h5"
Spoil = Callable[[Path], object]  # what is done to the folder of a sound model


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


def members(change: Callable[[dict[str, bytes]], object], compression: int = 0) -> Spoil:
    """The model's archive with its members changed."""

    def rewrite(folder: Path) -> None:
        with ZipFile(folder / MODEL) as opened:
            files = {name: opened.read(name) for name in opened.namelist()}
        change(files)
        with ZipFile(folder / MODEL, "w", compression) as file:
            for name, data in files.items():
                file.writestr(name, data)

    return rewrite


def member(name: str, content: bytes) -> Spoil:
    return members(lambda files: files.update({name: content}))


def config(change: Callable[[dict[str, Any]], object]) -> Spoil:
    """The model with another description, of which `change` is given that of the convolution."""

    def describe(files: dict[str, bytes]) -> None:
        described = json.loads(files[CONFIG])
        change(next(layer for layer in described["config"]["layers"] if layer["class_name"] == "Conv2D"))
        files[CONFIG] = json.dumps(described).encode()

    return members(describe)


def option(name: str, value: object) -> Spoil:
    return config(lambda layer: layer["config"].update({name: value}))


def weights(change: Callable[[h5py.File], object]) -> Spoil:
    """The model with other weights."""

    def store(files: dict[str, bytes]) -> None:
        buffer = io.BytesIO(files[WEIGHTS])
        with h5py.File(buffer, "r+") as file:
            change(file)
        files[WEIGHTS] = buffer.getvalue()

    return members(store)


def link(target: h5py.ExternalLink | h5py.SoftLink) -> Spoil:
    return in_its_place(lambda values: values.__setitem__("0", target))


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


def in_its_place(make: Callable[[h5py.Group], object]) -> Spoil:
    """The kernel of the convolution, made by `make` in another way."""

    def replace(file: h5py.File) -> None:
        values = file["layers/conv2d/vars"]
        del values["0"]
        make(values)

    return weights(replace)


def chunks(values: h5py.Group) -> None:
    """A gigabyte of zeros in a few thousand bytes."""
    values.create_dataset("0", (2**14, 2**14), "f4", chunks=(2**10, 2**10), compression="gzip")


def overflowing(values: h5py.Group) -> None:
    """A size that is 0 in 64 bits."""
    values.create_dataset("0", (2**40, 2**40), "f4", chunks=(1024, 1024))


def external_storage(values: h5py.Group) -> None:
    values.create_dataset("0", (8,), "u1", external=[("/etc/hostname", 0, 8)])


def virtual(values: h5py.Group) -> None:
    layout = h5py.VirtualLayout((8,), "u1")
    layout[:] = h5py.VirtualSource("/etc/hostname", "data", (8,))
    values.create_virtual_dataset("0", layout)


BAD: dict[str, tuple[Spoil, str]] = {  # before Keras sees it, and words of the refusal
    "a Lambda layer": (lambda_, "Lambda"),
    "a layer registered elsewhere": (custom, "OfOurOwn"),
    "an .h5 by another name": (hdf5, "no Keras archive"),
    "no archive at all": (lambda folder: (folder / MODEL).write_bytes(b"PK\3\4"), "no Keras archive"),
    "a file beside those of Keras": (member("assets/x", b""), "other files"),
    "a member outside": (member("../x", b""), "other files"),
    "a file of Keras missing": (members(lambda files: files.pop(WEIGHTS)), "other files"),
    "a description of many bytes": (members(lambda files: files.update({CONFIG: b" " * 2**24})), "no Keras archive"),
    "a description that nests": (member(CONFIG, b"[" * 10**6), "no Keras archive"),
    "a function by its module": (config(gadget), "keras.config.function"),
    "a class by its module": (config(lambda layer: layer.update(module="os", class_name="system")), "os.system"),
    "a class registered": (config(lambda layer: layer.update(registered_name="elsewhere>OfOurOwn")), "Conv2D"),
    "an array in its description": (option("x", {"class_name": "__numpy__"}), "numpy"),
    "a type in its description": (option("x", {"class_name": "__typespec__"}), "type"),
    "a class where an identity should be": (option("x", {"shared_object_id": {"class_name": "Lambda"}}), "Lambda"),
}
WORSE: dict[str, Spoil] = {  # refused by Keras, or for want of memory
    "a bomb in zip": members(lambda files: files.update({WEIGHTS: bytes(2**32)}), ZIP_DEFLATED),
    "a billion filters": option("filters", 10**9),
    "an infinite number": option("filters", float("inf")),
    "many filters of many": config(wide),
    "a bomb in HDF5": in_its_place(chunks),
    "a size that overflows": in_its_place(overflowing),
    "weights in another file": in_its_place(external_storage),
    "weights put together from other files": in_its_place(virtual),
    "a link to another file": link(h5py.ExternalLink("/etc/hostname", "/")),
    "a link within": link(h5py.SoftLink("/layers")),
    "no HDF5": member(WEIGHTS, b"x" * 1000),
}


def sealed(folder: Path, spoil: Spoil) -> Bundle:
    """A bundle whose checksums are right, so that only its model is not."""
    model().save(folder / MODEL)
    spoil(folder)
    (folder / "golden.png").write_bytes(phantoms.png(phantoms.draw("Hand", np.random.default_rng(0))))
    golden = Golden(file="golden.png", probabilities=[0.5, 0.5])
    manifest = Manifest(name="toy", classes=["a", "b"], input=Input(size=32, resample=RESAMPLE), golden=[golden])
    return bundle.seal(folder, manifest)
