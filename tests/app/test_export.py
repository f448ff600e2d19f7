"""`compile --to`: the written model gives the service's answers to whoever has it, LiteRT and the note alone."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
import pytest

from app.model import bundle
from app.model.bundle import COMPILED
from tests.bundles import flip
from tests.running import COMMITTED, ROOT, run
from training import phantoms

# Knows nothing but what the note says: neither this project nor what its tensors, classes and sizes are.
ELSEWHERE = """
import hashlib, json, sys
from pathlib import Path

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from PIL import Image

path, *pictures = map(Path, sys.argv[1:])
note = json.loads(path.read_text())
model = (path.parent / note["file"]).read_bytes()
assert hashlib.sha256(model).hexdigest() == note["sha256"]
runner = Interpreter(model_content=model).get_signature_runner(note["signature"])
[taken] = note["inputs"]
height, width = note["preprocessing"]["size"]
how = Image.Resampling[note["preprocessing"]["filter"].upper()]
small = [np.asarray(Image.open(picture).convert("L").resize((width, height), how)) for picture in pictures]
given = runner(**{taken["name"]: np.array(small, taken["dtype"]).reshape(taken["shape"])})
for output in note["outputs"]:
    tensor = given[output["name"]]
    assert tensor.dtype == output["dtype"]
    assert [*tensor.shape] == [len(pictures), *output["shape"][1:]]
refused = np.zeros(len(pictures), bool)
if threshold := note["threshold"]:
    refused = given[threshold["output"]].ravel() > threshold["value"]
probabilities = given["probabilities"].tolist()
answers = [
    {
        "label": None if no else note["classes"][int(np.argmax(row))],
        "probabilities": dict(zip(note["classes"], row, strict=True)),
    }
    for no, row in zip(refused, probabilities, strict=True)
]
print(json.dumps(answers))
assert not [name for name in sys.modules if name.split(".")[0] in ("app", "keras", "tensorflow", "training")]
"""


def answers_elsewhere(note: Path, pictures: list[Path]) -> list[dict[str, Any]]:
    """Of a process that has the two files and cannot import this project."""
    command = [sys.executable, "-I", "-c", ELSEWHERE, str(note), *map(str, pictures)]
    done = subprocess.run(command, cwd=note.parent, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return list(json.loads(done.stdout))


def exported(folder: Path, to: Path) -> Path:
    """The path of the note."""
    done = run("app", "compile", folder, "--to", to)
    note = to.with_suffix(".json")
    said = f"{bundle.read(folder).title} is in {to}, and what it takes and gives in {note}.\n"
    assert (done.returncode, done.stdout, done.stderr) == (0, said, "")
    assert {path.name for path in to.parent.iterdir()} >= {to.name, note.name}
    assert not [*to.parent.glob(".*")]
    return note


def assert_same(found: list[dict[str, Any]], pictures: list[Path], client: httpx2.Client) -> None:
    for answer, picture in zip(found, pictures, strict=True):
        served = client.post("/predict", content=picture.read_bytes()).json()
        assert answer["label"] == served["label"]
        assert answer["probabilities"] == pytest.approx(served["probabilities"], abs=1e-6)


def test_elsewhere_it_answers_for_the_examples_as_the_service_does(tmp_path: Path, asking: httpx2.Client) -> None:
    pictures = sorted((ROOT / "examples").glob("*.png"))
    found = answers_elsewhere(exported(COMMITTED, tmp_path / "model.tflite"), pictures)
    assert [answer["label"] for answer in found] == [None if p.stem == "stranger" else p.stem for p in pictures]
    assert_same(found, pictures, asking)


def test_a_model_that_cannot_tell_strangers_has_no_threshold(
    artifacts: Path, tmp_path: Path, client: httpx2.Client
) -> None:
    pictures = [tmp_path / f"{kind}.png" for kind in ("AbdomenCT", "Hand", "HeadCT", "CXR")]
    for picture in pictures:
        picture.write_bytes(phantoms.png(phantoms.draw(picture.stem, np.random.default_rng(7))))
    note = exported(artifacts / "current", tmp_path / "small.tflite")
    assert json.loads(note.read_text())["threshold"] is None
    assert_same(answers_elsewhere(note, pictures), pictures, client)


def test_the_note_says_what_it_is_of_whose_pictures_and_what_it_is_not_for(tmp_path: Path) -> None:
    opened = bundle.read(COMMITTED)
    text = exported(COMMITTED, tmp_path / "model.tflite").read_text()
    note = json.loads(text)
    assert note["bundle"] == opened.title
    assert note["classes"] == opened.manifest.classes
    assert note["temperature"]["value"] == opened.manifest.temperature
    assert note["preprocessing"]["ct_window"] == {"center": 0, "width": 1000}
    assert "Not a medical device" in note["about"]
    assert "CC BY-SA 4.0" in note["credit"]
    assert '"shape": [-1, 64, 64, 1],\n' in text
    assert text.count("\n") < 80


def test_what_was_there_is_replaced_whole_or_not_at_all(tmp_path: Path, root: Path) -> None:
    model, note = tmp_path / "model.tflite", tmp_path / "model.json"
    model.write_text("before")
    note.write_text("before")
    flip(bundle.read(root / "current").path(COMPILED))
    assert run("app", "compile", root / "current", "--to", model).returncode == 3
    within = ["bash", "-c", 'ulimit -f 200 && "$@"', "bash"]  # KiB: neither disk nor quota holds the model
    done = run("app", "compile", COMMITTED, "--to", model, within=within)
    assert (done.returncode, done.stderr) == (2, "error: The disk: File too large.\n")
    assert (model.read_text(), note.read_text()) == ("before", "before")
    assert not [*tmp_path.glob(".*")]
    exported(COMMITTED, model)
    assert json.loads(note.read_text())["file"] == model.name
    assert model.read_bytes().startswith(b"\x1c\0\0\0TFL3")


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--to", "{}/no/model.tflite"], 2, "There is no folder {}/no."),
        (["--to", "{}/model.bin"], 2, "{}/model.bin is no .tflite file."),
        (["--to", "{}/one/model.tflite"], 2, "{}/one is a bundle, which stays as it is; choose another --to."),
        (["one", "two", "--to", "{}/m.tflite"], 2, "Only one bundle can go to a file; name one."),
        (["{}/none", "--to", "{}/m.tflite"], 3, "There is no bundle at {}/none; name the folder of one."),
    ],
)
def test_what_cannot_be_written_is_one_sentence(arguments: list[str], code: int, words: str, tmp_path: Path) -> None:
    (tmp_path / "one").symlink_to(COMMITTED)
    done = run("app", "compile", *(word.format(tmp_path) for word in arguments))
    assert (done.returncode, done.stderr) == (code, f"error: {words.format(tmp_path)}\n")
    assert [path.name for path in tmp_path.iterdir()] == ["one"]
