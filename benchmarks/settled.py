"""How far workers are, as their own log tells: reading it costs the database nothing."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

BATCHES = ("edits_settled", "events_settled")


@dataclass(slots=True)
class Settled:
    """What was settled since this was made, by the kind of batch."""

    log: Path
    #: Messages that were delivered, and the batches in which they were.
    delivered: dict[str, int] = field(default_factory=lambda: dict.fromkeys(BATCHES, 0))
    batches: dict[str, int] = field(default_factory=lambda: dict.fromkeys(BATCHES, 0))
    #: When the last batch was settled, in seconds since 1970.
    moments: dict[str, float] = field(default_factory=lambda: dict.fromkeys(BATCHES, 0.0))
    _read: int = field(init=False)

    def __post_init__(self) -> None:
        self._read = self.log.stat().st_size

    @property
    def edits(self) -> int:
        return self.delivered["edits_settled"]

    @property
    def events(self) -> int:
        return self.delivered["events_settled"]

    def look(self) -> None:
        """Take in what the log says meanwhile."""
        for line in self._new_lines():
            if (name := line.get("event")) in self.delivered:
                self.delivered[name] += line["delivered"]
                self.batches[name] += 1
                self.moments[name] = datetime.fromisoformat(line["timestamp"]).timestamp()

    def _new_lines(self) -> Iterator[dict[str, Any]]:
        with self.log.open("rb") as log:
            log.seek(self._read)
            for line in log:
                if not line.endswith(b"\n"):
                    return
                self._read += len(line)
                if line.startswith(b"{"):
                    yield json.loads(line)
