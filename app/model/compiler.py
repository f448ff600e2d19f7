"""python -m app.model.compiler FOLDER [--beside]: the Keras checkpoint of a bundle as LiteRT takes it, on standard output.

Run by `app.model.checkpoint` as a process of its own, and imported by nobody: so neither TensorFlow's 0.7 GB nor a
spiteful checkpoint reaches a process that answers. Ends with EXIT_REFUSED and a sentence where the checkpoint is no good.
"""

import os
import resource
import select
import signal
import sys
import tempfile
import threading
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from app.model import archive, bundle
from app.model.bundle import COMPILED, MODEL, Bundle, BundleError
from app.model.checkpoint import BESIDE, COMPILER_BYTES, COMPILER_CPU_SECONDS, EXIT_REFUSED
from app.model.classifier import Classifier

MAX_DIFFERENCE = 1e-4  # that both forms may have in any output; 3e-6 is what they have
NOISE_PICTURES = 64  # pictures beside the golden ones to compare them on
LOWEST_NICENESS = 19  # and on Linux idle time only: at that niceness others still wait up to 3 ms for their turn


def main(folder: str, *options: str) -> None:
    answer = os.dup(1)
    os.dup2(2, 1)  # Keras and TensorFlow print there
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):  # meant for whoever waits, and ends this as he leaves
        signal.signal(number, signal.SIG_IGN)
    threading.Thread(target=_leave_with_reader, args=[answer], daemon=True).start()
    if BESIDE in options:
        _step_back()
    for limit, most in (
        (resource.RLIMIT_DATA, COMPILER_BYTES),
        (resource.RLIMIT_CPU, COMPILER_CPU_SECONDS),
        (resource.RLIMIT_CORE, 0),
    ):
        with suppress(ValueError, OSError):  # not everywhere is there each, and some are lower already
            resource.setrlimit(limit, (most, most))
    try:
        code, said = 0, _compile(bundle.read(Path(folder)))
    except BundleError as refused:
        code, said = EXIT_REFUSED, str(refused).encode()
    with open(answer, "wb") as file:  # noqa: PTH123
        file.write(said)
    os._exit(code)  # at once: left alone, TensorFlow takes 0.4 s to end


def _leave_with_reader(answer: int) -> None:
    """End as soon as nobody is there to read the answer, killed perhaps."""
    watch = select.poll()
    watch.register(answer, 0)  # for nothing but what is told unasked: that the other end is closed
    watch.poll()
    os._exit(EXIT_REFUSED)


def _step_back() -> None:
    """Let whoever answers meanwhile go first."""
    os.nice(LOWEST_NICENESS)
    with suppress(AttributeError, OSError):
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))


def _compile(opened: Bundle) -> bytes:
    model = _load(opened)
    converted = _convert(model, opened)
    carried = [opened.path(COMPILED).read_bytes()] if COMPILED in opened.manifest.files else []
    for form in (converted, *carried):
        _compare(model, Classifier(replace(opened, compiled=form)))
    return converted


def _load(opened: Bundle) -> Any:
    try:
        archive.inspect(opened.path(MODEL))
    except archive.NotAllowed as refused:
        raise BundleError(f"The model of {opened.title} cannot be trusted: {refused}.") from refused
    except Exception as error:  # whatever zip and JSON trip over
        raise BundleError(f"The model of {opened.title} is no Keras archive that can be read.") from error
    import keras  # here: where memory is limited already

    try:
        return keras.models.load_model(opened.path(MODEL), compile=False, safe_mode=True)
    except MemoryError:
        raise
    except Exception as error:  # Keras raises whatever the archive's content trips over
        raise BundleError(f"Keras cannot open the model of {opened.title}.") from error


def _convert(model: Any, opened: Bundle) -> bytes:
    path = Path(tempfile.gettempdir()) / COMPILED  # a folder of this process's own
    try:
        model.export(path, format="litert", verbose=False)
        return path.read_bytes()
    except OSError as error:
        raise BundleError(f"The model of {opened.title} cannot be compiled: {error.strerror or error}.") from error
    except Exception as error:
        raise BundleError(f"The model of {opened.title} has no form that LiteRT takes.") from error


def _compare(model: Any, compiled: Classifier) -> None:
    """Raises BundleError where `compiled` answers otherwise than the checkpoint."""
    shape = NOISE_PICTURES, compiled.size, compiled.size, 1
    noise = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    for inputs in (compiled.golden_pictures(), noise):
        expected, found = model.predict_on_batch(inputs), compiled(inputs)
        outputs = {name: tensor for name, tensor in asdict(found).items() if tensor is not None}
        difference = max(float(np.abs(expected[name].ravel() - outputs[name].ravel()).max()) for name in outputs)
        if not difference <= MAX_DIFFERENCE:
            raise BundleError(
                f"The checkpoint of {compiled.bundle.title} and its compiled form differ by {difference:.1g}."
            )


if __name__ == "__main__":
    main(*sys.argv[1:])
