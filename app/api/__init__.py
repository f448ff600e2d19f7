"""HTTP. The only ring that knows FastAPI."""
