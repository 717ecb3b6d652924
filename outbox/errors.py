"""The outbox's errors.

    OutboxError
    ├── UndecodableMessage    a payload is not what its lane holds: given up at once
    ├── PromiseNotAwaited     `record_async` was called without await: the transaction is not committed
    ├── DatabaseUnavailable   the wiki's database does not answer
    │   └── ServerGone        its server serves nobody, and was not asked again
    ├── DatabaseRefuses       it answers, and does not do what it is asked
    ├── DatabaseNotMigrated   it answers, but lacks tables that we need
    └── ForeignTables         it has somebody else's tables where ours, or MediaWiki's, are needed

A lost lease is no error. It is normal, and `settle` shows it in what it returns.
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
    """The server serves nobody, which was logged before; it was not asked again."""


class DatabaseRefuses(OutboxError):
    """The database answers and refuses all such requests (rights, space, its settings); no message is at fault."""


class DatabaseNotMigrated(OutboxError):
    """The database answers, but a table or column of ours, or one of MediaWiki's that we read, is missing."""


class ForeignTables(OutboxError):
    """Somebody else made a table: we must not write to it, or it is not the table that we want to read."""
