"""The outbox's errors.

    OutboxError
    ├── UndecodableMessage    a payload that is not what its lane holds: buried at once
    ├── PromiseNotAwaited     `record_async` was called without await: the transaction is not committed
    ├── DatabaseUnavailable   the wiki's database does not answer
    ├── DatabaseNotMigrated   it answers, but lacks our tables
    └── ForeignTables         it has tables of others where ours, or MediaWiki's, are needed

A lost lease is no error: it is a normal event, told by what `settle` returns.
"""


class OutboxError(Exception):
    """Base of everything this package raises on purpose; its text is a sentence for an operator."""


class UndecodableMessage(OutboxError):
    """The payload of a message can't be read back; trying again would not help."""


class PromiseNotAwaited(OutboxError):
    """A transaction was to be committed in which `record_async` had been called, and not awaited."""


class DatabaseUnavailable(OutboxError):
    """The database of a wiki can't be reached or refuses us."""


class DatabaseNotMigrated(OutboxError):
    """The database answers, but a table or column of ours is missing."""


class ForeignTables(OutboxError):
    """A table was made by somebody else: it is not written to, or is not the one we would read."""
