"""The service: which body region a radiology picture shows."""

__version__ = "0.1.0"  # as in pyproject.toml, which a service that was not installed does not have
