"""The worker's errors. Each text is one sentence for an operator: what is wrong, where, and the way out.

WorkerError
├── SettingsInvalid      settings are wrong or missing
├── EndpointUnavailable  the scoring endpoint gave no answer this time; later it may
├── ScoreRefused         a final answer: this revision has no score of this model
├── InformationUnknown   the endpoint has no such information about a model
├── DocumentUnavailable  a worker could not make what was asked for; later it may
├── RedisUnavailable     Redis does not answer, and nothing can be done without it
├── Overloaded           too many requests for scores are waiting already
├── ProcessEnding        a worker process has to end, and gives back what it holds
├── FilterInvalid        the wiki does not have such a filter, or can't resolve it
└── CommandFailed        a command can't do what it was asked to
"""

from collections.abc import Sequence

from worker.domain.failures import Failure


class WorkerError(Exception):
    """Base of everything this package raises on purpose."""


class SettingsInvalid(WorkerError):
    """A setting is wrong or missing; the text names it and says how to correct it."""


class EndpointUnavailable(WorkerError):
    """The scoring endpoint gave no answer this time; *retry_after* is in seconds, if it said when to ask again."""

    def __init__(self, message: str, failure: Failure = Failure.OUTAGE, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.failure = failure
        self.retry_after = retry_after


class ScoreRefused(WorkerError):
    """The endpoint's final answer: this model has no score for this revision."""


class InformationUnknown(WorkerError):
    """The endpoint has no such information about a model; *path* says which."""

    def __init__(self, path: str) -> None:
        super().__init__(f"the endpoint tells nothing of {path!r}; ask for the version")
        self.path = path


class DocumentUnavailable(WorkerError):
    """A worker failed when it made a document; its log says why."""


class RedisUnavailable(WorkerError):
    """Redis does not answer, and what was asked for can't be done without it."""


class Overloaded(WorkerError):
    """Too many requests for scores are waiting already; a new one was refused, and nothing was queued."""


class ProcessEnding(WorkerError):
    """A worker process was asked to end; it gives back what it holds, and nothing is at fault."""


class FilterInvalid(WorkerError):
    """A filter names a model or a level that the wiki does not have, or whose formula is not resolved yet."""


class CommandFailed(WorkerError):
    """A command can't do what it was asked to; ends it with exit code 1 and no traceback.

    *log* holds lines of another program's log, to be shown below the sentence.
    """

    def __init__(self, message: str, log: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.log = log


def not_installed(package: str, extra: str) -> str:
    """The sentence for a missing *package*, which comes with that *extra* of ours."""
    return f"{package} is not installed; run: pip install 'outpatrol[{extra}]'"
