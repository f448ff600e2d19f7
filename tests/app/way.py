"""python -m tests.app.way: which functions of app/ one warm lone small JPEG goes through, one a line."""

import asyncio
import io
import sys
import threading
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
from PIL import Image

import app
from app import settings
from app.main import create_app
from app.model import bundle, checkpoint
from app.serving import logs
from app.serving.server import Server, bind

CLOCK = "serving/server.py"  # it ticks ten times a second, whether anybody asks or not
HOME = str(Path(app.__file__).parent)
WARM_REQUESTS = 20
FORM = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.jpg"\r\nContent-Type: image/jpeg\r\n\r\n%b\r\n--x--\r\n'
HEAD = (
    b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=x\r\nContent-Length: %d\r\n\r\n"
)


class Trace:
    """The functions entered while it is on; what a comprehension is made into is none of its own."""

    def __init__(self) -> None:
        self.on, self.entered = False, set[str]()

    def __call__(self, frame: FrameType, event: str, argument: Any) -> None:
        code = frame.f_code
        ours = code.co_filename.startswith(HOME) and not code.co_filename.endswith(CLOCK)
        if self.on and event == "call" and ours and not code.co_name.startswith("<"):
            self.entered.add(f"{code.co_filename.removeprefix(HOME)} {code.co_qualname}")


async def trace() -> set[str]:
    """From the request's first byte to its answer's last, in all threads."""
    found = Trace()
    threading.setprofile(found)
    logs.configure("info", "json")
    chosen = settings.load(port=0)
    server = Server(
        create_app(chosen, checkpoint.compiled(bundle.read(chosen.bundle), chosen.cache)), chosen, lambda *_: None
    )
    with bind("127.0.0.1", 0) as address:
        serving = asyncio.create_task(server.run_app(address))
        while not server.started:
            await asyncio.sleep(0.01)
        reader, writer = await asyncio.open_connection(*address.getsockname())
        for _ in range(WARM_REQUESTS):
            await ask(reader, writer)
        sys.setprofile(found)
        found.on = True
        await ask(reader, writer)
        found.on = False
        sys.setprofile(None)
        writer.close()
        server.should_exit = True
        await serving
    return found.entered


async def ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    picture = io.BytesIO()
    Image.fromarray(np.eye(64, dtype=np.uint8) * 255).save(picture, "JPEG")
    body = FORM % picture.getvalue()
    writer.write(HEAD % len(body) + body)
    head = await reader.readuntil(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 ")
    await reader.readexactly(int(head.split(b"content-length: ")[1].split(b"\r\n")[0]))


if __name__ == "__main__":
    print(*sorted(asyncio.run(trace())), sep="\n")
