"""A `.keras` file looked at before Keras opens it: safe_mode alone lets classes pass that run code or read other files."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from zipfile import ZipFile

CONFIG, METADATA, WEIGHTS = "config.json", "metadata.json", "model.weights.h5"

# Built-in, without code of their own.
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


class NotAllowed(Exception):
    """Why, as the rest of a sentence."""


def inspect(path: Path) -> None:
    """Raises NotAllowed where the file holds more than Keras writes, or a class that is not among those above.

    Any other error means that it is no such archive. Sizes are not looked at: what opens it has a limit on memory.
    """
    with ZipFile(path) as archive:
        if sorted(archive.namelist()) != [CONFIG, METADATA, WEIGHTS]:
            raise NotAllowed("it holds other files than Keras writes")
        for item in _objects(json.loads(archive.read(CONFIG))):
            _check(item)


def _objects(value: Any) -> Iterator[dict[str, Any]]:
    rest = [value]
    while rest:
        value = rest.pop()
        if isinstance(value, dict):
            yield value
            rest += value.values()
        elif isinstance(value, list):
            rest += value


def _check(item: dict[str, Any]) -> None:
    if not item.keys() & {"class_name", "module", "registered_name"}:
        return
    module, name = item.get("module"), item.get("class_name")
    if name not in ALLOWED.get(module, ()) or item.get("registered_name") not in (None, name):
        raise NotAllowed(f"it uses {f'{module}.{name}'!r:.80}, which is not among the layers we open")
