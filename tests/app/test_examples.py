"""The pictures in `examples/`, which a newcomer tries first, and the notebook that reads the bundle beside them."""

from copy import deepcopy
from pathlib import Path
from typing import Any

import httpx2
import nbformat
import pytest

from tests.running import ROOT

NOTEBOOK = ROOT / "examples" / "read_the_bundle.ipynb"
EXAMPLES = {path.stem: path for path in NOTEBOOK.parent.glob("*.png")}
REGIONS = ["AbdomenCT", "BreastMRI", "CXR", "ChestCT", "Hand", "HeadCT"]
OWN_FOLDERS = (  # where Jupyter, Keras and matplotlib write
    *("HOME", "IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR"),
    *("KERAS_HOME", "MPLCONFIGDIR", "XDG_CACHE_HOME"),
)


def test_there_is_one_for_each_region_and_one_stranger() -> None:
    assert sorted(EXAMPLES) == sorted([*REGIONS, "stranger"])


@pytest.mark.parametrize("name", EXAMPLES)
def test_each_gets_the_answer_it_is_named_for(asking: httpx2.Client, name: str) -> None:
    answer = asking.post("/predict", files={"file": EXAMPLES[name].read_bytes()}).json()
    if name == "stranger":
        assert answer["label"] is None
        assert not answer["accepted"]
        assert answer["ood_score"] > 0.8
    else:
        assert (answer["label"], answer["accepted"]) == (name, True)
        assert answer["confidence"] > 0.99
        assert answer["ood_score"] < 0.05


@pytest.fixture(scope="module")
def stored() -> Any:
    return nbformat.read(NOTEBOOK, as_version=4)  # type: ignore[no-untyped-call]


def told(notebook: Any) -> list[tuple[str, list[list[str]]]]:
    """What each cell prints, and as what it shows things; what TensorFlow says beside that differs by machine."""
    outputs = [cell.outputs for cell in notebook.cells if cell.cell_type == "code"]
    return [
        (
            "".join(one.text for one in cell if one.get("name") == "stdout"),
            [sorted(one.data) for one in cell if "data" in one],
        )
        for cell in outputs
    ]


def test_the_notebook_prints_and_plots_what_is_stored_in_it(
    stored: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in OWN_FOLDERS:
        monkeypatch.setenv(name, str(tmp_path))
    from nbclient import NotebookClient

    ran = NotebookClient(
        deepcopy(stored), record_timing=False, resources={"metadata": {"path": NOTEBOOK.parent}}
    ).execute()
    for cell in ran.cells:
        if cell.cell_type == "code":
            cell.outputs = [one for one in cell.outputs if one.get("name") != "stderr"]
    ran.metadata = stored.metadata  # without this Python's version
    nbformat.write(ran, tmp_path / NOTEBOOK.name)  # type: ignore[no-untyped-call]
    assert told(ran) == told(stored), f"look at {tmp_path / NOTEBOOK.name}, and put it in the place of the stored one"


def test_the_notebook_answers_as_the_service_does(stored: Any, asking: httpx2.Client) -> None:
    printed = "".join(text for text, _ in told(stored))
    for name, path in EXAMPLES.items():
        answer = asking.post("/predict", files={"file": path.read_bytes()}).json()
        said = (
            answer["label"]
            or f"none of the six, nearest: {max(answer['probabilities'], key=answer['probabilities'].get)}"
        )
        assert f"{name}: {said} {answer['confidence']:.1%}, ood_score {answer['ood_score']:.2f}\n" in printed
