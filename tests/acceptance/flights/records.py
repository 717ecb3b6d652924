"""What callers write down while they ask for scores, one JSON object a line; and the scoring calls an endpoint logged.

All moments are monotonic seconds, which are the same for all processes of a machine.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

#: Whose calls name no contact of ours.
UNNAMED = "unnamed"
#: *asked*: the request began; *calling* and *called*: it asked the endpoint itself; *answered*: the request's end.
What = Literal["asked", "calling", "called", "answered"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One thing that happened to one score id in one request of a caller."""

    what: What
    score_id: str
    at: float
    process: str
    thread: int
    request: int
    #: The answer as JSON, of what was answered.
    body: str | None = None
    #: The typed error in place of an answer.
    failure: str | None = None

    def encode(self) -> str:
        return json.dumps(asdict(self), separators=(",", ":"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One HTTP call as the endpoint saw it; for whom is told by the contact in its User-Agent."""

    process: str
    ids: frozenset[str]
    start: float
    end: float
    is_failed: bool = False


def contact_of(process: str) -> str:
    """The contact that a process names, so that its calls can be told from those of others."""
    return f"{process}@tests.invalid"


def read_records(lines: Iterable[str]) -> Iterator[Record]:
    """Read records back, up to a line that lacks its end: it is being written, or its process was killed."""
    for line in lines:
        if not line.endswith("\n"):
            # What is read next of a file that grows is the rest of it.
            return
        yield Record(**json.loads(line))


def read_call(document: Mapping[str, Any], version: str) -> Call:
    """Read one entry of the emulated endpoint's log; *version* is the one of all models."""
    named = re.search(r"\(([^()@\s]+)@tests\.invalid\)", document["user_agent"] or "")
    return Call(
        process=named[1] if named else UNNAMED,
        ids=frozenset(
            f"{document['wiki']}:{model}:{revision}:{version}"
            for model in document["models"]
            for revision in document["revisions"]
        ),
        start=document["start_monotonic"],
        end=document["end_monotonic"],
        is_failed=document["status"] >= 400,
    )
