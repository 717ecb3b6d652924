"""A wiki on MariaDB with edits of all kinds, scored by our pipeline, and what its readers must see.

What they must see is computed from the emulated endpoint's probabilities, without a look at our rows.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from decimal import ROUND_HALF_EVEN, Decimal
from itertools import count
from pathlib import Path
from typing import Any

from redis import Redis
from sqlalchemy import Connection, NullPool, Row, create_engine, insert

from outbox import Edit, EditSource, PatrolStatus
from outbox.database import Database
from outbox.mediawiki.schema import recentchanges
from tests.builders import an_edit, some_settings
from tests.endpoint import EmulatedEndpoint
from tests.worker import originals
from tests.worker.classified import ANY_TIME
from tests.worker.lines import drain, save
from worker.bootstrap import build_services
from worker.domain.thresholds import Threshold, with_thresholds
from worker.emulators.scoring.shapes import probabilities
from worker.scores.filtering import Filters, filters_of

MODELS = ("damaging", "goodfaith", "draftquality", "articlequality")
QUALITY = ("Stub", "Start", "C", "B", "GA", "FA")
DRAFT_CLASSES = {"attack": 0, "OK": 1, "spam": 2, "vandalism": 3}
HIGHEST = Decimal("0.999")
#: Ends of the watched wiki's bands: for each there is an edit whose probability is exactly that.
ENDS = {"damaging": ("0.300", "0.600", "0.900"), "goodfaith": ("0.800", "0.400", "0.100")}
GONE = frozenset({20, 41})


def three_decimals(probability: float) -> Decimal:
    return min(HIGHEST, Decimal(probability).quantize(Decimal("0.001"), ROUND_HALF_EVEN))


def true(model: str, revision: int) -> Decimal:
    """The probability of the true class as the column holds it."""
    return three_decimals(probabilities(0, "enwiki", model, revision)["true"])


def weighted_quality(revision: int) -> Decimal:
    likely = probabilities(0, "enwiki", "articlequality", revision)
    weighted = 0.0
    for name in sorted(likely):
        weighted += float(f"{likely[name]:.3f}") * QUALITY.index(name)
    return three_decimals(weighted / 6)


def is_scored(edit: Edit) -> bool:
    """Whether patrollers must look at *edit*, and the endpoint knows it."""
    is_theirs = edit.patrol_status is not PatrolStatus.AUTOPATROLLED and not edit.is_bot
    return is_theirs and edit.revision not in GONE


@dataclass(frozen=True, slots=True)
class ExampleWiki:
    """The wiki, and its edits with the newest first."""

    database: Database
    edits: Sequence[Edit]
    ids: Mapping[str, int]
    filters: Filters

    def read(self, statement: str, **names: object) -> Sequence[Row[Any]]:
        """Run a statement of `originals` as MediaWiki would."""
        with self.connection() as connection:
            return connection.exec_driver_sql(statement.format(since=ANY_TIME, **self.ids, **names)).all()

    @contextmanager
    def connection(self) -> Iterator[Connection]:
        with create_engine(self.database.url, poolclass=NullPool).connect() as connection:
            yield connection

    def revisions(self, statement: str) -> list[int]:
        """The revisions of the edits that *statement* finds, in its order; log entries and the like left out."""
        return [row.rc_this_oldid for row in self.read(statement) if row.rc_type in (0, 1)]

    @property
    def scored(self) -> list[Edit]:
        return [edit for edit in self.edits if is_scored(edit)]


@contextmanager
def an_example_wiki(
    database: Database, redis_url: str, endpoint: EmulatedEndpoint, directory: Path
) -> Iterator[ExampleWiki]:
    endpoint.reset()
    endpoint.set(missing_revisions=sorted(GONE))
    with Redis.from_url(redis_url) as redis:
        redis.flushdb()
    edits = [_some_edit(revision) for revision in [*range(1, 201), *_on_the_ends()]]
    save(database, edits)
    _change_more_than_edits(database)
    settings = some_settings(
        database_url=database.url.render_as_string(hide_password=False),
        redis_url=redis_url,
        scoring_url=endpoint.url,
        sinks={"file": {"directory": directory}},
        models=MODELS,
    )
    services = build_services(settings, send=lambda *_: None)
    try:
        drain(services)
        wiki = replace(services.wiki("enwiki"), thresholds=with_thresholds(_watched_thresholds()))
        filters = filters_of(wiki)
        ids = {model: column.model_id for model, column in filters.columns.items()}
        ids["draftquality"] = _id_of(database, "draftquality")
        yield ExampleWiki(database, sorted(edits, key=lambda edit: edit.timestamp, reverse=True), ids, filters)
    finally:
        services.close()


def _some_edit(revision: int) -> Edit:
    is_new = revision % 6 == 0
    status = {3: PatrolStatus.AUTOPATROLLED, 7: PatrolStatus.PATROLLED}
    return an_edit(
        revision=revision,
        namespace=int(revision % 4 == 1),
        source=EditSource.NEW if is_new else EditSource.EDIT,
        parent_revision=0 if is_new else revision + 500_000,
        patrol_status=status.get(revision % 10, PatrolStatus.UNPATROLLED),
        is_bot=revision % 10 == 5,
        user="Alice" if revision % 3 else "Bob",
    )


def _on_the_ends() -> list[int]:
    """For each end of a band, a revision of a scored edit whose probability is exactly that."""
    candidates = [revision for revision in range(1000, 60_000) if is_scored(_some_edit(revision))]
    return [
        next(revision for revision in candidates if true(model, revision) == Decimal(end))
        for model, ends in ENDS.items()
        for end in ends
    ]


def _change_more_than_edits(database: Database) -> None:
    """A log entry and two changes of categories that carry the revision of an edit, and one of no revision."""
    kinds = ((3, "mw.log", 12), (6, "mw.categorize", 14), (6, "mw.categorize", 22), (3, "mw.log", 0))
    numbers = count(1)
    with database.transaction() as session:
        for kind, source, revision in kinds:
            moment = f"202601011300{next(numbers):02}"
            change = {"rc_type": kind, "rc_source": source, "rc_this_oldid": revision, "rc_timestamp": moment}
            session.execute(insert(recentchanges).values(rc_actor=1, rc_title="Page_12", **change))


def _watched_thresholds() -> dict[str, dict[str, Threshold]]:
    return {
        model: {
            level: Threshold(min=float(band.split(" AND ")[0]), max=float(band.split(" AND ")[1]))
            for level, band in levels.items()
        }
        for model, levels in originals.BANDS.items()
    }


def _id_of(database: Database, name: str) -> int:
    with create_engine(database.url, poolclass=NullPool).connect() as connection:
        rows = connection.exec_driver_sql(originals.MODELS).all()
    return int(next(row.oresm_id for row in rows if row.oresm_name == name.encode()))
