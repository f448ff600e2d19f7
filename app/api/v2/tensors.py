"""What the model takes and says as tensors of the Open Inference Protocol."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from app.api.errors import Malformed
from app.api.v2.wire import InferInput, InferOutput, InferRequest, Tensor
from app.model.manifest import Manifest
from app.model.prediction import Prediction

Array = npt.NDArray[Any]
Described = dict[str, object]

IMAGE, PIXELS = "image", "pixels"


def inputs(manifest: Manifest) -> list[Described]:
    """A request has one of them."""
    size = manifest.input.size
    return [_described(IMAGE, "BYTES"), _described(PIXELS, "UINT8", size, size, 1)]


def outputs(manifest: Manifest) -> list[Described]:
    """Whether a picture is accepted says only a bundle with a threshold."""
    always = [_described("probabilities", "FP32", len(manifest.classes)), _described("label", "BYTES")]
    accepting = [_described("ood_score", "FP32", 1), _described("accepted", "BOOL")]
    return always if manifest.ood is None else always + accepting


def check(tensor: InferInput, manifest: Manifest) -> None:
    """Raises Malformed where `tensor` is not what the model takes."""
    size = manifest.input.size
    takes = {(IMAGE, "BYTES"): ((), (1,)), (PIXELS, "UINT8"): ((size, size), (size, size, 1))}
    if tuple(tensor.shape[1:]) not in takes.get((tensor.name, tensor.datatype), ()):
        raise Malformed(f"The input is no BYTES tensor {IMAGE} [n] or UINT8 tensor {PIXELS} [n, {size}, {size}, 1].")


def wanted(asked: InferRequest, manifest: Manifest) -> list[InferOutput]:
    """The outputs asked for, all if none is. Raises Malformed."""
    known = [str(output["name"]) for output in outputs(manifest)]
    for index, output in enumerate(asked.outputs):
        if output.name not in known:
            raise Malformed(f"outputs.{index} names no output of this model.")
        if output.parameters.classification and output.name != "probabilities":
            raise Malformed(f"outputs.{index} asks for classes of what has none.")
    return asked.outputs or [InferOutput(name=name) for name in known]


def write_outputs(asked: InferRequest, chosen: list[InferOutput], predictions: list[Prediction]) -> Iterator[Tensor]:
    """A tensor for each chosen output."""
    for output in chosen:
        own = output.parameters.binary_data
        yield output.name, _values(output, predictions), asked.parameters.binary_data_output if own is None else own


def _described(name: str, datatype: str, *shape: int) -> Described:
    return {"name": name, "datatype": datatype, "shape": [-1, *shape]}


def _values(output: InferOutput, predictions: list[Prediction]) -> Array:
    if output.parameters.classification:
        return np.array([_classification(prediction, output.parameters.classification) for prediction in predictions])
    values = [getattr(prediction, output.name) for prediction in predictions]
    match output.name:
        case "probabilities":
            return np.array([list(probabilities.values()) for probabilities in values], np.float32)
        case "ood_score":
            return np.array(values, np.float32)[:, np.newaxis]
        case "accepted":
            return np.array(values, np.bool_)
        case _:
            return np.array([label or "" for label in values])


def _classification(prediction: Prediction, count: int) -> list[str]:
    """The most probable classes as Triton writes them, "value:index:label"."""
    indexed = [(value, index, label) for index, (label, value) in enumerate(prediction.probabilities.items())]
    best = sorted(indexed, key=lambda entry: -entry[0])[:count]
    return [f"{value:f}:{index}:{label}" for value, index, label in best]
