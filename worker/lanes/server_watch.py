"""Watching database servers that serve nobody: logged now and then, probed, and rung for once they are back."""

import threading
import time
from collections.abc import Callable

from outbox.gate import PROBE_SECONDS
from outbox.server import Server
from outbox.server_errors import WIKI
from worker.config.telemetry import REPEAT_SECONDS, log

EFFECT = "its wikis wait; those of other servers do not"


class ServerWatch:
    """Starts a thread for each server whose circuit is open; none before `start`, so none in a command."""

    def __init__(self, *, rest: float = PROBE_SECONDS) -> None:
        self._rest = rest
        self._lock = threading.Lock()
        self._watched: set[str] = set()
        self._told_at: dict[str, float] = {}
        self._is_back: Callable[[Server], None] | None = None
        self._closed = threading.Event()

    def start(self, is_back: Callable[[Server], None]) -> None:
        """Watch from now on; *is_back* is called, in a thread of its own, with a server that serves again."""
        self._is_back = is_back

    def close(self) -> None:
        self._closed.set()

    def tell(self, server: Server, is_open: bool) -> None:
        """Note that the circuit of *server* opened or closed; returns at once."""
        if not is_open or self._is_back is None:
            return
        with self._lock:
            if server.name in self._watched:
                return
            self._watched.add(server.name)
        threading.Thread(target=self._watch, args=(server,), name="server watch", daemon=True).start()

    def _watch(self, server: Server) -> None:
        was_logged = False
        while not self._closed.is_set():
            was_logged = self._say_why(server) or was_logged
            try:
                is_back = server.probe()
            except Exception as error:  # noqa: BLE001 - whatever a driver raises, the server is to be asked again
                log.error("server_watch_failed", server=server.name, error=f"{type(error).__name__}: {error}")
                is_back = False
            if is_back and self._leaves(server):
                break
            self._closed.wait(self._rest)
        if self._closed.is_set():
            # It is not known whether it is back.
            return
        if was_logged:
            log.info("database_back", server=server.name)
        if self._is_back is not None:
            self._is_back(server)

    def _leaves(self, server: Server) -> bool:
        """Whether *server* can be watched no longer: it may be gone again, and that was not told to us twice."""
        with self._lock:
            if server.circuit.is_open:
                return False
            self._watched.discard(server.name)
            return True

    def _say_why(self, server: Server) -> bool:
        """Write a line, unless one was written about this server a short time ago."""
        now, reason = time.monotonic(), server.circuit.reason
        if not reason or now - self._told_at.get(server.name, float("-inf")) < REPEAT_SECONDS:
            return False
        self._told_at[server.name] = now
        log.error("database_gone", server=server.name, error=reason.replace(WIKI, "…"), effect=EFFECT)
        return True
