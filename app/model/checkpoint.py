"""A bundle's Keras checkpoint as what serves it: kept in a cache, compiled in a process of its own, or carried along."""

import fcntl
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from secrets import token_hex
from stat import S_IMODE

from app.imaging.sandbox import bare_environment
from app.model.bundle import COMPILED, MANIFEST, MODEL, Bundle, BundleError

CACHE_FORMAT = 1  # of what is cached: another number when the compiler makes something else of the same checkpoint
COMPILER_BYTES = 2 * 2**30  # bytes of its own that a compiler may take; ours take 0.41 GiB, 0.66 with what is shared
COMPILER_CPU_SECONDS = 60  # of processor time; ours take 3
COMPILER_SECONDS = 600  # seconds: beside a service that is busy all the while it has little of a processor
EXIT_REFUSED = 3  # its exit code where it says what is wrong
BESIDE = "--beside"
PRIVATE_MODE = 0o700
DIGEST = sha256().digest_size
COMPILER_ENVIRONMENT = {"KERAS_BACKEND": "tensorflow", "CUDA_VISIBLE_DEVICES": ""} | dict.fromkeys(
    ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"), "1"
)


def default_cache() -> Path | None:
    """A folder of ours in this user's own cache; None for a user without a home."""
    with suppress(RuntimeError):
        return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "bodyregion" / "compiled"
    return None


def compiled(bundle: Bundle, cache: Path | None, *, beside: bool = False) -> Bundle:
    """`bundle` with its compiled model, as it is where it has that already. Raises BundleError.

    A cache is used if it belongs to this user alone. One that is full, damaged or cannot be written costs time only.
    What is compiled `beside` a service that answers takes the time that this one leaves.
    """
    if bundle.compiled:
        return bundle
    kept = _entry(bundle, cache)
    if not (model := _restore(kept)):
        model = _compile_once(bundle, kept, beside) if has_keras() else _carried(bundle)
    return replace(bundle, compiled=model)


def keeps(cache: Path | None, bundle: Bundle) -> bool:
    """Whether the compiled form of this checkpoint lies in the cache."""
    return _restore(_entry(bundle, cache)) is not None


def has_keras() -> bool:
    return all(find_spec(name) for name in ("keras", "tensorflow"))


def _entry(bundle: Bundle, cache: Path | None) -> Path | None:
    """The file for this checkpoint, where nobody else can put one."""
    if cache is None:
        return None
    try:
        cache.mkdir(PRIVATE_MODE, parents=True, exist_ok=True)
        found = cache.stat()
    except OSError:
        return None
    ours = (found.st_uid, S_IMODE(found.st_mode)) == (os.geteuid(), PRIVATE_MODE)
    return cache / f"{bundle.manifest.files[MODEL]}-{CACHE_FORMAT}.tflite" if ours else None


def _restore(entry: Path | None) -> bytes | None:
    """What was kept, if it is whole: LiteRT opens altered bytes as well."""
    if entry is None:
        return None
    try:
        content = entry.read_bytes()
    except OSError:
        return None
    digest, model = content[:DIGEST], content[DIGEST:]
    return model if sha256(model).digest() == digest else None


def _keep(entry: Path | None, model: bytes) -> None:
    if entry is None:
        return
    unfinished = entry.with_name(f".{token_hex(8)}")
    with suppress(OSError):
        try:
            unfinished.write_bytes(sha256(model).digest() + model)
            unfinished.replace(entry)
        finally:
            unfinished.unlink(missing_ok=True)


def _carried(bundle: Bundle) -> bytes:
    if COMPILED not in bundle.manifest.files:
        raise BundleError(
            f"The bundle {bundle.title} carries no compiled model, and Keras is not installed here; "
            "where it is, `bodyregion compile` puts one into the cache."
        )
    return bundle.path(COMPILED).read_bytes()


def _compile_once(bundle: Bundle, entry: Path | None, beside: bool) -> bytes:
    """By one process at a time; whoever waited for another finds what that one kept."""
    with _alone(bundle):
        if not (model := _restore(entry)):
            _keep(entry, model := _compile(bundle, beside))
    return model


@contextmanager
def _alone(bundle: Bundle) -> Iterator[None]:
    with bundle.path(MANIFEST).open() as file:
        with suppress(OSError):  # a file system without locks
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _compile(bundle: Bundle, beside: bool) -> bytes:
    try:
        with tempfile.TemporaryDirectory(prefix="bodyregion-") as scratch:
            done = _run(bundle, scratch, *([BESIDE] if beside else []))
    except subprocess.TimeoutExpired as late:
        raise BundleError(f"The model of {bundle.title} takes more than {COMPILER_SECONDS} s to compile.") from late
    except OSError as error:
        raise BundleError(
            f"The model of {bundle.title} cannot be compiled without a writable temporary folder; set TMPDIR."
        ) from error
    if done.returncode == EXIT_REFUSED:
        raise BundleError(done.stdout.decode())
    if done.returncode:
        raise BundleError(
            f"The model of {bundle.title} brought its compiler down, which may take {COMPILER_BYTES // 2**20:,} MiB and {COMPILER_CPU_SECONDS} s."
        )
    return done.stdout


def _run(bundle: Bundle, scratch: str, *options: str) -> subprocess.CompletedProcess[bytes]:
    own = {"TMPDIR": scratch, "KERAS_HOME": scratch}  # where Keras leaves a file of settings
    return subprocess.run(
        [sys.executable, "-m", "app.model.compiler", str(bundle.folder), *options],
        cwd=Path(__file__).parents[2],
        env=bare_environment() | COMPILER_ENVIRONMENT | own,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        timeout=COMPILER_SECONDS,
        check=False,
    )
