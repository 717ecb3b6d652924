"""What can be set while the emulated EventGate runs. Pure."""

from pydantic import Field

from worker.emulators.settings import CommonSettings, Part, Rate


class RefusedEvents(Part):
    """Which single events are refused as invalid although they are valid.

    By `rate`, an event with a `meta.id` is refused every time it is sent or never, as an invalid one would be.
    """

    rate: Rate = 0.0
    every_nth: int | None = Field(default=None, ge=1)


class Late(Part):
    """How often a reply is late, and by how many milliseconds; the events are taken before that."""

    rate: Rate = 1.0
    ms: float = Field(default=0.0, ge=0)


class EventGateSettings(CommonSettings):
    """Everything that can be set; rates outside a group are shares of the requests."""

    #: The largest request that is read, in bytes.
    max_body_size: int = Field(default=4 * 1024 * 1024, ge=1)
    #: Stream → title of the only schema allowed in it; others are errors. None: any event may go to any stream.
    streams: dict[str, str] | None = None
    #: False: no schema can be loaded, and every event is an error.
    has_schemas: bool = True
    #: False takes events without checking them: for measuring clients, since checking is most of the work here.
    checks_schemas: bool = True
    refuse: RefusedEvents = RefusedEvents()
    #: The share of single events that end in an error, as if they could not be written.
    error_rate: Rate = 0.0
    late: Late = Late()
    #: The connection is closed without the events being taken.
    close_before: Rate = 0.0
    #: The events are taken, and the connection is closed in the middle of the reply.
    close_mid_reply: Rate = 0.0
