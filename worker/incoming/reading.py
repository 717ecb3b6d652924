"""Reading a stream over SSE, as EventStreams serves it: in a thread of its own, and again whenever it breaks off.

What was read waits in a queue of bounded size until it is saved.
"""

import queue
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

import httpx

from worker.config.http_routes import Route
from worker.config.telemetry import log
from worker.domain.errors import CommandFailed
from worker.incoming.listened import Listened
from worker.incoming.patience import Patience, asked_seconds
from worker.incoming.positions import resume_from
from worker.incoming.server_sent_events import EventStream, ServerSentEvent, StreamBroken

#: How many events are read ahead of saving at most; then the stream has to wait.
READ_AHEAD = 2000
#: How many characters of them at most, since events may be large.
READ_AHEAD_SIZE = 32_000_000
#: How many redirects a stream may send in a row.
MOST_REDIRECTS = 5
#: Name of the thread that reads; it ends when the stream next sends something.
READER = "stream-reader"


@dataclass(frozen=True, slots=True)
class Incoming:
    """One event of the stream."""

    id: str
    data: str


class Reader:
    """Reads the stream at *url* until it is stopped; says in *listened* how often it connected, and what is wrong."""

    def __init__(self, url: str, listened: Listened, *, user_agent: str, patience: Patience, route: Route) -> None:
        self._url = url
        self._listened = listened
        self._user_agent = user_agent
        self._patience = patience
        self._proxy, self._tls = route.proxy, route.tls()
        #: The ids to continue from (that of the last event, once there was one), and how often in a row none came
        #: since.
        self._last: list[str] = []
        self._failures = 0
        #: Seconds before the next connection that the stream asked for: for once, and from then on.
        self._retry_after = self._retry = 0.0
        #: Whether the stream was ever there, which shows that its name is right.
        self._was_served = False
        self._queue: queue.Queue[Incoming | BaseException] = queue.Queue(READ_AHEAD)
        #: Characters of all events put into the queue, and of those that were saved; each is written by one thread.
        self._put_size = self._saved_size = 0
        #: What ended the reading, kept until the events before it are saved.
        self._error: BaseException | None = None
        self._end = threading.Event()

    def start(self, last: Sequence[str], since: str | None) -> None:
        """Begin after the events with the ids *last*, or without any at *since*; None means now."""
        self._last = list(last)
        threading.Thread(target=self._read_until_stopped, args=(since,), name=READER, daemon=True).start()

    def stop(self) -> None:
        """End the reading and all rests; may be called in a signal handler."""
        self._end.set()

    def is_stopped(self) -> bool:
        """Whether `stop` was called."""
        return self._end.is_set()

    def rest(self, seconds: float) -> None:
        """Wait, but only until `stop` is called; takes no lock that a signal handler in this thread would wait for."""
        until = time.monotonic() + seconds
        while not self._end.is_set() and (left := until - time.monotonic()) > 0:
            time.sleep(min(left, 0.1))

    def next_batch(self, most: int) -> list[Incoming]:
        """The events that have come, after a short wait at most.

        Raises:
            CommandFailed: there is no such stream.
        """
        if self._error is not None:
            raise self._error
        events: list[Incoming] = []
        until = time.monotonic() + self._patience.others.total_seconds()
        while len(events) < most:
            try:
                item = self._queue.get(timeout=max(0.0, until - time.monotonic()))
            except queue.Empty:
                break
            if isinstance(item, BaseException):
                self._error = item
                if not events:
                    raise item
                break
            events.append(item)
        return events

    def are_saved(self, events: Sequence[Incoming]) -> None:
        """Make room for as many more as *events* took."""
        self._saved_size += sum(len(event.data) for event in events)

    def _read_until_stopped(self, since: str | None) -> None:
        """Read until asked to stop; an error is put into the queue, where it ends the listening."""
        try:
            self._read(since)
        except BaseException as error:  # noqa: BLE001 - nobody would read any more, and nobody would know
            self._put(error)

    def _read(self, since: str | None) -> None:
        """Put the stream's events into the queue, reconnecting whenever the connection ends."""
        timeout = httpx.Timeout(10, read=self._patience.silence.total_seconds())
        with httpx.Client(timeout=timeout, trust_env=False, proxy=self._proxy, verify=self._tls) as client:
            while not self._end.is_set():
                trouble = self._trouble_with_connection(client, since)
                if self._end.is_set():
                    # Whoever listened has gone, perhaps long ago.
                    return
                pause = self._next_pause(trouble or "the stream ended")
                seconds = round(pause, 1)
                if trouble is None:
                    log.info("stream_ended", url=self._url, again_in_seconds=seconds)
                else:
                    log.warning("stream_interrupted", url=self._url, error=trouble, again_in_seconds=seconds)
                self.rest(pause)

    def _trouble_with_connection(self, client: httpx.Client, since: str | None) -> str | None:
        """Read one connection to its end; returns what broke it off, or None if the stream ended it."""
        try:
            self._read_connection(client, since)
        except (httpx.HTTPError, StreamBroken) as error:
            return f"{type(error).__name__}: {error}"
        return None

    def _next_pause(self, trouble: str) -> float:
        """Seconds until the next connection, since *trouble* ended this one."""
        self._failures += 1
        self._listened.trouble = trouble
        pause = self._patience.pause(self._failures, max(self._retry_after, self._retry))
        self._retry_after = 0.0
        return pause

    def _read_connection(self, client: httpx.Client, since: str | None) -> None:
        url = httpx.URL(self._url)
        headers = httpx.Headers(
            {
                "User-Agent": self._user_agent,
                "Accept": "text/event-stream",
                "Cache-Control": "no-store",
                # A packed stream can grow without bound, and its events may wait in the packer for later ones.
                "Accept-Encoding": "identity",
            }
        )
        if self._last:
            headers.update([(b"Last-Event-ID", resume_from(self._last).encode())])
        elif since:
            url = url.copy_merge_params({"since": since})
        self._listened.connections += 1
        with _connected(client, str(url), headers) as response:
            self._must_serve(response)
            self._read_events(response.iter_raw())

    def _read_events(self, chunks: Iterator[bytes]) -> None:
        events, longest = EventStream(), self._patience.event.total_seconds()
        begun = time.monotonic()
        for chunk in chunks:
            has_ended = False
            for event in events.take(chunk):
                has_ended = True
                if not self._heard(event):
                    return
            # After that, for they may have waited long for room.
            now = time.monotonic()
            if has_ended or events.is_between:
                begun = now
            elif now - begun > longest:
                # The time-out of the socket begins anew with each byte.
                raise StreamBroken(f"it has not come to the end of an event within {longest:g} s")

    def _heard(self, event: ServerSentEvent) -> bool:
        """Whether further events can be used."""
        if event.retry is not None:
            self._retry = event.retry / 1000
        if event.event == "error":
            raise StreamBroken(f"the stream reports {event.data[:200]}")
        self._failures, self._listened.trouble = 0, None
        self._last = [event.id] if event.id else self._last
        return not event.data or self._put(Incoming(event.id, event.data))

    def _must_serve(self, response: httpx.Response) -> None:
        """
        Raises:
            CommandFailed: there is no such stream, and never was.
            StreamBroken: it refuses this time, or what it sends is no stream.
        """
        status = response.status_code
        if 400 <= status < 500 and status not in {408, 425, 429} and not self._was_served:
            raise CommandFailed(
                f"{response.url} answers with status {status}; correct the name of the stream, or --since"
            )
        if status != 200:
            self._retry_after = asked_seconds(response.headers.get("Retry-After"), datetime.now(UTC))
            raise StreamBroken(f"the stream answers with status {status}")
        if (kind := response.headers.get("Content-Type", "").partition(";")[0].strip()) != "text/event-stream":
            raise StreamBroken(f"it answers with {kind or 'no Content-Type'} in place of text/event-stream")
        packing = response.headers.get("Content-Encoding", "identity").strip().lower()
        if packing not in {"", "identity"}:
            raise StreamBroken(
                f"it is packed as {packing}, which nobody asked for; let whatever stands before it pass it on as it is"
            )
        self._was_served = True

    def _put(self, item: Incoming | BaseException) -> bool:
        size = len(item.data) if isinstance(item, Incoming) else 0
        while not self._end.is_set():
            if size and self._put_size - self._saved_size > READ_AHEAD_SIZE:
                self._end.wait(0.05)
                continue
            try:
                self._queue.put(item, timeout=0.5)
            except queue.Full:
                continue
            self._put_size += size
            return True
        return False


@contextmanager
def _connected(client: httpx.Client, url: str, headers: httpx.Headers) -> Iterator[httpx.Response]:
    """The reply of the address to which *url* leads; redirects are followed here, since httpx reads their bodies."""
    for _ in range(MOST_REDIRECTS + 1):
        with client.stream("GET", url, headers=headers) as response:
            if response.next_request is None:
                yield response
                return
            url = str(response.next_request.url)
    raise StreamBroken(f"it leads on to another address more than {MOST_REDIRECTS} times; listen to the last one")
