"""Folders to train on, as file servers, desktops, packers and Kaggle leave them."""

import gzip
import os
import shutil
import zipfile
from pathlib import Path
from unicodedata import normalize

import numpy as np
import pytest

from app.imaging import View
from app.model import bundle
from tests.conftest import options
from tests.dicoms import dicom
from tests.field.drawn import HAND
from tests.running import run
from training import DataError, datasets, external, folders, phantoms, split
from training.source import open_data

PICTURE = phantoms.png(HAND)


def put(folder: Path, *names: str | bytes, content: bytes = PICTURE) -> Path:
    """`content` as each of the files."""
    for name in names:
        path = folder / os.fsdecode(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


def opened(folder: Path, cache: Path) -> list[str]:
    return [*folders.classes(open_data(str(folder), cache))]


def below(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folders.files(folder))


# Splits

KAGGLE = [f"{part}/{kind}/1.jpeg" for part in ("train", "test", "val") for kind in ("NORMAL", "PNEUMONIA")]
SPLITS = {
    "Kaggle's chest X-rays": KAGGLE,
    "… which are packed twice over": [f"{top}{name}" for top in ("", "chest_xray/") for name in KAGGLE],
    "… on a Mac": [f"{top}{name}" for top in ("chest_xray/", "__MACOSX/chest_xray/._") for name in KAGGLE],
    "… in two folders": [f"archive/chest_xray/{name}" for name in KAGGLE],
    "brain tumours": ["Training/glioma/1.jpg", "Training/no tumor/1.jpg", "Testing/glioma/1.jpg"],
    "Roboflow's": ["train/Hand/1.jpg", "valid/Hand/1.jpg", "README.roboflow.txt"],
    "three words": ["training set/Hand/1.png", "validation set/Hand/1.png", "test set/Hand/1.png"],
    "Keras' examples": ["train_dir/Hand/1.png", "val_dir/Hand/1.png", "test_dir/Hand/1.png"],
    "Intel's": ["seg_train/seg_train/sea/1.jpg", "seg_test/seg_test/sea/1.jpg", "seg_pred/seg_pred/1.jpg"],
    "COCO's years": ["train2017/1.jpg", "val2017/1.jpg"],
    "a test without labels": ["train/cat/1.jpg", "train/dog/1.jpg", "test/1.jpg", "sample/1.jpg"],
    "none labelled": ["train/NORMAL-1.png", "test/PNEUMONIA-2.png"],
    "folds": ["fold_1/Hand/1.png", "fold_2/Hand/1.png"],
    "development": ["dev/Hand/1.png", "eval/Hand/1.png"],
}
NO_SPLITS = {
    "vehicles": (["train/1998/1.png", "car/1998/1.png"], ["car", "train"]),
    "good ones and bad ones": (["valid/1.png", "invalid/1.png"], ["invalid", "valid"]),
    "words that hold others": (["testis/1.png", "trainer/1.png"], ["testis", "trainer"]),
    "tests of one kind": (["stress test/1/1.png", "walking test/1/1.png"], ["stress test", "walking test"]),
    "splits below the classes": (["Hand/train/1.png", "Hand/test/1.png", "CXR/train/1.png"], ["CXR", "Hand"]),
    "patients below the classes": (["Hand/p1/1.png", "Hand/p2/2.png", "CXR/p1/1.png"], ["CXR", "Hand"]),
    "one split": (["chest/train/CXR/1.png", "chest/train/Hand/1.png"], ["CXR", "Hand"]),
}


@pytest.mark.parametrize("packed", ["", "zip", "gztar"])
@pytest.mark.parametrize("name", SPLITS)
def test_splits_are_no_classes_and_are_not_put_together(tmp_path: Path, name: str, packed: str) -> None:
    data = put(tmp_path / "data", *SPLITS[name])
    if packed:
        data = Path(shutil.make_archive(str(tmp_path / "packed"), packed, data))
    with pytest.raises(DataError, match=r"are splits, not classes; give one, such as .*\.$"):
        opened(data, tmp_path / "cache")


@pytest.mark.parametrize(("names", "expected"), NO_SPLITS.values(), ids=NO_SPLITS)
def test_classes_that_are_called_like_a_split_are_classes(
    tmp_path: Path, names: list[str], expected: list[str]
) -> None:
    assert opened(put(tmp_path / "data", *names), tmp_path / "cache") == expected


@pytest.mark.parametrize("arguments", [["split", "--out", "out"], ["--runs", "runs"]], ids=["split", "train"])
def test_splits_are_one_sentence_and_code_2(tmp_path: Path, arguments: list[str]) -> None:
    data = put(tmp_path / "data", *SPLITS["Keras' examples"])
    *words, place = arguments
    done = run("training", *words, tmp_path / place, "--data", data, "--cache", tmp_path / "cache")
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert f"such as {data}/train_dir," in done.stderr
    assert not (tmp_path / place).exists()


# What other programs leave

LEFT_BEHIND = [
    *(
        "@eaDir/1.png/SYNOPHOTO_THUMB_SM.jpg",
        "@eaDir/1.png@SynoEAStream",
        "#recycle/1.png",
        "#snapshot/1.png",
    ),  # Synology
    *(".@__thumb/default1.png", "@Recycle/1.png", "@Recently-Snapshot/1.png"),  # QNAP
    *("Thumbs.db", "thumbs.db", "Desktop.ini", "desktop.ini", "$RECYCLE.BIN/S-1-5/$R1.png"),  # Windows
    *("System Volume Information/1.png", "1.png:Zone.Identifier", "Thumbs.db:encryptable"),
    *(".DS_Store", "._1.png", "__MACOSX/1.png", "__MACOSX/Hand/._1.png", ".Trashes/501/1.png", "Icon\r"),  # macOS
    *(".ipynb_checkpoints/1-checkpoint.png", "lost+found/1.png", ".nfs000000", ".Trash-1000/files/1.png"),  # Unix
    "DICOMDIR",
]
TAKEN = ["1.PNG", "2", "3.dcm", "#4.png", "@5.png", "Thumbs/6.png", "deep/er/7.jpg", "recycle/8.png", "a.b/9.png"]


@pytest.mark.parametrize("name", LEFT_BEHIND)
def test_what_systems_leave_is_no_class_and_no_picture(tmp_path: Path, name: str) -> None:
    data = put(tmp_path / "data", name, f"Hand/{name}", f"Hand/patient/{name}", "Hand/1.png", "CXR/1.png")
    elsewhere = put(tmp_path / "elsewhere", f"in/{name}", f"in/Hand/{name}", "in/Hand/patient/1.png", f"out/{name}")
    assert opened(data, tmp_path) == ["CXR", "Hand"]
    assert below(data) == ["CXR/1.png", "Hand/1.png"]
    assert len(external.read(elsewhere, ["CXR", "Hand"], View(32)).labels) == 1


def test_other_names_are_pictures_whatever_they_end_in(tmp_path: Path) -> None:
    data = put(tmp_path, *(f"{kind}/{name}" for kind in ("@home", "#1") for name in TAKEN))
    put(data, "#1/3.dcm", content=dicom(HAND.astype(np.uint16)))
    pictures = datasets.load(data, View(32), tmp_path / ".cache")
    assert pictures.classes == ["#1", "@home"]
    assert len(pictures.labels) == 2 * len(TAKEN)
    assert not len(pictures.unreadable)


def test_thumbnails_of_a_file_server_are_not_laid_out(data: Path, tmp_path: Path) -> None:
    own = Path(shutil.copytree(data, tmp_path / "own"))
    for path in [*own.glob("*/*.png")]:
        put(path.parent / "@eaDir" / path.name, "SYNOPHOTO_THUMB_SM.jpg", content=path.read_bytes())
    done = run("training", "split", "--data", own, "--out", tmp_path / "out", "--cache", tmp_path / "cache")
    assert done.returncode == 0, done.stderr
    assert len([*(tmp_path / "out").glob("*_dir/*/*.png")]) == len([*(tmp_path / "out").rglob("*.*g")]) == 180


def test_linked_folders_are_entered_and_circles_are_not(tmp_path: Path) -> None:
    put(tmp_path / "far", "p1/1.png")
    data = put(tmp_path / "data", "Hand/2.png", "CXR/1.png")
    (data / "Hand" / "near").symlink_to(tmp_path / "far", target_is_directory=True)
    (data / "Hand" / "circle").symlink_to(data / "Hand", target_is_directory=True)
    assert below(data) == ["CXR/1.png", "Hand/2.png", "Hand/near/p1/1.png"]


# Names

SPELT = ["hand ct", "HAND-CT", "Hand_CT", " HandCT", "handct ", "HandCT_", "Ｈandct", "None", "NONE"]
OTHER = ["HandCTA", "Hand CT 2", "1-2", "-1", "HandCT+", "nonen"]


@pytest.mark.parametrize("name", SPELT)
def test_a_class_spelt_otherwise_is_asked_about(tmp_path: Path, name: str) -> None:
    extra = put(tmp_path, f"{name}/1.png")
    with pytest.raises(DataError, match=r"^Is the extra folder .* the class (HandCT|none)\? "):
        folders.join(["HandCT", "12", "1"], folders.classes(extra))


@pytest.mark.parametrize("name", OTHER)
def test_a_class_that_differs_in_more_is_another(tmp_path: Path, name: str) -> None:
    known = ["HandCT", "12", "1"]
    assert folders.join(known, folders.classes(put(tmp_path, f"{name}/1", "none/1", "12/1"))) == [*known, name]


def test_two_spellings_in_one_folder_are_asked_about(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"Chest CT and .*chest_ct differ in spelling alone"):
        opened(put(tmp_path, "Chest CT/1.png", "chest_ct/1.png"), tmp_path)


def test_an_accent_that_a_mac_takes_apart_is_the_same(data: Path, tmp_path: Path) -> None:
    apart, composed = (normalize(form, "Schädel") for form in ("NFD", "NFC"))
    main, extra = (put(tmp_path / name, f"{name}/1.png", "Hand/ü.png") for name in (apart, composed))
    known = folders.classes(main)
    assert [*known] == ["Hand", composed]
    assert folders.join([*known], folders.classes(extra)) == ["Hand", composed]
    assert external.read(put(tmp_path / "elsewhere", f"in/{apart}/1.png"), [composed], View(32)).kinds == [composed]


def test_a_listing_is_the_same_on_a_mac_and_names_bytes_that_are_no_letters(data: Path, tmp_path: Path) -> None:
    own = Path(shutil.copytree(data, tmp_path / "own"))
    (own / "Hand/000000.png").rename(own / normalize("NFD", "Hand/ä.png"))
    (own / "Hand/000001.png").rename(own / os.fsdecode(b"Hand/\xe4.png"))
    parts = split.make(datasets.load(own, View(32), tmp_path / "cache"), "blocked", 0)
    assert {"Hand/ä.png", "Hand/\\xe4.png"} < {line.split(",")[0] for line in parts.listing().splitlines()}
    assert np.array_equal(split.restore(parts.pictures, parts.listing(), "odd").assigned, parts.assigned)


@pytest.mark.parametrize("name", [b"two\nlines", b"\x1b[31mred", b"Sch\xe4del", b"  "])
def test_a_class_that_a_bundle_cannot_name_is_refused(tmp_path: Path, name: bytes) -> None:
    data = put(tmp_path, "Hand/1.png", name + b"/1.png")
    with pytest.raises(DataError, match=r"No class can be called '[ -~]*'"):
        opened(data, tmp_path)


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        (["--name", "My Model"], "A bundle cannot be called 'My Model'"),
        (["--name", "mednist\n"], "A bundle cannot be called"),
        (["--name", "a" * 201], "A bundle cannot be called"),
        (["--name", "../up"], "A bundle cannot be called"),
        (["--external", "elsewhere"], "in/hand is none of the bundle's classes, which are AbdomenCT, Hand, HeadCT."),
        (["--external", "broken"], "The content is not"),
        (["--external", "nothing"], "has no pictures under in, off_protocol, out."),
        (["--extra", "spelt"], "Is the extra folder hand the class Hand?"),
        (["--extra", "wrapped"], "wrapped/more is no class but holds some (Hand, none); give --extra"),
        (["--extra", "empty"], "The class Foot has too few pictures for train, val and test: 0."),
        (["--dicom", "terms.json"], "has terms for hand, which is no class."),
    ],
    ids=lambda value: "=".join(value)[:20] if isinstance(value, list) else "",
)
def test_what_is_wrong_is_said_before_anything_is_decoded(
    data: Path, tmp_path: Path, more: list[str], sentence: str
) -> None:
    put(tmp_path, "elsewhere/in/hand/1.png", "spelt/hand/1.png", "wrapped/more/Hand/1.png", "wrapped/more/none/1.png")
    put(tmp_path, "nothing/Hand/1.png", "empty/Foot/.DS_Store", "empty/Foot/p1/Thumbs.db")
    put(tmp_path, "broken/in/Hand/1.png", content=b"no picture")
    put(tmp_path, "terms.json", content=b'{"hand": {"body_part": ["HAND"]}}')
    option, value = more
    done = run("training", *options(data, tmp_path), option, value if option == "--name" else tmp_path / value)
    assert done.returncode == 2
    assert sentence in done.stderr
    assert (len(done.stderr.splitlines()), done.stdout) == (1, "")
    assert not (tmp_path / "runs").exists()


def test_a_class_called_none_is_refused_beside_the_classes(data: Path, tmp_path: Path) -> None:
    own = put(Path(shutil.copytree(data, tmp_path / "own")), "none/1", "none/2", "none/3")
    done = run("training", *options(own, tmp_path))
    assert (done.returncode, done.stdout) == (2, "")
    assert (
        done.stderr == "error: none is no class; pictures of none of the classes stand in none/ of an --extra folder.\n"
    )


def test_names_that_look_odd_train_to_the_end(data: Path, tmp_path: Path) -> None:
    names = {"AbdomenCT": "a$\\b$, [/c]", "Hand": normalize("NFD", "Schädel"), "HeadCT": "head_ct"}
    own = Path(shutil.copytree(data, tmp_path / "own"))
    for old, new in names.items():
        (own / old).rename(own / new.replace("/", "∕"))
    (own / "head_ct/000000.png").rename(own / "head_ct" / os.fsdecode(b"\xe4[red].png"))
    elsewhere = put(tmp_path / "elsewhere", "in/head_ct/@eaDir/1.png/thumb.jpg", "in/head_ct/p1/1.png", "in/Schädel/1")
    put(elsewhere, "off_protocol/head_ct_side/1.png", "out/$x_{/1.png")
    put(elsewhere, "provenance.csv", content="file,source\nin/Schädel/1,drawn\n".encode("utf-8-sig"))
    done = run("training", *options(own, tmp_path), "--external", elsewhere, "--name", "odd_1-a")
    assert done.returncode == 0, done.stderr
    published = bundle.read(tmp_path / "artifacts" / "current")
    assert published.manifest.classes == ["Schädel", "a$\\b$, [∕c]", "head_ct"]
    assert {"off_protocol_wrong_head_ct_side", "external_accuracy_drawn"} < published.manifest.metrics.keys()
    assert "\\xe4[red].png" in gzip.decompress(published.path("manifest.csv.gz").read_bytes()).decode()


# Too little, and archives

TOO_LITTLE = {
    "one picture": (["Hand/1.png"], "The class Hand has too few pictures for train, val and test: 1."),
    "one picture three times": (["Hand/1.png", "Hand/2.png", "Hand/3.png"], "The class Hand has too few different"),
    "none that can be read": (
        ["Hand/a.txt", "Hand/b.txt", "Hand/c"],
        "3 of 123 files cannot be read, the first is Hand/",
    ),
    "folders in folders": (["Hand/p1/p2/.keep"], "The class Hand has too few pictures for train, val and test: 0."),
}


@pytest.mark.parametrize(("names", "sentence"), TOO_LITTLE.values(), ids=TOO_LITTLE)
def test_a_class_with_too_little_is_one_sentence(data: Path, tmp_path: Path, names: list[str], sentence: str) -> None:
    own = Path(shutil.copytree(data, tmp_path / "own"))
    shutil.rmtree(own / "Hand")
    put(own, *names, content=PICTURE if names[0].endswith("png") else b"no picture")
    done = run("training", *options(own, tmp_path))
    assert done.returncode == 2
    assert sentence in done.stderr.splitlines()[-1]
    assert not (tmp_path / "runs").exists()


def test_a_zip_of_powershell_5_which_writes_backslashes_is_opened(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "data.zip", "w") as packed:
        for name in ("Hand", "CXR", "@eaDir"):
            packed.writestr(zipfile.ZipInfo(f"data\\{name}\\1.png"), PICTURE)
        packed.writestr(zipfile.ZipInfo("..\\..\\..\\escaped.png"), PICTURE)
    assert opened(tmp_path / "data.zip", tmp_path / "deep" / "cache") == ["CXR", "Hand"]
    assert not [path for path in tmp_path.rglob("escaped.png") if "cache" not in path.parts]


@pytest.mark.parametrize(("flag", "method"), [(1, 0), (0, 9)], ids=["with a password", "Deflate64, as Windows packs"])
def test_a_zip_that_cannot_be_unpacked_is_one_sentence(tmp_path: Path, flag: int, method: int) -> None:
    with zipfile.ZipFile(tmp_path / "data.zip", "w") as packed:
        packed.writestr("Hand/1.png", PICTURE)
    content = bytearray((tmp_path / "data.zip").read_bytes())
    for place in (content.index(b"PK\3\4") + 6, content.index(b"PK\1\2") + 8):  # general purpose flags, then the method
        content[place], content[place + 2] = flag, method
    (tmp_path / "data.zip").write_bytes(content)
    with pytest.raises(DataError, match="is encrypted or compressed in a way that is not read here"):
        opened(tmp_path / "data.zip", tmp_path / "cache")
    assert not [*(tmp_path / "cache").iterdir()]
