"""Offline: pictures in, a published bundle out. Uses app.imaging and app.model, never app.api."""


class DataError(Exception):
    """The data, or the place to write to, is not usable; the message is one plain sentence."""


class Interrupted(Exception):
    """Stopped on request, after a whole epoch."""
