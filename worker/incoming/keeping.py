"""Saving edits from a stream, however long the database takes: an edit is skipped only if it alone is at fault."""

from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar

from sqlalchemy.exc import DBAPIError

from outbox.database import Database
from outbox.errors import DatabaseRefuses, DatabaseUnavailable
from outbox.page_changes import Promised
from outbox.server_errors import sentence_of
from worker.config.telemetry import log
from worker.incoming.patience import Patience
from worker.incoming.saving import Fate, save_alone, save_heard

Result = TypeVar("Result")

#: What is waited for.
NOT_KEPT = (DatabaseUnavailable, DatabaseRefuses, DBAPIError)


class Keeper:
    """Saves edits and the position in the stream at *source*.

    *rest* waits, and *trouble* is called with the reason, or with None when the trouble is over. If *is_ending* returns
    true, errors of the database are raised, and no longer waited for.
    """

    def __init__(
        self,
        source: str,
        patience: Patience,
        *,
        rest: Callable[[float], None],
        is_ending: Callable[[], bool],
        trouble: Callable[[str | None], None],
    ) -> None:
        self._source = source
        self._patience = patience
        self._rest = rest
        self._is_ending = is_ending
        self._trouble = trouble

    def keep(
        self, database: Database, edits: Sequence[Promised], last: str | None, *, waits: bool = True
    ) -> Counter[Fate]:
        """Save *edits* and the position *last*; returns how many were saved, and the like.

        *waits* for a database that can't be reached, is locked, is read-only or refuses.
        """
        patiently = partial(self.patiently, database, waits=waits)
        heard = partial(save_heard, database, source=self._source, event_id=last)
        fates: Counter[Fate] | None = patiently(partial(heard, edits))
        if fates is None:
            # One of them is at fault: save each alone, and the position after all of them.
            fates = Counter(patiently(partial(save_alone, database, edit)) for edit in edits)
            patiently(partial(heard, ()))
        return fates

    def patiently(self, database: Database, work: Callable[[], Result], *, waits: bool = True) -> Result:
        """The result of *work*, once the database lets it succeed.

        Raises:
            OutboxError, sqlalchemy.exc.DBAPIError: it does not, and we are ending or do not wait.
        """
        failures = 0
        while True:
            try:
                result = work()
            except NOT_KEPT as error:
                if self._is_ending() or not waits:
                    raise
                failures += 1
                self._wait(database, error, failures)
            else:
                if failures:
                    self._trouble(None)
                return result

    def _wait(self, database: Database, error: Exception, failures: int) -> None:
        pause = self._patience.pause(failures)
        sentence = sentence_of(error) or str(error)
        self._trouble(sentence)
        log.warning("database_unavailable", wiki=database.wiki, error=sentence, again_in_seconds=round(pause, 1))
        self._rest(pause)
