"""What the connections of the emulated EventStreams share: the events, the settings, and the list of connections."""

import asyncio
import random
from collections import deque
from dataclasses import asdict, dataclass, field

from worker.emulators.documents import Document, encode
from worker.emulators.event_stream.history import History, canary
from worker.emulators.event_stream.settings import EventStreamSettings

KEPT_CONNECTIONS = 10_000


@dataclass(slots=True)
class Connection:
    """One request for streams, and what became of it."""

    #: Counted from the last change of the settings.
    number: int
    streams: str
    last_event_id: str | None
    since: str | None
    user_agent: str | None
    status: int | None = None
    #: How many events were sent completely.
    sent: int = 0
    comments: int = 0
    is_open: bool = True
    #: Its client, if connections are counted by client; an address, so it is never shown.
    client: str | None = field(default=None, repr=False)


class Hub:
    """Takes events, wakes the connections, and decides which of them fail."""

    def __init__(self, settings: EventStreamSettings, history: History) -> None:
        self.history = history
        self._connections: deque[Connection] = deque(maxlen=KEPT_CONNECTIONS)
        #: Connections that began in an earlier generation end.
        self.generation = 0
        self._news = asyncio.Event()
        self._posted = 0
        self.apply(settings)

    def apply(self, settings: EventStreamSettings) -> None:
        """Use *settings* from now on; connections are counted from one again, and random choices are drawn again."""
        self.settings = settings
        self._numbered = 0
        self._chances = random.Random(settings.seed)  # noqa: S311 - must be reproducible

    def connected(
        self, streams: str, last_event_id: str | None, since: str | None, user_agent: str | None
    ) -> Connection:
        """Note a connection."""
        self._numbered += 1
        connection = Connection(self._numbered, streams, last_event_id, since, user_agent)
        self._connections.append(connection)
        return connection

    def refuses(self, connection: Connection) -> bool:
        """Whether *connection* is to be refused."""
        strikes = self._chances.random() < self.settings.failures.rate
        return strikes and _is_among(connection, self.settings.failures.connections)

    def interrupts(self, connection: Connection) -> bool:
        """Whether *connection* is to be interrupted at some point."""
        return _is_among(connection, self.settings.interruption.connections)

    def post(self, stream: str, datacentre: str, lines: list[str]) -> int:
        """Send *lines* to all connections; returns how many, canaries included."""
        before = self.history.end
        for line in lines:
            self._append(stream, datacentre, line)
            self._posted += 1
            if self.settings.canary_every_nth and self._posted % self.settings.canary_every_nth == 0:
                self._append(stream, datacentre, encode(canary(stream)))
        self._wake()
        return self.history.end - before

    def _append(self, stream: str, datacentre: str, line: str) -> None:
        self.history.append(f"{datacentre}.{stream}", line, self.settings.ms_per_event)

    def connections(self) -> list[Document]:
        """The connections, in the order in which they came."""
        told = [asdict(connection) for connection in self._connections]
        return [{name: value for name, value in each.items() if name != "client"} for each in told]

    def open_connections(self, client: str) -> int:
        """How many connections of *client* are open."""
        return sum(each.is_open and each.client == client for each in self._connections)

    def reset(self) -> None:
        """Forget all events and connections; open connections are ended."""
        self.history.clear()
        self._connections.clear()
        self._posted = 0
        self.end_connections()

    def end_connections(self) -> None:
        """End the open connections without an error."""
        self.generation += 1
        self._wake()

    async def news(self, seconds: float) -> None:
        """Return when the next event comes, or after *seconds*."""
        try:
            await asyncio.wait_for(self._news.wait(), seconds)
        except TimeoutError:
            return

    def _wake(self) -> None:
        # Each waiting connection holds the asyncio.Event that was current when it began to wait.
        self._news.set()
        self._news = asyncio.Event()


def _is_among(connection: Connection, first: int | None) -> bool:
    return first is None or connection.number <= first
