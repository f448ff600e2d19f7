"""What whoever embeds a compiled model elsewhere has to know of it, for people and programs alike."""

from hashlib import sha256
from typing import Any

from ai_edge_litert.interpreter import Interpreter
from pydantic import JsonValue

from app.model.bundle import CARD, Bundle
from app.model.classifier import quiet

ABOUT = {  # by the name of a tensor; of its shape, -1 is n
    "probabilities": "Of n pictures, of each of `classes` in their order; a row sums to 1.",
    "ood_score": "How strange each picture is to the model, from 0 to 1.",
    "evidence": "Where in each picture what speaks for each class lies; its mean over height and width is the logits "
    "before temperature.",
}
INPUT = "n pictures prepared as below, 0 is black and 255 white; n is 1 unless the tensor is resized."
CT_STEP = (  # where the bundle has a window; `app.imaging.dicom.display` has the rest of what is said here
    "Of a CT in Hounsfield units, grey is 255 × ((HU − center + 0.5) / (width − 1) + 0.5), rounded and cut off at 0 and "
    "255, by `ct_window` and not by the file's own."
)
STEPS = (
    "Any other DICOM is taken as a viewer shows it, through its own window, MONOCHROME1 inverted.",
    "Of 16 bits, white is the largest number of the fewest bits, at least 8, that hold all values of the picture.",
    "Colours become 0.299 red + 0.587 green + 0.114 blue; what is transparent is black.",
    "Resize to `size`, height and width, by a box filter, the mean over each area: squashed, not cropped or padded.",
    "Give these 8 bits as they are: the model itself normalises them.",
)


def note(bundle: Bundle, file: str) -> dict[str, JsonValue]:
    """What is to be known of `bundle`'s compiled model as a file of that name. Its model must be one that opens."""
    manifest = bundle.manifest
    with quiet():
        interpreter = Interpreter(model_content=bundle.compiled)
    [signature] = interpreter.get_signature_list()
    runner = interpreter.get_signature_runner(signature)
    return {
        "about": "Tells which body region a radiology picture shows. Not a medical device, not for diagnosis; a person decides.",
        "bundle": bundle.title,
        "file": file,
        "sha256": sha256(bundle.compiled).hexdigest(),
        "signature": signature,
        "inputs": [_tensor(name, found, INPUT) for name, found in runner.get_input_details().items()],
        "outputs": [_tensor(name, found, ABOUT[name]) for name, found in runner.get_output_details().items()],
        "preprocessing": {
            "size": [manifest.input.size] * 2,
            "filter": "box",
            "ct_window": manifest.input.ct_window and manifest.input.ct_window.model_dump(),
            "steps": [CT_STEP, *STEPS] if manifest.input.ct_window else [*STEPS],
        },
        "classes": [*manifest.classes],
        "label": "The class of the highest of `probabilities`; none where `threshold` refuses the picture.",
        "threshold": manifest.ood
        and {
            "output": "ood_score",
            "value": manifest.ood.threshold,
            "about": "A picture whose score lies above is refused: it is unlike all that the model knows.",
        },
        "temperature": {
            "value": manifest.temperature,
            "about": "Applied already: logits are divided by it on the way to `probabilities`.",
        },
        "credit": _credit(bundle),
    }


def _tensor(name: str, found: dict[str, Any], about: str) -> dict[str, JsonValue]:
    """`tensor` is its name where a runtime knows no signatures."""
    return {
        "name": name,
        "tensor": found["name"],
        "dtype": found["dtype"].__name__,
        "shape": found["shape_signature"].tolist(),
        "about": about,
    }


def _credit(bundle: Bundle) -> str:
    source = str(bundle.manifest.data.get("source", "not recorded"))
    beside = f"; {CARD} of the bundle names the licences and authors of the companions"
    return source + (beside if "companions" in bundle.manifest.data else "")
