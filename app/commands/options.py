"""The options and arguments of the commands, with what their help says."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from app.model import bundle, checkpoint

ROOT = bundle.default_root()
CURRENT = ROOT / bundle.CURRENT


def _versions(context: typer.Context) -> list[str]:
    """What a shell completes the word after `use` to."""
    return [found.manifest.version for found in bundle.available(context.params.get("root") or ROOT)]


Root = Annotated[Path, typer.Option(help="Folder that holds the bundles.")]
Version = Annotated[str, typer.Argument(help="Version or folder name.", autocompletion=_versions)]
Checked = Annotated[Path, typer.Argument(help="A bundle's folder.")]
Compiled = Annotated[list[Path] | None, typer.Argument(help="Folders of bundles; the current one by default.")]
Cache = Annotated[
    Path | None,
    typer.Option(
        envvar="BODYREGION_CACHE",
        default_factory=checkpoint.default_cache,
        help="Folder of compiled models.",
        show_default=False,
    ),
]
To = Annotated[
    Path | None,
    typer.Option(
        help="Write the compiled model to this .tflite file as well, for use elsewhere, and a note to a .json beside it."
    ),
]

Host = Annotated[str | None, typer.Option(help="Address to listen on; else BODYREGION_HOST.")]
Port = Annotated[str | None, typer.Option(metavar="<int>", help="Port to listen on; else BODYREGION_PORT.")]
Served = Annotated[Path | None, typer.Option("--bundle", help="Bundle to serve; else BODYREGION_BUNDLE.")]
Workers = Annotated[str | None, typer.Option(metavar="<int>", help="Processes; else BODYREGION_WORKERS.")]

Paths = Annotated[list[str], typer.Argument(help="Folders, files, zip and tar archives, or globs in quotes.")]
Out = Annotated[Path, typer.Option(help="Table to write: .csv, .jsonl or .parquet; one that exists is continued.")]
Report = Annotated[Path | None, typer.Option(help="Page to write for a person who checks the table: .html.")]
Folder = Annotated[Path, typer.Option("--bundle", envvar="BODYREGION_BUNDLE", help="Folder of the bundle to use.")]
Series = Annotated[
    Path | None, typer.Option(help="Table to write with one row per series: .csv or .jsonl; made anew each time.")
]
Slices = Annotated[
    int | None, typer.Option(min=1, help="Judge only so many slices of each series, spread over it; else all.")
]
SeriesBy = Annotated[
    Literal["folder"] | None, typer.Option(help="Take files without a series, such as JPEG, as one series per folder.")
]
Uids = Annotated[bool, typer.Option("--uids", help="Write the UIDs of study, series and object into the tables.")]
Processes = Annotated[int | None, typer.Option(min=1, help="Processes; by default one per core.")]
Cluster = Annotated[
    str | None, typer.Option("--cluster", help="Run on Ray: host:port, auto for the cluster here, local to start one.")
]

Followed = Annotated[str, typer.Argument(metavar="ADDRESS", help="The Orthanc's, such as http://localhost:8042.")]
SlicesOfEach = Annotated[
    int, typer.Option(min=1, help="Fetch and judge so many slices of each series, spread over it.")
]
User = Annotated[str | None, typer.Option(help="Name that the server knows; --password-file goes with it.")]
PasswordFile = Annotated[Path | None, typer.Option(help="File with the password in its first line.")]
CaFile = Annotated[
    Path | None,
    typer.Option(help="File with the certificates to trust, as PEM; by default those that this system trusts."),
]
Metadata = Annotated[
    int, typer.Option(min=1024, max=65535, help="Number of the series' metadata that the answer is written to.")
]
LabelPrefix = Annotated[
    str,
    typer.Option(
        help="What labels begin with, from Orthanc 1.12 on; it takes letters, digits, - and _ in them, no colon."
    ),
]
State = Annotated[
    Path | None,
    typer.Option(
        help="File with the last change that was dealt with, from which the same command goes on; by default one for each "
        "address, under ~/.local/state/bodyregion. Without it all series are judged again."
    ),
]
Once = Annotated[bool, typer.Option("--once", help="Answer the series that are there now, and end.")]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Write nothing anywhere; print each answer, as a line of JSON.")
]
