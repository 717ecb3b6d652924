"""Events to an EventGate over HTTP, with guaranteed delivery: its reply says what became of each event."""

import asyncio
import os
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import CancelledError
from pathlib import Path
from urllib.parse import urlsplit

import httpx
from pydantic import Field, field_validator

from outbox import lane
from worker.config.http_connections import Connections, NoReplyError, Reply
from worker.config.http_routes import DIRECT, Route
from worker.config.settings_sections import SinkSection, without_password
from worker.domain.redirects import advice
from worker.events.eventgate_replies import is_about_the_request, judged, text_of, verdicts_of
from worker.events.sinks import DeliveryFailure, EventRefused, OutgoingEvent, SinkKind, SinkUnavailable, rounds
from worker.lanes.loops import HttpLoop

#: Bytes of all events in one request; by default an EventGate takes events of 4 MB, and batches of ten.
MOST_BYTES = 1_000_000
#: A reply repeats the events that were not accepted, with the reasons; it may be this many bytes larger than the
#: request.
LARGEST_REPLY_BYTES = 3 * MOST_BYTES
#: Requests at once, more than publishers in a process.
MOST_CONNECTIONS = 100
#: No request begins after the batches of one sending have taken this many times as long as one request may.
MOST_TIMEOUTS = 2


class EventGateSection(SinkSection):
    """Events to an EventGate."""

    url: str = Field(pattern=r"^https?://", description="Base URL, without /v1/events.")
    timeout_seconds: float = Field(
        default=62, gt=0, le=600, description="For one request as a whole, from connecting to the end of the reply."
    )
    batch_size: int = Field(default=100, ge=1, le=2000, description="Events in one request.")
    proxy: str | None = Field(default=None, pattern=r"^https?://", description="Requests go through it.")
    ca_file: Path | None = Field(default=None, description="Certificates to check the EventGate's by, PEM.")

    @property
    def longest_send_seconds(self) -> float:
        return (MOST_TIMEOUTS + 1) * self.timeout_seconds

    @field_validator("url")
    @classmethod
    def _is_a_base_url(cls, url: str) -> str:
        try:
            parts = urlsplit(url)
            is_right = bool(parts.hostname) and parts.port != 0 and not parts.query and not parts.fragment
            # Encoded twice, as for connecting: in the address, and when the name is looked up.
            httpx.URL(url).raw_host.decode().encode("idna")
        except (httpx.InvalidURL, UnicodeError):
            raise ValueError("no host can have the name in it; correct it") from None
        except ValueError:
            is_right = False
        if not is_right or parts.path.rstrip("/").endswith("/v1/events"):
            raise ValueError("not the base URL of an EventGate; write http://host:port, without /v1/events and any ?")
        return without_password(url)

    @field_validator("proxy")
    @classmethod
    def _holds_no_password(cls, url: str | None) -> str | None:
        return url and without_password(url)


class EventGateSink:
    """Posts events in batches; those of one page in separate requests, since it takes a batch in any order.

    Requests are made in *loop*, where each can be given up at its deadline, whichever part of it is slow.
    """

    def __init__(
        self,
        url: str,
        *,
        timeout_seconds: float,
        batch_size: int,
        user_agent: str,
        loop: HttpLoop,
        route: Route = DIRECT,
    ) -> None:
        self._base = url
        self._url = f"{url.rstrip('/')}/v1/events"
        self._batch_size = batch_size
        self._timeout = timeout_seconds
        self._loop = loop
        self._proxy, self._trusted = route.proxy, route.tls()
        of_client = f"User-Agent: {user_agent}\r\nAccept-Encoding: gzip, deflate\r\n"
        self._headers = f"{of_client}Content-Type: application/json\r\n"
        self._target = ""
        #: Made in the loop, by the first request.
        self._made: Connections | None = None

    def send(self, events: Sequence[OutgoingEvent]) -> Mapping[int, DeliveryFailure]:
        failures: dict[int, DeliveryFailure] = {}
        until = time.monotonic() + MOST_TIMEOUTS * self._timeout
        batches = [batch for group in rounds(events) for batch in self._batches(group, events)]
        for number, batch in enumerate(batches):
            failures |= self._post(batch, events, until)
            unavailable = next((each for each in failures.values() if isinstance(each, SinkUnavailable)), None)
            if unavailable is not None:
                # It takes nothing now: the rest keeps its place behind the events that were not taken.
                failures |= {place: unavailable for rest in batches[number + 1 :] for place in rest}
                break
        return failures

    def close(self) -> None:
        if self._made is not None:
            self._loop.run(self._made.close())

    def _batches(self, places: Sequence[int], events: Sequence[OutgoingEvent]) -> list[list[int]]:
        batches: list[list[int]] = []
        size = MOST_BYTES
        for place in places:
            size += len(events[place].body.encode())
            if size > MOST_BYTES or len(batches[-1]) == self._batch_size:
                batches.append([])
                size = len(events[place].body.encode())
            batches[-1].append(place)
        return batches

    async def _exchange(self, body: bytes) -> Reply:
        """One request and its whole reply.

        Raises TimeoutError at the deadline, even while the reply is still coming in, NoReplyError for what can't be a
        reply, and ValueError or httpx.InvalidURL for a host that nobody can have.
        """
        if self._made is None:
            self._target = httpx.URL(self._url).raw_path.decode("ascii")
            self._made = Connections(self._url, self._trusted, MOST_CONNECTIONS, self._proxy)
        headers = f"Host: {self._made.host}\r\n{self._headers}Content-Length: {len(body)}\r\n"
        async with asyncio.timeout(self._timeout):
            largest = LARGEST_REPLY_BYTES + len(body)
            return await self._made.exchange("POST", self._target, headers, body, largest=largest)

    def _post(self, batch: Sequence[int], events: Sequence[OutgoingEvent], until: float) -> dict[int, DeliveryFailure]:
        body = "[" + ",".join(events[place].body for place in batch) + "]"
        if time.monotonic() > until:
            late = f"{self._url}: its replies take too long; look after it, or raise sinks.eventgate.timeout_seconds"
            return dict.fromkeys(batch, SinkUnavailable(late))
        try:
            reply = self._loop.run(self._exchange(body.encode()))
        except CancelledError:
            reason = "the process ends before it replied"
        except TimeoutError:
            reason = f"no whole reply within {self._timeout:g} s"
        except (NoReplyError, httpx.InvalidURL, ValueError) as error:
            if isinstance(error, NoReplyError) and error.is_nonsense:
                said = f"{self._url}: {error}; see who answers there, or correct sinks.eventgate.url"
                return dict.fromkeys(batch, SinkUnavailable(said))
            reason = first_cause(error)
        else:
            return self._read(reply, batch, events, until)
        cure = "start it, or correct sinks.eventgate.url"
        return dict.fromkeys(batch, SinkUnavailable(f"{self._url}: {reason}; {cure}"))

    def _read(
        self, reply: Reply, batch: Sequence[int], events: Sequence[OutgoingEvent], until: float
    ) -> dict[int, DeliveryFailure]:
        status, content = reply.status, reply.content
        if status in {200, 201}:
            return {}
        verdicts = verdicts_of(status, content)
        if verdicts is not None:
            return judged(batch, events, verdicts, everything=status != 207, where=self._url)
        reason = f"{self._url}: status {status}: {text_of(content) or reply.reason or 'no reason'}"
        if status in {400, 413} or is_about_the_request(status, content):
            return self._halved(batch, events, reason, until)
        if 300 <= status < 400:
            location = reply.header("Location")
            reason = f"{reason}; {advice(self._url, self._base, location, setting='sinks.eventgate.url')}"
        # Also for 202, which promises nothing, and can only come from a gateway in between.
        return dict.fromkeys(batch, SinkUnavailable(reason))

    def _halved(
        self, batch: Sequence[int], events: Sequence[OutgoingEvent], reason: str, until: float
    ) -> dict[int, DeliveryFailure]:
        """The whole request was refused, perhaps because of one event: find it, and deliver the others."""
        if len(batch) == 1:
            return {batch[0]: EventRefused(reason)}
        half = len(batch) // 2
        return self._post(batch[:half], events, until) | self._post(batch[half:], events, until)


def first_cause(error: BaseException) -> str:
    """Why there was no connection, or why it broke off, by the system's own error if there was one."""
    first, earlier = error, error.__context__
    while earlier is not None:
        first = earlier
        earlier = first.exceptions[0] if isinstance(first, ExceptionGroup) else first.__cause__ or first.__context__
    # For names and TLS the numbers mean something else, and the texts are good.
    if (isinstance(first, ConnectionError) or type(first) is OSError) and first.errno:
        return os.strerror(first.errno).lower()
    if isinstance(error, NoReplyError) and not isinstance(first, OSError):
        return str(error)
    return str(first) or str(error) or type(first).__name__


EVENTGATE = SinkKind(
    name="eventgate",
    section=EventGateSection,
    lane=lane("event_outbox_eventgate"),
    # Each request is waited for, and each event of one page takes another: many could not be sent in time.
    most_at_once=200,
    open=lambda section, user_agent, routes, loop: EventGateSink(
        section.url,
        timeout_seconds=section.timeout_seconds,
        batch_size=section.batch_size,
        user_agent=user_agent,
        loop=loop,
        route=routes.to(section.url, section="sinks.eventgate", proxy=section.proxy, ca_file=section.ca_file),
    ),
)
