"""The command line: bodyregion serve | classify | follow | check | compile | bundles | use."""

import signal
import sys
from pathlib import Path

import structlog
import typer

from app import settings
from app.commands import bundles, options
from app.commands.bundles import open_bundle
from app.limits import usable_cores
from app.model import checkpoint
from app.model.bundle import BundleError
from app.scoring import ScoringError
from app.scoring.help import CommandWithTable
from app.serving import logs
from app.serving.terminal import Status

WRONG_USE, BAD_BUNDLE = 2, 3
COMMAND = "bodyregion"  # a shell completes what follows it where it is installed, but nothing after `python -m app`
EPILOG = """
Settings: BODYREGION_… variables, listed in the README; an option wins over its variable.

Exit codes: 0 done, 2 wrong use or data, 3 the bundle is missing or cannot be trusted, 130 interrupted, 143 ended by SIGTERM.
"""

cli = typer.Typer(
    add_completion=Path(sys.argv[0]).stem == COMMAND,
    epilog=EPILOG,
    help="Tell which body region a radiology picture shows. Not a medical device.",
    pretty_exceptions_enable=False,
)

log = structlog.get_logger()


@cli.command()
def serve(
    host: options.Host = None,
    port: options.Port = None,
    folder: options.Served = None,
    workers: options.Workers = None,
) -> None:
    """Answer pictures over HTTP until told to stop; SIGHUP looks for another bundle."""
    from app.serving.server import bind

    chosen = settings.load(host=host, port=port, bundle=folder, workers=workers)
    opened = open_bundle(chosen.bundle)
    logs.configure(chosen.log_level, chosen.log_format)
    status = Status(chosen.log_format, chosen.workers)
    if chosen.unguarded:
        log.warning("anyone who reaches this address may use the service; BODYREGION_API_KEYS is not set")
    if chosen.workers > 1:
        from app.serving.supervisor import Supervisor

        code = Supervisor(chosen, opened, status).run()
    else:
        with bind(chosen.host, chosen.port) as address:
            from app.serving import worker

            code = worker.serve(address, chosen, opened, status.tell)
    status.stopped()
    raise typer.Exit(code)


@cli.command(cls=CommandWithTable)
def classify(
    paths: options.Paths,
    out: options.Out,
    cache: options.Cache,
    report: options.Report = None,
    folder: options.Folder = options.CURRENT,
    series: options.Series = None,
    slices: options.Slices = None,
    series_by: options.SeriesBy = None,
    uids: options.Uids = False,
    workers: options.Processes = None,
    address: options.Cluster = None,
) -> None:
    """Predict the body region of every picture in folders and archives, as a table with one row per file.

    No service is needed. The same command again does the files that have no row yet.
    """
    from app.scoring import run
    from app.scoring.table import Table

    signal.signal(signal.SIGTERM, _leave)  # by an exception, so that processes and scratch files go as well
    predictions = Table(out, opened := open_bundle(folder), uids)
    opened = checkpoint.compiled(opened, cache)
    if address:
        from app.scoring.cluster import on_a_cluster

        score = on_a_cluster(opened, address, workers, predictions.parts, uids)
    else:
        from app.scoring.local import on_all_cores

        score = on_all_cores(opened, workers or usable_cores())
    beside = run.Beside(report, series, slices, series_by == "folder")
    typer.echo(run.classify(paths, predictions, score, beside, keep=not address))


@cli.command()
def follow(
    address: options.Followed,
    cache: options.Cache,
    folder: options.Folder = options.CURRENT,
    slices: options.SlicesOfEach = 8,
    user: options.User = None,
    password_file: options.PasswordFile = None,
    ca_file: options.CaFile = None,
    metadata: options.Metadata = 4200,
    label_prefix: options.LabelPrefix = "bodyregion-",
    state: options.State = None,
    once: options.Once = False,
    dry_run: options.DryRun = False,
) -> None:
    """Judge every series that an Orthanc receives, and write the answer to it as metadata and as a label.

    The answer is JSON: class, regions from slice to slice, and what the header says and should say. No DICOM is changed.
    """
    from app.scoring import follow as following
    from app.scoring.orthanc import writing
    from app.scoring.orthanc.client import Orthanc
    from app.scoring.orthanc.state import State, default_state

    signal.signal(signal.SIGTERM, _leave)
    chosen = settings.load()
    logs.configure(chosen.log_level, chosen.log_format, to_error=True)
    opened = checkpoint.compiled(open_bundle(folder), cache)
    labels = writing.Labels(label_prefix, opened.manifest)
    orthanc = Orthanc(address, user, password_file, ca_file)
    kept = State(state or default_state(address), keep=not dry_run)
    write = writing.printed if dry_run else writing.Writer(orthanc, labels, metadata)
    following.follow(opened, orthanc, kept, slices, write, once)


cli.command()(bundles.check)
cli.command("compile")(bundles.compile_command)
cli.command()(bundles.bundles)
cli.command()(bundles.use)


def main() -> None:
    try:
        arguments = sys.argv[1:] or ["--help"]
        code = cli(arguments, COMMAND, standalone_mode=False)  # so that wrong use is raised and not drawn
    except typer.TyperException as error:
        code = _say(error.format_message(), error.exit_code)
    except (settings.SettingsError, ScoringError) as error:
        code = _say(error, WRONG_USE)
    except BundleError as error:
        code = _say(error, BAD_BUNDLE)
    except OSError as error:
        code = _say(f"{error.filename or 'The disk'}: {error.strerror or error}.", WRONG_USE)
    sys.exit(code)


def _leave(number: int, _: object) -> None:
    sys.exit(128 + number)


def _say(error: Exception | str, code: int) -> int:
    print(f"error: {error}", file=sys.stderr)
    return code
