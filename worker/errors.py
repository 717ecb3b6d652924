"""The worker's errors; each text is one sentence for an operator: what, where, and the way out.

WorkerError
├── SettingsInvalid      settings are wrong or missing
├── RedisUnavailable     Redis does not answer
├── EndpointUnavailable  the scoring endpoint gave no answer this time; later it may
├── ScoreRefused         a final answer: this revision has no score of this model
├── SinkUnavailable      the event sink took nothing; the events stay promised
└── CommandFailed        a command can't do what it was asked to
"""


class WorkerError(Exception):
    """Base of everything this package raises on purpose."""


class SettingsInvalid(WorkerError):
    """A setting is wrong or missing; the text names it and says how to correct it."""


class RedisUnavailable(WorkerError):
    """Redis does not answer at the configured URL."""


class EndpointUnavailable(WorkerError):
    """The scoring endpoint gave no answer this time."""


class ScoreRefused(WorkerError):
    """The endpoint's final word: there is no score of this model for this revision."""


class SinkUnavailable(WorkerError):
    """The sink took none of the events; sending them again later is safe, since their ids stay the same."""


class CommandFailed(WorkerError):
    """A command can't do what it was asked to; ends it with exit code 1 and no traceback."""
