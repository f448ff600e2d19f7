"""Folders and archives to a table, without a server: files → processes or a cluster → rows → table → report."""


class ScoringError(Exception):
    """What was asked for is not there, or the table cannot be gone on with; the message is one plain sentence."""
