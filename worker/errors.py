"""The worker's errors; each text is one sentence for an operator: what, where, and the way out.

WorkerError
├── SettingsInvalid      settings are wrong or missing
├── EndpointUnavailable  the scoring endpoint gave no answer this time; later it may
├── ScoreRefused         a final answer: this revision has no score of this model
├── SinkUnavailable      the event sink took nothing; the events stay promised
├── RedisUnavailable     Redis does not answer, where nothing can be done without it
├── Overloaded           too many requests for scores are waiting already
└── CommandFailed        a command can't do what it was asked to
"""

from enum import StrEnum


class Blame(StrEnum):
    """What a missing answer may be put down to."""

    #: It was not there, or served nobody: no score can be what it failed over.
    ENDPOINT = "endpoint"
    #: It took too long: an outage, if others wait in vain as well, or else this one score.
    UNCLEAR = "unclear"
    #: It was there, and failed over what was asked.
    REQUEST = "request"


class WorkerError(Exception):
    """Base of everything this package raises on purpose."""


class SettingsInvalid(WorkerError):
    """A setting is wrong or missing; the text names it and says how to correct it."""


class EndpointUnavailable(WorkerError):
    """The scoring endpoint gave no answer this time."""

    blame = Blame.ENDPOINT


class ScoreRefused(WorkerError):
    """The endpoint's final word: there is no score of this model for this revision."""


class SinkUnavailable(WorkerError):
    """The sink took none of the events; sending them again later is safe, since their ids stay the same."""


class RedisUnavailable(WorkerError):
    """Redis does not answer, and what was asked for can't be done without it."""


class Overloaded(WorkerError):
    """Too many requests for scores are waiting already; a new one was refused, and nothing was queued."""


class CommandFailed(WorkerError):
    """A command can't do what it was asked to; ends it with exit code 1 and no traceback."""
