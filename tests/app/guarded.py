"""What the tests of access share: the keys, the foreign origin and the word planted to be found again."""

from tests.hostile.wire import connect
from tests.running import Server

MARKER = "zebrafish"  # in everything planted
KEYS = [f"{MARKER}-key-one", f"{MARKER}-key-two"]
ORIGIN = "https://viewer.example.org"


def raw(server: Server, request: str) -> str:
    """What comes back first for these very bytes."""
    with connect(server) as connection:
        connection.sendall(request.encode())
        return connection.recv(65536).decode("latin-1")
