"""The options that training and its commands share."""

from math import isfinite
from pathlib import Path
from typing import Annotated

import pooch
import typer

from training import split

ARTIFACTS, CACHE = Path("model_artifacts"), Path(pooch.os_cache("bodyregion"))
Data = Annotated[
    str,
    typer.Option(
        help="Folder with one sub-folder per class, an archive of one (.zip, .tar.gz), or the archive's URL#sha256:….",
        show_default="Medical MNIST, a download of 220 MB",
    ),
]
SplitBy = Annotated[
    split.Method,
    typer.Option("--split", help="Keep neighbouring files, often of one patient, together (blocked), or not (random)."),
]
Seed = Annotated[
    int, typer.Option(help="Number that fixes the split, the first weights, the order of pictures and drawn series.")
]
Cache = Annotated[Path, typer.Option(help="Folder for downloads, decoded pictures and compiled models.")]
Extra = Annotated[
    Path | None,
    typer.Option(help="Folder of your own pictures beside --data: one sub-folder per class, none/ for strangers."),
]
Given = Annotated[
    str | None,
    typer.Option(
        "--companions",
        help="Folder with the companions, real pictures from other places, or the word none.",
        show_default="for Medical MNIST's classes a download of 159 MB, for others none",
    ),
]
External = Annotated[
    Path | None,
    typer.Option(
        help="Folder of pictures to judge on, never trained on: in/CLASS/, off_protocol/CLASS_VIEW/, out/KIND/."
    ),
]
Version = Annotated[str, typer.Option("--bundle", help="Version or folder name of the bundle.")]
Out = Annotated[Path, typer.Option(help="Folder for the figures (JSON), and for a report with charts of each bundle.")]
Artifacts = Annotated[Path, typer.Option(help="Folder of the published bundles.")]
Credit = Annotated[str | None, typer.Option(help="Whose pictures these are, for the model card.")]
Preset = Annotated[
    str, typer.Option(help="robust (about 40 minutes on two cores) or article, the article's network (about 4).")
]
Epochs = Annotated[int | None, typer.Option(min=1, help="Epochs, instead of the preset's own number.")]
Steps = Annotated[int | None, typer.Option(min=1, help="Batches per epoch, instead of the preset's own number.")]
BatchSize = Annotated[int | None, typer.Option(min=1, help="Pictures per batch, instead of the preset's own number.")]


def _positive(rate: float | None) -> float | None:
    if rate is not None and not (rate > 0 and isfinite(rate)):
        raise typer.BadParameter(f"{rate} is not a number above 0.")
    return rate


LearningRate = Annotated[
    float | None,
    typer.Option(callback=_positive, help="Highest learning rate, instead of the preset's own; its course stays."),
]
Dicom = Annotated[
    Path | None, typer.Option(help="JSON file: what DICOM headers say of each class (training/README.md).")
]
Name = Annotated[
    str | None, typer.Option(help="The bundle's name.", show_default="the name of the folder or archive of --data")
]
Runs = Annotated[Path, typer.Option(help="Folder for what a training writes: one folder per run, with its report.")]
LaidOut = Annotated[Path, typer.Option("--out", help="Folder to make train_dir, val_dir and test_dir in.")]
