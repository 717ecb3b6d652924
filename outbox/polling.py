"""Asking many wikis at once what there is to do: one statement for all that share a server."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby

from sqlalchemy import ColumnElement, literal, select
from sqlalchemy.exc import SQLAlchemyError

from outbox.database import Database
from outbox.errors import OutboxError

#: Wikis in one statement: it opens some tables of each.
MOST_AT_ONCE = 100
#: A table that somebody alters is not waited for: it would hold up the answers of all other wikis.
_NO_WAIT = "SET STATEMENT lock_wait_timeout = 0 FOR "

#: By a name for each, conditions over a wiki's tables.
Questions = Mapping[str, ColumnElement[bool]]


@dataclass(slots=True)
class Found:
    """What a poll found."""

    #: Wiki, and the name of a question to which the answer is yes.
    yes: list[tuple[str, str]] = field(default_factory=list)
    #: Wikis that could not be asked, and why.
    failed: dict[str, Exception] = field(default_factory=dict)


class Poll:
    """Asks the same *questions* again and again; their text is made once for each wiki."""

    def __init__(self, questions: Questions) -> None:
        self._questions = questions
        self._texts: dict[str, str] = {}

    def ask(self, databases: Sequence[Database]) -> Found:
        """Ask every one of *databases* all questions; one that can't be asked costs the others some statements more.

        Wikis with a server of their own, as every file is, are asked by a statement each.
        """
        found = Found()
        if self._questions:
            for _, those in groupby(sorted(databases, key=_server), key=_server):
                of_server = list(those)
                for start in range(0, len(of_server), MOST_AT_ONCE):
                    self._ask(of_server[start : start + MOST_AT_ONCE], found)
        return found

    def _ask(self, databases: Sequence[Database], found: Found) -> None:
        first = databases[0]
        statement = " UNION ALL ".join(map(self._text, databases))
        try:
            with first.reading() as connection:
                answers = connection.exec_driver_sql(statement if first.server.is_sqlite else _NO_WAIT + statement)
                found.yes += [(wiki, name) for wiki, name in answers]
        except (OutboxError, SQLAlchemyError) as error:
            # Without an answer of the server, asking for less of it would only take the same time again.
            is_an_answer = isinstance(error, SQLAlchemyError) or error.__cause__ is not None
            if len(databases) > 1 and is_an_answer and not first.server.circuit.is_open:
                middle = len(databases) // 2
                self._ask(databases[:middle], found)
                self._ask(databases[middle:], found)
            else:
                found.failed |= dict.fromkeys((each.wiki for each in databases), error)

    def _text(self, database: Database) -> str:
        if database.wiki not in self._texts:
            self._texts[database.wiki] = " UNION ALL ".join(_parts(database, self._questions))
        return self._texts[database.wiki]


def _server(database: Database) -> str:
    return database.server.name


def _parts(database: Database, questions: Questions) -> Iterator[str]:
    """The statement of each question: the wiki and the question's name where the answer is yes, else nothing."""
    for name, condition in questions.items():
        statement = select(literal(database.wiki), literal(name)).where(condition)
        dialect, literals = database.engine.dialect, {"literal_binds": True}
        if database.schema is None:
            yield str(statement.compile(dialect=dialect, compile_kwargs=literals))
        else:
            yield str(
                statement.compile(
                    dialect=dialect,
                    schema_translate_map={None: database.schema},
                    render_schema_translate=True,
                    compile_kwargs=literals,
                )
            )
