"""The event loops of a process: one for all HTTP, in a thread of its own, and one for each thread that takes turns.

Calls that block, such as those of SQL and Redis, run in the thread that needs them, never in the loop of HTTP, where
they would hold up everybody.
"""

import asyncio
import contextlib
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

from worker.lanes.names import NamingLoop

Result = TypeVar("Result")


class HttpLoop:
    """An event loop that runs in a thread of its own, from the first call until it is closed."""

    def __init__(self) -> None:
        self._loop = NamingLoop()
        self._thread = threading.Thread(target=self._run, name="http", daemon=True)
        self._started = threading.Lock()

    async def call(self, coroutine: Coroutine[Any, Any, Result]) -> Result:
        """Run *coroutine* in this loop and await it in the caller's; if it is cancelled there, it is cancelled here."""
        return await self.begin(coroutine)

    def begin(self, coroutine: Coroutine[Any, Any, Result]) -> "asyncio.Future[Result]":
        """Run *coroutine* in this loop, where it goes on after the caller's has ended; to be awaited there."""
        return asyncio.wrap_future(self._submit(coroutine))

    def run(self, coroutine: Coroutine[Any, Any, Result]) -> Result:
        """Run *coroutine* in this loop and wait for it, from a thread without a loop."""
        return self._submit(coroutine).result()

    def soon(self, work: Callable[[], object]) -> None:
        """Call *work* in this loop as soon as possible; it must be quick."""
        self._loop.call_soon_threadsafe(work)

    def close(self) -> None:
        """End the loop and its thread; what still runs in it is cancelled."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
        if not self._loop.is_closed():
            self._loop.close()

    def _submit(self, coroutine: Coroutine[Any, Any, Result]) -> Future[Result]:
        with self._started:
            if not self._thread.is_alive() and not self._loop.is_closed():
                self._thread.start()
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()
        tasks = asyncio.all_tasks(self._loop)
        for task in tasks:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        # Such as a reply that was read in part.
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        self._loop.run_until_complete(self._loop.shutdown_default_executor())


class ThreadLoops:
    """Runs coroutines in an event loop of the calling thread, which lives as long as this object."""

    def __init__(self) -> None:
        self._here = threading.local()
        self._all: list[asyncio.Runner] = []

    def run(self, coroutine: Coroutine[Any, Any, Result]) -> Result:
        runner: asyncio.Runner | None = getattr(self._here, "runner", None)
        if runner is None:
            runner = self._here.runner = asyncio.Runner()
            self._all.append(runner)
        return runner.run(coroutine)

    def close(self) -> None:
        """Close the loops of all threads; none may be running."""
        while self._all:
            with contextlib.suppress(RuntimeError):
                self._all.pop().close()
