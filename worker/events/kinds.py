"""The kinds of sinks; a further one is a file beside this one and a line here."""

from collections.abc import Mapping

from outbox import Lane
from worker.events.eventgate import EVENTGATE
from worker.events.file_sink import FILE
from worker.events.kafka_kind import KAFKA
from worker.events.sinks import SinkKind
from worker.events.stdout_sink import STDOUT

SINKS: Mapping[str, SinkKind] = {kind.name: kind for kind in (FILE, STDOUT, EVENTGATE, KAFKA)}
#: A lane for each sink, so that one that takes nothing holds up no other.
EVENT_LANES: Mapping[str, Lane] = {name: kind.lane for name, kind in SINKS.items()}
