"""Tasks that get a worker process stuck; loaded into one by `celery worker --include`."""

import ctypes
import threading
import time

from worker.app import app
from worker.bootstrap import services

FOR_EVER = 1000


async def _block() -> None:
    time.sleep(FOR_EVER)  # noqa: ASYNC251 - what must never be done


@app.task(name="block_the_loop")
def block_the_loop() -> None:
    """Run something in the event loop that does not give it back."""
    services().http_loop.run(_block())


@app.task(name="hold_the_interpreter")
def hold_the_interpreter() -> None:
    """Wait in C without releasing the interpreter's lock, as a library with a fault may."""
    ctypes.PyDLL(None).sleep(FOR_EVER)


@app.task(name="hang")
def hang() -> None:
    threading.Event().wait(FOR_EVER)
