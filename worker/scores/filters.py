"""RecentChanges filters: the SQL for an admin's question.

The statement first finds the changes by time and score alone, and then joins user and details to the few that are
shown; Extension:ORES joins them to every change that it looks at. Operators are those of Extension:ORES: a band
includes both ends, hiding and reviewing ask for more than a threshold.
Source: mediawiki/extensions/ORES includes/Hooks/ChangesListHooksHandler.php and includes/Hooks/Api @ e8804727.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Connection,
    Dialect,
    Executable,
    Select,
    and_,
    bindparam,
    literal_column,
    null,
    or_,
    select,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.elements import ClauseElement
from sqlalchemy.sql.selectable import FromClause

from outbox import EditSource
from outbox.mediawiki.reading import shown_title
from outbox.mediawiki.schema import DELETED_USER, actor, recentchanges
from worker.domain.thresholds import REVERT_RISK, Band
from worker.scores.tables import ores_classification

#: The one namespace that is shown when filtering by revert risk, whatever else was scored.
ARTICLES = 0
change = recentchanges.c


@dataclass(frozen=True, slots=True)
class Cursor:
    """The last change of a page; the next page begins after it."""

    timestamp: str
    change: int

    def __str__(self) -> str:
        return f"{self.timestamp}/{self.change}"


@dataclass(frozen=True, slots=True)
class ScoreColumn:
    """Where a model's probability is stored: the id of its current version, and the number of the class."""

    model_id: int
    class_id: int


#: By model: what is shown and what can be filtered by.
ScoreColumns = Mapping[str, ScoreColumn]


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """What an admin asks for. All conditions hold together."""

    #: The oldest change asked for, as `rc_timestamp`.
    since: str
    #: Model to bands, one of which must hold its probability; a model without bands is no condition.
    bands: Mapping[str, Sequence[Band]]
    #: Model to the probability that its score must exceed; and model to the one that it must not exceed (no score is
    #: right, too).
    above: Mapping[str, float]
    not_above: Mapping[str, float]
    unpatrolled: bool = False
    hide_bots: bool = False
    namespaces: Sequence[int] = ()
    after: Cursor | None = None
    limit: int = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One row of RecentChanges with its probabilities by model; a model without a row is left out."""

    change: int
    revision: int
    parent_revision: int
    namespace: int
    title: str
    #: None: hidden.
    user: str | None
    timestamp: str
    is_new: bool
    is_bot: bool
    is_minor: bool
    patrolled: int
    length_change: int | None
    probabilities: Mapping[str, float]

    @property
    def cursor(self) -> Cursor:
        return Cursor(self.timestamp, self.change)


def find_changes(connection: Connection, query: Query, columns: ScoreColumns) -> list[Change]:
    """The newest changes that match *query*, the newest first, at most `query.limit`; one statement.

    *columns* are the probabilities that are wanted, including all that are filtered by.
    """
    return [
        Change(
            change=row.rc_id,
            revision=row.rc_this_oldid,
            parent_revision=row.rc_last_oldid,
            namespace=row.rc_namespace,
            title=shown_title(row.rc_namespace, row.rc_title),
            user=None if row.rc_deleted & DELETED_USER else row.actor_name,
            timestamp=row.rc_timestamp,
            is_new=row.rc_source == EditSource.NEW,
            is_bot=bool(row.rc_bot),
            is_minor=bool(row.rc_minor),
            patrolled=row.rc_patrolled,
            length_change=None if None in (row.rc_new_len, row.rc_old_len) else row.rc_new_len - row.rc_old_len,
            probabilities={
                model: float(probability)
                for model in columns
                if (probability := row._mapping[_label(model)]) is not None  # noqa: SLF001 - SQLAlchemy's own name
            },
        )
        for row in connection.execute(statement(query, columns))
    ]


def statement(query: Query, columns: ScoreColumns) -> Select[Any]:
    """The statement behind `find_changes`."""
    found = _found(query, columns).subquery("found")
    shown = recentchanges.join(found, found.c.rc_id == change.rc_id).outerjoin(
        actor, actor.c.actor_id == change.rc_actor
    )
    probabilities = []
    for model, column in columns.items():
        score = _score(model)
        shown = shown.outerjoin(score, _is_score(score, column))
        probabilities.append(score.c.oresc_probability.label(_label(model)))
    wanted = (
        change.rc_id, change.rc_timestamp, change.rc_this_oldid, change.rc_last_oldid, change.rc_namespace,
        change.rc_title, change.rc_source, change.rc_bot, change.rc_minor, change.rc_patrolled, change.rc_deleted,
        change.rc_new_len, change.rc_old_len, actor.c.actor_name,
    )  # fmt: skip
    newest_first = (found.c.rc_timestamp.desc(), found.c.rc_id.desc())
    return select(*wanted, *probabilities).select_from(shown).order_by(*newest_first)


def _found(query: Query, columns: ScoreColumns) -> Select[Any]:
    tables: Any = recentchanges
    conditions = _of_changes(query)
    for model, bands in query.bands.items():
        if bands:
            score = _score(model)
            tables = tables.join(score, _is_score(score, columns[model]))
            probability = score.c.oresc_probability
            ends: list[tuple[BindParameter[float], BindParameter[float]]] = [
                (bindparam(f"{model}_low_{number}", band.low), bindparam(f"{model}_high_{number}", band.high))
                for number, band in enumerate(bands, 1)
            ]
            conditions.append(or_(*(probability.between(low, high) for low, high in ends)))
            if model == REVERT_RISK:
                conditions.append(change.rc_namespace == _number(ARTICLES))
    for model, threshold in query.above.items():
        score = _score(f"{model}_above")
        tables = tables.join(score, _is_score(score, columns[model]))
        conditions.append(score.c.oresc_probability > bindparam(f"{model}_above", threshold))
    for model, threshold in query.not_above.items():
        score = _score(f"{model}_not_above")
        tables = tables.outerjoin(score, _is_score(score, columns[model]))
        probability = score.c.oresc_probability
        conditions.append(or_(probability <= bindparam(f"{model}_not_above", threshold), probability.is_(null())))
    found = select(change.rc_id, change.rc_timestamp).select_from(tables).where(and_(*conditions))
    # By time from the newest on, whatever the optimizer prefers, so that the statement can stop at the limit.
    for dialect in ("mysql", "mariadb"):
        found = found.prefix_with("STRAIGHT_JOIN", dialect=dialect)
        found = found.with_hint(recentchanges, "FORCE INDEX (rc_timestamp)", dialect)
    return found.order_by(change.rc_timestamp.desc(), change.rc_id.desc()).limit(_number(query.limit))


def _of_changes(query: Query) -> list[ColumnElement[bool]]:
    sources: BindParameter[Any] = bindparam("source", [source.value for source in EditSource], expanding=True)
    conditions = [change.rc_timestamp >= bindparam("since", query.since), change.rc_source.in_(sources)]
    if query.after is not None:
        moment: BindParameter[str] = bindparam("after_timestamp", query.after.timestamp)
        is_older = or_(change.rc_timestamp < moment, change.rc_id < bindparam("after_change", query.after.change))
        conditions += [change.rc_timestamp <= moment, is_older]
    if query.unpatrolled:
        conditions.append(change.rc_patrolled == _number(0))
    if query.hide_bots:
        conditions.append(change.rc_bot == _number(0))
    if query.namespaces:
        conditions.append(change.rc_namespace.in_([_number(namespace) for namespace in sorted(query.namespaces)]))
    return conditions


def _number(number: int) -> ColumnElement[int]:
    """*number* in the text of the statement, where it is easier to read than a parameter."""
    return literal_column(f"{number:d}")


def _score(name: str) -> FromClause:
    return ores_classification.alias(f"{name}_score")


def _label(model: str) -> str:
    return f"{model}_probability"


def _is_score(score: FromClause, column: ScoreColumn) -> ColumnElement[bool]:
    row = score.c
    return and_(
        row.oresc_rev == change.rc_this_oldid,
        row.oresc_model == _number(column.model_id),
        row.oresc_class == _number(column.class_id),
    )


class Explain(Executable, ClauseElement):
    """The plan of a statement instead of its rows."""

    inherit_cache = False

    def __init__(self, explained: Select[Any]) -> None:
        self.explained = explained


@compiles(Explain)
def _explained(element: Explain, compiler: SQLCompiler, **options: Any) -> str:
    return "EXPLAIN " + compiler.process(element.explained, **options)


@compiles(Explain, "sqlite")
def _explained_by_sqlite(element: Explain, compiler: SQLCompiler, **options: Any) -> str:
    return "EXPLAIN QUERY PLAN " + compiler.process(element.explained, **options)


def explain(connection: Connection, query: Query, columns: ScoreColumns) -> list[dict[str, Any]]:
    """The plan of the statement as the database shows it, a row for each table."""
    return [dict(row._mapping) for row in connection.execute(Explain(statement(query, columns)))]  # noqa: SLF001


def script(query: Query, columns: ScoreColumns, dialect: Dialect) -> str:
    """The statement with its parameters, as an admin can paste it into the client of MariaDB or of SQLite."""
    make: Any = type(dialect)
    compiled = statement(query, columns).compile(
        dialect=make(paramstyle="named"), compile_kwargs={"render_postcompile": True}
    )
    is_sqlite = dialect.name == "sqlite"
    values = {name: value for name, value in compiled.params.items() if f":{name}" in str(compiled)}
    text = str(compiled) if is_sqlite else re.sub(r":(\w+)", r"@\1", str(compiled))
    set_parameters = [
        f".parameter set :{name} {_quoted(value)}"
        if is_sqlite
        # In MariaDB a backslash would escape the end of a string.
        else f"SET @{name} = {_quoted(value)};".replace("\\", "\\\\")
        for name, value in sorted(values.items())
    ]
    return "\n".join([*set_parameters, f"{text};"])


def _quoted(value: str | float) -> str:
    return f"{value}" if isinstance(value, int | float) else "'" + value.replace("'", "''") + "'"
