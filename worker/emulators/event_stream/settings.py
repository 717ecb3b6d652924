"""What can be set while the emulated EventStreams runs. Pure."""

from typing import Literal

from pydantic import Field

from worker.emulators.settings import CommonSettings, Failures, Part


class RefusedConnections(Failures):
    """How often a connection is refused; with `connections`, only among the first that many."""

    connections: int | None = Field(default=None, ge=0)


class Interruption(Part):
    """What happens to a connection after that many events, and to how many of the first connections.

    It is cut off, cut off within the next event, closed properly, ended by an error event, or falls silent.
    """

    after_events: int | None = Field(default=None, ge=0)
    how: Literal["cut", "cut_within", "close", "error", "silence"] = "cut"
    connections: int | None = Field(default=None, ge=0)


class Drip(Part):
    """The stream is sent in pieces of `bytes` bytes, each after `ms` milliseconds; with 0 bytes it is sent whole."""

    bytes: int = Field(default=0, ge=0)
    ms: float = Field(default=1.0, ge=0)


class EventStreamSettings(CommonSettings):
    """Everything that can be set; connections are counted from the last change."""

    failures: RefusedConnections = RefusedConnections()
    interruption: Interruption = Interruption()
    drip: Drip = Drip()
    #: How many connections one client, by its X-Client-IP, may have at once; None: no limit.
    connections_per_client: int | None = Field(default=None, ge=0)
    #: Seconds between comments while there are no events.
    heartbeat_seconds: float = Field(default=5.0, gt=0)
    #: How ids mark the place in a topic: EventStreams writes timestamps, other services write offsets.
    ids: Literal["timestamp", "offset"] = "timestamp"
    #: Milliseconds between two events; with 0 all have the same timestamp.
    ms_per_event: int = Field(default=1000, ge=0)
    #: A canary is sent after each group of this many events.
    canary_every_nth: int | None = Field(default=None, ge=1)
