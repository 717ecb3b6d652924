"""What asking for several scores came to. Pure."""

from dataclasses import dataclass, field

from worker.domain.scores import Answer, ScoreId


@dataclass(slots=True)
class Answers:
    """Answers to those who asked the front door, by score id."""

    #: What has none in here had none in time.
    by_id: dict[ScoreId, Answer] = field(default_factory=dict)
    #: How many of them were there before.
    cached: int = 0
    #: Those that no worker was asked for, since too many requests are waiting.
    refused: set[ScoreId] = field(default_factory=set)
