"""Asking many wikis at once what there is to do: one statement for all that share a server."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby

from sqlalchemy import ColumnElement, Dialect, literal, select
from sqlalchemy.exc import SQLAlchemyError

from outbox.database import Database
from outbox.errors import OutboxError

#: Most wikis in one statement, which opens some tables of each.
MOST_AT_ONCE = 100
#: Do not wait for a table that somebody alters: that would hold up the answers for all other wikis.
_NO_WAIT = "SET STATEMENT lock_wait_timeout = 0 FOR "

#: Stand for a wiki and its database in what is compiled.
_WIKI, _SCHEMA = "<wiki>", "outpatrol_any_wiki"
_LITERALS = {"literal_binds": True}

#: Name of a question to a condition over a wiki's tables.
Questions = Mapping[str, ColumnElement[bool]]


@dataclass(slots=True)
class Found:
    """What a poll found."""

    #: Pairs of a wiki and a question to which the answer is yes.
    yes: list[tuple[str, str]] = field(default_factory=list)
    #: Wikis that could not be asked, and why.
    failed: dict[str, Exception] = field(default_factory=dict)


class Poll:
    """Asks the same *questions* again and again; they are compiled once for all wikis on one kind of server."""

    def __init__(self, questions: Questions) -> None:
        self._questions = questions
        #: By the name of the dialect, and by wiki.
        self._compiled: dict[str, str] = {}
        self._texts: dict[str, str] = {}

    def ask(self, databases: Sequence[Database]) -> Found:
        """Ask all questions of each of *databases*; one that can't be asked costs the others only some more statements.

        A wiki with a server of its own, as every SQLite file is, is asked by a statement of its own.
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
            # If the server does not answer, asking it for less would only take the same time again.
            is_an_answer = isinstance(error, SQLAlchemyError) or error.__cause__ is not None
            if len(databases) > 1 and is_an_answer and not first.server.circuit.is_open:
                middle = len(databases) // 2
                self._ask(databases[:middle], found)
                self._ask(databases[middle:], found)
            else:
                found.failed |= dict.fromkeys((each.wiki for each in databases), error)

    def _text(self, database: Database) -> str:
        if database.wiki not in self._texts:
            dialect = database.engine.dialect
            if dialect.name not in self._compiled:
                self._compiled[dialect.name] = " UNION ALL ".join(_parts(dialect, self._questions))
            self._texts[database.wiki] = _named(self._compiled[dialect.name], database)
        return self._texts[database.wiki]


def _server(database: Database) -> str:
    return database.server.name


def _parts(dialect: Dialect, questions: Questions) -> Iterator[str]:
    """The statement for each question: a row with the wiki and the question's name if the answer is yes, else none."""
    for name, condition in questions.items():
        statement = select(literal(_WIKI), literal(name)).where(condition)
        yield str(
            statement.compile(
                dialect=dialect,
                schema_translate_map={None: _SCHEMA},
                render_schema_translate=True,
                compile_kwargs=_LITERALS,
            )
        )


def _named(compiled: str, database: Database) -> str:
    """The statement for one wiki: its name, and its database, where they stand in what was *compiled*."""
    dialect = database.engine.dialect
    schema = "" if database.schema is None else f"{dialect.identifier_preparer.quote_schema(database.schema)}."
    wiki = str(literal(database.wiki).compile(dialect=dialect, compile_kwargs=_LITERALS))
    return compiled.replace(f"{_SCHEMA}.", schema).replace(f"'{_WIKI}'", wiki)
