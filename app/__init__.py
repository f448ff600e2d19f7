"""The service: which body region a radiology picture shows."""
