"""The slips that are common with curl: each is refused as ever, and told what was meant."""

import io
import shutil
import subprocess
import tarfile
from pathlib import Path

import httpx2
import pytest

from tests.app.asked import assert_problem
from tests.hostile.case import HAND, encoded, zipped
from tests.running import Server

TEXT_FIELD = "The field file holds text, not a file; with curl it is file=@path."
TEXT_BODY = "The body is text, not a file; with curl it is --data-binary @path, or -F file=@path."
IN_JSON = "The content is JSON, not a picture; send the picture's own bytes, as body or in a form's field."
IN_ARCHIVE = "The content is an archive such as a zip, tar or gz; the command bodyregion classify reads those."
LINE_ENDS = "; curl's -d @path leaves out line ends, --data-binary @path sends the file as it is."
NO_PICTURE = "The content is not a DICOM, JPEG, PNG, TIFF, BMP or WebP picture"
MARKER = "zebrafish"


def tarred(mode: str) -> bytes:
    memory = io.BytesIO()
    with tarfile.open(fileobj=memory, mode=mode) as archive:  # type: ignore[call-overload]
        archive.addfile(tarfile.TarInfo("empty"))
    return memory.getvalue()


FILES = {
    "hand.png": encoded(HAND, "PNG"),
    "hand.jpeg": encoded(HAND, "JPEG", quality=98),
    "picture.json": b'{"url": "https://zebrafish.example/hand.png"}',
    "pictures.json": b'[\n  {"image": "zebrafish"}\n]',
    "hands.zip": zipped({"zebrafish.png": encoded(HAND, "PNG")}),
    "hands.tar": tarred("w"),
    "hands.tar.gz": tarred("w:gz"),
    "noise": bytes(range(128, 256)) * 9,
}
TYPED = "Content-Type: image/jpeg"
SLIPS = [
    (["-F", f"file=/home/{MARKER}/hand.jpeg"], 415, TEXT_FIELD),
    (["-F", f"file=/home/{MARKER}/händ.jpeg;type=image/jpeg"], 415, TEXT_FIELD),
    (["-d", f"file=/home/{MARKER}/hand.jpeg"], 415, TEXT_BODY),
    (["--data-binary", f"{MARKER}.jpeg", "-H", TYPED], 415, TEXT_BODY),
    (["-d", '{"url": "https://zebrafish.example/hand.png"}'], 415, IN_JSON),
    (["-d", "@picture.json", "-H", "Content-Type: application/json"], 415, IN_JSON),
    (["--data-binary", "@pictures.json"], 415, IN_JSON),
    (["-F", "file=@picture.json"], 415, IN_JSON),
    (["-d", "@hand.jpeg"], 400, "The JPEG file is damaged or cut short" + LINE_ENDS),
    (["--data", "@hand.png"], 415, NO_PICTURE + LINE_ENDS),
    (["--data-binary", "@hands.zip"], 415, IN_ARCHIVE),
    (["-F", "file=@hands.tar"], 415, IN_ARCHIVE),
    (["-F", "file=@hands.tar.gz"], 415, IN_ARCHIVE),
    (["-F", "file=@noise"], 415, NO_PICTURE + "."),
    (["-F", "file=<noise"], 415, NO_PICTURE + "."),
    (["--data-binary", "@noise", "-H", TYPED], 415, NO_PICTURE + "."),
    (["--data-binary", MARKER, "-H", "Content-Type: application/octet-stream"], 415, NO_PICTURE + "."),
]


@pytest.mark.parametrize("route", ["/predict", "/explain", "/thumbnail"])
@pytest.mark.parametrize(("words", "status", "sentence"), SLIPS)
def test_a_slip_with_curl_is_told_what_was_meant(
    committed: Server, tmp_path: Path, words: list[str], status: int, sentence: str, route: str
) -> None:
    if not (curl := shutil.which("curl")):
        pytest.skip("there is no curl")
    for name, data in FILES.items():
        (tmp_path / name).write_bytes(data)
    asked = [curl, "-sS", "-w", "\n%{http_code}", *words, committed.address + route]
    told = subprocess.run(asked, cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    assert f'"detail":"{sentence}"' in told
    assert told.endswith(f"\n{status}")
    assert MARKER not in told


def test_each_file_of_a_batch_has_its_own_hint(asking: httpx2.Client, hand: bytes) -> None:
    parts = [(None, f"/home/{MARKER}/hand.png".encode()), ("hand.png", hand), ("hands.zip", FILES["hands.zip"])]
    answer = asking.post("/predict/batch", files=[("files", part) for part in parts])
    text, judged, archive = answer.json()["results"]
    assert text["error"]["detail"] == "The field files holds text, not a file; with curl it is files=@path."
    assert judged["label"] == "Hand"
    assert archive["error"]["detail"] == IN_ARCHIVE


def test_a_picture_without_a_file_name_is_judged(asking: httpx2.Client, hand: bytes) -> None:
    assert asking.post("/predict", files={"file": (None, hand)}).json()["label"] == "Hand"


def test_an_unknown_choice_of_frames_is_told_which_there_are(asking: httpx2.Client, hand: bytes) -> None:
    answer = asking.post("/predict", content=hand, params={"frames": MARKER})
    assert_problem(answer, 422)
    assert answer.json()["detail"] == "The parameter frames is middle or all."
