"""The outbox's errors.

    OutboxError
    ├── UndecodableMessage    a payload is not what its lane holds: given up at once
    ├── PromiseNotAwaited     `record_async` was called without await: the transaction is not committed
    ├── DatabaseUnavailable   the wiki's database does not answer
    │   └── ServerGone        its server serves nobody, and was not asked again
    ├── DatabaseRefuses       it answers, and does not do what it is asked
    ├── DatabaseNotMigrated   it answers, but lacks tables that we need
    └── ForeignTables         it has somebody else's tables where ours, or MediaWiki's, are needed

A lost lease is no error. It is normal, and seen from what `settle` returns.
"""


class OutboxError(Exception):
    """Base of everything this package raises on purpose; its text is a sentence for an operator."""


class UndecodableMessage(OutboxError):
    """The payload of a message can't be read back; trying again would not help."""


class PromiseNotAwaited(OutboxError):
    """A transaction in which `record_async` was called but not awaited was about to be committed."""


class DatabaseUnavailable(OutboxError):
    """The database of a wiki can't be reached or refuses us."""


class ServerGone(DatabaseUnavailable):
    """The server serves nobody, which is logged already; it was not asked again."""


class DatabaseRefuses(OutboxError):
    """The database answers and refuses any such request: rights, space, its settings; no message's fault."""


class DatabaseNotMigrated(OutboxError):
    """The database answers, but a table or column of ours, or one of MediaWiki's that we read, is missing."""


class ForeignTables(OutboxError):
    """Somebody else made a table: it must not be written to, or it is not the one that we want to read."""
