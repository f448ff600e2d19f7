"""python -m tests.fuzz SECONDS: change files, keep those that reach new code, and stop at the first that breaks a promise.

Only Python is watched for new code: Pillow's, pydicom's and our own; the codecs' C is run, not followed.
"""

import sys
import warnings
import zlib
from hashlib import sha1
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["app.imaging", "PIL", "pydicom"]):
    from PIL import Image

    from app.imaging import dicom  # noqa: F401 imported only when the first DICOM is met
    from tests.fuzz.judge import CRASHES, MOST_SECONDS, judge
from tests.fuzz.seeds import MOST_BYTES, seeds
from tests.hostile.chunks import SIGNATURE

KEPT = Path("runs/fuzz")  # what earlier runs found new, and where they began
MOST_MIB = 1024


def mutate(data: bytes, size: int, seed: int) -> bytes:
    """As libFuzzer would, but with a PNG's checksums right, for a wrong one ends every PNG alike."""
    return _summed(atheris.Mutate(data, size))[:size]


def _summed(data: bytes) -> bytes:
    if not data.startswith(SIGNATURE):
        return data
    fixed, at = bytearray(data), len(SIGNATURE)
    while (end := at + 8 + int.from_bytes(data[at : at + 4])) + 4 <= len(data):
        fixed[end : end + 4] = zlib.crc32(data[at + 4 : end]).to_bytes(4)
        at = end + 4
    return bytes(fixed)


def main(seconds: int) -> None:
    """Exit code 0, or another where a file was found: it lies in CRASHES."""
    begin, found = KEPT / "seeds", KEPT / "found"
    for folder in (begin, found):
        folder.mkdir(parents=True, exist_ok=True)
    for data in seeds().values():
        (begin / sha1(data).hexdigest()).write_bytes(data)
    Image.init()
    warnings.simplefilter("ignore")  # Pillow's, about each broken tag
    limits = [f"-max_total_time={seconds}", f"-timeout={MOST_SECONDS}", f"-rss_limit_mb={MOST_MIB}"]
    options = [*limits, f"-max_len={MOST_BYTES}", f"-artifact_prefix={CRASHES}/", "-print_final_stats=1"]
    atheris.Setup([sys.argv[0], *options, str(found), str(begin)], judge, custom_mutator=mutate)
    atheris.Fuzz()


if __name__ == "__main__":
    main(int(sys.argv[1]))
