"""What one row of the model's answers means to a caller."""

from app.imaging import Header
from app.model.agreement import agrees
from app.model.classifier import Answers
from app.model.manifest import Manifest


def model_ref(manifest: Manifest) -> dict[str, str]:
    return {"name": manifest.name, "version": manifest.version}


def verdict(manifest: Manifest, answers: Answers, row: int = 0, header: Header | None = None) -> dict[str, object]:
    """The fields of a prediction. A stranger gets no label; a DICOM also what its header says, and whether that agrees."""
    probabilities = dict(zip(manifest.classes, answers.probabilities[row].tolist(), strict=True))
    best = max(probabilities, key=probabilities.__getitem__)
    score = None if answers.ood_score is None else float(answers.ood_score[row])
    accepted = None if score is None or manifest.ood is None else score <= manifest.ood.threshold
    label = None if accepted is False else best
    told: dict[str, object] = {
        "label": label,
        "confidence": probabilities[best],
        "accepted": accepted,
        "ood_score": score,
        "probabilities": probabilities,
        "model": model_ref(manifest),
    }
    return told if header is None else told | {"dicom": _dicom(manifest, label, header)}


def _dicom(manifest: Manifest, label: str | None, header: Header) -> dict[str, object]:
    window = None if header.window is None else {"center": header.window[0], "width": header.window[1]}
    return {
        "modality": header.modality,
        "body_part": header.body_part,
        "rows": header.rows,
        "columns": header.columns,
        "frames": header.frames,
        "window": window,
        "agrees": agrees(manifest.dicom, label, header),
    }
