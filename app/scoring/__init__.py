"""Folders and archives to a table, without a server: files → processes or a cluster → rows → table → report."""

import sys
from shlex import quote


class ScoringError(Exception):
    """What was asked for is not there, or the table cannot be gone on with; the message is one plain sentence."""


def missing_package(what: str, package: str) -> ScoringError:
    """An error that says how to install `package` where this runs."""
    return ScoringError(f"{what} needs {package}: {quote(sys.executable)} -m pip install {quote(package)}")
