"""The RecentChanges filters: our statements and Extension:ORES' own, in turns on one wiki, and the plans of ours."""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from statistics import median
from typing import Any

from pymysql.cursors import Cursor as Connected

from benchmarks.crowded_wiki import DAYS
from benchmarks.extension import api_page, api_scores, in_band, not_hidden, special_page
from benchmarks.measuring import Announce
from benchmarks.plans import faults
from benchmarks.servers import connect, url_of
from outbox.mediawiki.schema import mediawiki_timestamp
from worker.config.wiki import Wiki
from worker.domain.thresholds import DAMAGING, DEFAULT_THRESHOLDS, GOODFAITH, REVERT_RISK, Band
from worker.scores.filtering import PREFERRED, Filters, filters_of
from worker.scores.filters import Cursor, Query, statement

LIMIT = 50
TENTH = 9 * LIMIT
#: MeasuredChoice three times only, since each time takes so long.
SLOW_SECONDS = 0.3
WARM_UPS, SLOW_ROUNDS = 1, 3
#: The days that Special:RecentChanges shows by default, and all days.
WEEK, ALL = 7, DAYS

Row = tuple[Any, ...]
Ask = Callable[[Connected], list[Row]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What a reader chooses; the same for us and for the extension."""

    name: str
    bands: Mapping[str, Band] = field(default_factory=dict)
    hide_non_damaging: bool = False
    review: bool | None = None
    unpatrolled: bool = False

    @property
    def models(self) -> tuple[str, ...]:
        """The models of the wiki that is asked; revert risk is joined only where it is filtered by."""
        return (DAMAGING, GOODFAITH, *({REVERT_RISK} & set(self.bands)))


@dataclass(frozen=True, slots=True)
class Cost:
    milliseconds: float
    #: Rows and index entries that the server read; the same in each run.
    rows_read: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PageCost:
    """One page by both statements."""

    rows: int
    ours: Cost
    theirs: Cost
    #: Ours as the command asks it: with SQLAlchemy, a connection of the pool, and a `Change` for each row.
    ours_in_all: float
    #: Whether both found the same changes; the extension leaves open which changes of one second are cut off.
    is_same: bool

    @property
    def ratio(self) -> float:
        return self.ours.milliseconds / self.theirs.milliseconds


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredChoice:
    """One choice: its pages by name, and the plan of our statement with what is wrong with it."""

    choice: str
    pages: Mapping[str, PageCost]
    plan: Sequence[Mapping[str, Any]]
    faults: Sequence[str]


def _level(model: str, level: str) -> Band:
    return filled(DEFAULT_THRESHOLDS[model][level].band({}))


def filled(band: Band | None) -> Band:
    assert band is not None, "the defaults are numbers"
    return band


LEVELS = [(model, level) for model, levels in DEFAULT_THRESHOLDS.items() for level in levels]
BOTH = {DAMAGING: _level(DAMAGING, PREFERRED), GOODFAITH: _level(GOODFAITH, PREFERRED)}
CHOICES = (
    Choice(name="no filter"),
    *(Choice(name=f"{model} {level}", bands={model: _level(model, level)}) for model, level in LEVELS),
    Choice(name="hide what does not damage", hide_non_damaging=True),
    Choice(name="damaging and goodfaith likelybad, unpatrolled", bands=BOTH, unpatrolled=True),
    # So few that the whole period has to be read.
    Choice(name="damaging 0.999, goodfaith likelybad", bands=BOTH | {DAMAGING: Band(0.999, 1)}),
    Choice(name="API oresreview", review=True),
    Choice(name="API !oresreview", review=False),
)


def measure_choice(wiki: Wiki, choice: Choice, rounds: int, announce: Announce) -> MeasuredChoice:
    """The first page and the tenth of a week, and the first of all there is."""
    models = {name: wiki.models[name] for name in choice.models}
    filters = filters_of(replace(wiki, models=models))
    tell = announce(choice.name, 3)
    pages = {}
    week, everything = _query(filters, choice, WEEK), _query(filters, choice, ALL)
    # The API asks for no time.
    first = week if choice.review is None else everything
    with closing(connect(url_of(wiki.database))) as connection, connection.cursor() as cursor:
        pages["first"] = _measure(filters, first, _theirs(filters, choice, first), cursor, rounds)
        tell(1)
        shown = filters.find(replace(first, limit=TENTH + 1))
        if len(shown) > TENTH:
            tenth = replace(first, after=shown[TENTH - 1].cursor)
            theirs = _theirs(filters, choice, tenth, begin=shown[TENTH].cursor)
            pages["tenth"] = _measure(filters, tenth, theirs, cursor, rounds)
        tell(2)
        if choice.review is None:
            pages[f"first, {ALL} days"] = _measure(
                filters, everything, _theirs(filters, choice, everything), cursor, rounds
            )
        tell(3)
    plans = {name: filters.plan(query) for name, query in (("week", first), ("everything", everything))}
    return MeasuredChoice(
        choice=choice.name,
        pages=pages,
        plan=plans["week"],
        faults=[f"{name}: {fault}" for name, plan in plans.items() for fault in faults(plan)],
    )


def _query(filters: Filters, choice: Choice, days: int) -> Query:
    query = filters.query(
        since=mediawiki_timestamp(datetime.now(UTC) - timedelta(days=days)),
        levels={},
        hide_non_damaging=choice.hide_non_damaging,
        review=choice.review,
        unpatrolled=choice.unpatrolled,
        # The API shows bots, too.
        hide_bots=choice.review is None,
        limit=LIMIT,
    )
    return replace(query, bands={model: [band] for model, band in choice.bands.items()})


def _ours(filters: Filters, query: Query) -> Ask:
    compiled = statement(query, filters.columns).compile(
        dialect=filters.wiki.database.engine.dialect, compile_kwargs={"render_postcompile": True}
    )
    # Timestamps are bytes, as the column's type would make them.
    values = {
        name: value.encode() if isinstance(value, str) else value for name, value in (compiled.params or {}).items()
    }

    def ask(cursor: Connected) -> list[Row]:
        cursor.execute(str(compiled), values)
        return list(cursor.fetchall())

    return ask


def _theirs(filters: Filters, choice: Choice, query: Query, begin: Cursor | None = None) -> Ask:
    """The extension's statements for the same page; *begin* is its first change, unless it is the first page."""
    models = {name: column.model_id for name, column in filters.columns.items()}
    threshold = _level(DAMAGING, PREFERRED).low
    if choice.review is not None:
        after = (begin.timestamp, begin.change) if begin else None
        page = api_page(models[DAMAGING], threshold, review=choice.review, after=after, limit=LIMIT)

        def ask_api(cursor: Connected) -> list[Row]:
            cursor.execute(page)
            rows = list(cursor.fetchall())
            cursor.execute(api_scores([row[7] for row in rows] or [0], list(models.values())))
            cursor.fetchall()
            return rows[:LIMIT]

        return ask_api
    conditions = [in_band(model, band.low, band.high) for model, band in choice.bands.items()]
    conditions += [not_hidden(DAMAGING, threshold)] if choice.hide_non_damaging else []
    conditions = ["rc_patrolled = 0", *conditions] if choice.unpatrolled else conditions
    offset = TENTH if begin else 0
    special = special_page(models, conditions, since=query.since, limit=LIMIT, offset=offset)

    def ask(cursor: Connected) -> list[Row]:
        cursor.execute(special)
        return list(cursor.fetchall())

    return ask


def _measure(filters: Filters, query: Query, theirs: Ask, cursor: Connected, rounds: int) -> PageCost:
    ours = _ours(filters, query)
    found, found_by_them = ours(cursor), theirs(cursor)
    asks: dict[str, Callable[[], object]] = {
        "ours": lambda: ours(cursor),
        "theirs": lambda: theirs(cursor),
        "in all": lambda: filters.find(query),
    }
    spent: dict[str, list[float]] = {name: [] for name in asks}
    done, wanted = 0, rounds + WARM_UPS
    while done < wanted:
        # Each goes first in every other round.
        for name in list(asks) if done % 2 else reversed(asks):
            started = time.perf_counter()
            asks[name]()
            spent[name].append(time.perf_counter() - started)
        done += 1
        if max(each[-1] for each in spent.values()) > SLOW_SECONDS:
            wanted = min(wanted, SLOW_ROUNDS + WARM_UPS)
    milliseconds = {name: 1000 * median(each[WARM_UPS:]) for name, each in spent.items()}
    return PageCost(
        rows=len(found),
        ours=Cost(milliseconds["ours"], rows_read(cursor, ours)),
        theirs=Cost(milliseconds["theirs"], rows_read(cursor, theirs)),
        ours_in_all=milliseconds["in all"],
        is_same=is_same(found, found_by_them),
    )


def rows_read(cursor: Connected, ask: Ask) -> int:
    """How many rows and index entries the server reads for it."""
    cursor.execute("FLUSH STATUS")
    ask(cursor)
    cursor.execute("SHOW SESSION STATUS LIKE 'Handler_read%'")
    return sum(int(value) for _, value in cursor.fetchall())


def is_same(ours: Sequence[Row], theirs: Sequence[Row]) -> bool:
    """Whether two pages hold the same changes, except those of the first and the last second. Pure.

    Rows begin with `rc_id` and `rc_timestamp`.
    """
    if len(ours) != len(theirs):
        return False
    if not ours:
        return True
    edges = {page[end][1] for page in (ours, theirs) for end in (0, -1)}
    inner, inner_of_theirs = ({row[0] for row in page if row[1] not in edges} for page in (ours, theirs))
    return inner == inner_of_theirs
