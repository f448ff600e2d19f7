"""A `.keras` file looked at before Keras opens it: safe_mode is neither a sandbox nor a limit.

What is promised: Keras meets no class but those below, and takes no more memory for weights than the file holds of them.
HDF5's own library still reads the file.
"""

import io
import json
from collections.abc import Iterator
from functools import lru_cache
from math import prod
from pathlib import Path
from typing import Any
from zipfile import ZIP_STORED, ZipFile

import h5py

from app.model.bundle import MODEL, Bundle, BundleError

CONFIG, METADATA, WEIGHTS = "config.json", "metadata.json", "model.weights.h5"
MOST_JSON_BYTES = 8 * 2**20  # our largest has 14 KB
MOST = 2**16  # of anything counted: filters, units, pixels a side

# Built-in, without code of their own; only Conv2D and Dense have weights, which `_asked` counts.
LAYERS = {
    *("Activation", "Add", "AveragePooling2D", "Concatenate", "Conv2D", "Dense", "Dropout", "Flatten"),
    *("GlobalAveragePooling2D", "GlobalMaxPooling2D", "InputLayer", "MaxPooling2D", "Multiply", "ReLU", "Rescaling"),
    *("Softmax", "SpatialDropout2D"),
}
INITIALIZERS = {"GlorotNormal", "GlorotUniform", "HeNormal", "HeUniform", "Ones", "RandomNormal", "Zeros"}
ALLOWED = {
    None: {"__keras_tensor__"},
    "keras": {"DTypePolicy"},
    "keras.layers": LAYERS,
    "keras.initializers": INITIALIZERS,
    "keras.regularizers": {"L1", "L1L2", "L2"},
    "keras.src.models.functional": {"Functional"},
    "keras.src.ops.math": {"Logsumexp"},
    "keras.src.ops.nn": {"Sigmoid", "Softmax"},
    "keras.src.ops.numpy": {"Add", "Divide", "Multiply", "Negative", "Subtract", "TrueDivide"},
}


class _Refused(Exception):
    """Why, as the rest of a sentence."""


def inspect(bundle: Bundle) -> None:
    """Raises BundleError where the model is not what Keras writes for layers we know."""
    try:
        _inspect(bundle.path(MODEL), bundle.manifest.files[MODEL])
    except _Refused as refused:
        raise BundleError(f"The model of {bundle.title} cannot be trusted: {refused}.") from refused
    except Exception as error:  # whatever zip, JSON and HDF5 trip over
        raise BundleError(f"The model of {bundle.title} is no Keras archive that can be read.") from error


@lru_cache(maxsize=1)  # a bundle that takes over is looked at before it is loaded
def _inspect(path: Path, sha256: str) -> None:
    with ZipFile(path) as archive:
        _check_members(archive, path.stat().st_size)
        asked = _asked(json.loads(archive.read(CONFIG)))
        if asked > _stored(archive.read(WEIGHTS)):
            raise _Refused("it asks for more weights than it holds")


def _check_members(archive: ZipFile, size: int) -> None:
    members = archive.infolist()
    if sorted(member.filename for member in members) != [CONFIG, METADATA, WEIGHTS]:
        raise _Refused("it holds other files than Keras writes")
    if any(member.compress_type != ZIP_STORED for member in members):
        raise _Refused("it is compressed, which Keras never does")
    if sum(member.file_size for member in members) > size:
        raise _Refused("its files claim to be larger than it is")
    if any(archive.getinfo(name).file_size > MOST_JSON_BYTES for name in (CONFIG, METADATA)):
        raise _Refused("its description is too large")


def _asked(config: Any) -> int:
    """How many weights Keras would make room for, biases aside. Raises _Refused."""
    values = list(_values(config))
    for value in values:
        if isinstance(value, int | float) and not abs(value) <= MOST:
            raise _Refused(f"it holds the number {value:.3g}")
    return sum(_weights(value) for value in values if isinstance(value, dict))


def _values(value: Any) -> Iterator[Any]:
    """Every object and every plain value in it, but no identity: that is an address in memory, and large."""
    rest = [value]
    while rest:
        value = rest.pop()
        if isinstance(value, list):
            rest += value
            continue
        yield value
        if isinstance(value, dict):
            rest += [item for key, item in value.items() if key != "shared_object_id" or not isinstance(item, int)]


def _weights(item: dict[str, Any]) -> int:
    """The kernel of `item`, which may be any JSON object. Raises _Refused for a class that is not allowed."""
    if "lora_rank" in item:
        raise _Refused("it has weights beside its layers' own")
    if not item.keys() & {"class_name", "module", "registered_name"}:
        return 0
    module, name = item.get("module"), item.get("class_name")
    if name not in ALLOWED.get(module, ()) or item.get("registered_name") not in (None, name):
        raise _Refused(f"it uses {f'{module}.{name}'!r:.80}, which is not among the layers we open")
    if name == "Dense":
        return int(item["build_config"]["input_shape"][-1] * item["config"]["units"])
    return _kernel(item["config"], item["build_config"]["input_shape"]) if name == "Conv2D" else 0


def _kernel(config: dict[str, Any], shape: list[int]) -> int:
    if config["data_format"] != "channels_last":
        raise _Refused("its pictures are not stored channels last")
    return int(prod(config["kernel_size"]) * (shape[-1] // config["groups"]) * config["filters"])


def _stored(weights: bytes) -> int:
    """How many numbers an HDF5 file holds. Raises _Refused where they lie elsewhere or are claimed only."""
    links: list[Any] = []
    items: list[Any] = []
    with h5py.File(io.BytesIO(weights)) as file:
        file.visititems_links(lambda _, link: links.append(link))
        file.visititems(lambda _, item: items.append(item))
        arrays = [item for item in items if isinstance(item, h5py.Dataset)]
        if not all(isinstance(link, h5py.HardLink) for link in links):
            raise _Refused("its weights link elsewhere")
        if any(array.external or array.is_virtual for array in arrays):
            raise _Refused("its weights lie in other files")
        if sum(prod(array.shape) * array.dtype.itemsize for array in arrays) > len(weights):
            raise _Refused("its weights claim to be larger than it is")
        return sum(prod(array.shape) for array in arrays)
