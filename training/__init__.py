"""Offline: pictures in, a published bundle out. Uses app.imaging and app.model, never app.api."""
