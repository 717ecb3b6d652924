"""The answers to a request for several scores. Pure."""

from dataclasses import dataclass, field

from worker.domain.scores import Answer, ScoreId


@dataclass(slots=True)
class Answers:
    """Answers to those who asked the front door, by score id."""

    #: Ids that are missing here had no answer in time.
    by_id: dict[ScoreId, Answer] = field(default_factory=dict)
    #: How many of the answers were cached before.
    cached: int = 0
    #: Those that no worker was asked for, since too many requests are waiting.
    refused: set[ScoreId] = field(default_factory=set)


class Stored:
    """A final answer as it is cached, and the text that a reader has made of it."""

    __slots__ = ("_start", "entry", "value")

    def __init__(self, value: bytes, start: int) -> None:
        self.value = value
        self._start = start
        #: As the front door writes it, once somebody has asked for it.
        self.entry: bytes | None = None

    @property
    def document(self) -> bytes:
        """The JSON of a `Score` or a `ScoreError`."""
        return self.value[self._start : -1]
