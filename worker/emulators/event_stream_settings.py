"""What can be set while the emulated EventStreams runs. Pure."""

from typing import Literal

from pydantic import Field

from worker.emulators.settings import Failures, Part, Settings


class Refusals(Failures):
    """How often a connection is refused; with `connections`, only among the first so many."""

    connections: int | None = Field(default=None, ge=0)


class Interruption(Part):
    """What happens after so many events of a connection, and to how many of the first connections.

    They are cut off, cut off within the next event, closed in order, ended by an error, or say nothing any more.
    """

    after_events: int | None = Field(default=None, ge=0)
    how: Literal["cut", "cut_within", "close", "error", "silence"] = "cut"
    connections: int | None = Field(default=None, ge=0)


class Drip(Part):
    """Everything goes out in pieces of so many bytes, each after so many milliseconds; 0 bytes: as it is."""

    bytes: int = Field(default=0, ge=0)
    ms: float = Field(default=1.0, ge=0)


class EventStreamSettings(Settings):
    """All that can be set; connections are counted from the last change."""

    failures: Refusals = Refusals()
    interruption: Interruption = Interruption()
    drip: Drip = Drip()
    #: Between comments, while there are no events.
    heartbeat_seconds: float = Field(default=5.0, gt=0)
    #: What ids tell of the topics that were read: EventStreams has moments, others have offsets.
    ids: Literal["timestamp", "offset"] = "timestamp"
    #: How far apart events are in time; with 0 they are all of one millisecond.
    ms_per_event: int = Field(default=1000, ge=0)
    #: After every so many events a canary is sent.
    canary_every_nth: int | None = Field(default=None, ge=1)
