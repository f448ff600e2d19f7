"""Processes, addresses and the wire: uvicorn, and what becomes of it."""
