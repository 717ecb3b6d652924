"""A wiki of some weeks with scores, and the same as plain objects to compute from."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from outbox import Edit, EditSource, PatrolStatus
from outbox.database import Database
from outbox.mediawiki.schema import mediawiki_timestamp
from tests.builders import an_edit
from tests.migrations.scored_wiki import add_model, add_scores, set_change
from tests.worker.lines import save
from worker.scores.autopatrol import must_be_stored

NOW = datetime(2026, 1, 20, 12, tzinfo=UTC)
MODELS = ("damaging", "goodfaith", "revertrisklanguageagnostic")
#: Where bands and tenths begin, and just below.
EDGES = (0.0, 0.1, 0.299, 0.3, 0.6, 0.628, 0.629, 0.7, 0.776, 0.777, 0.9, 0.943, 0.944, 0.949, 0.95, 0.999)
#: Exactly as old as a query looks back, and a second older.
#: Edges of two conditions at once, in the order of MODELS.
CORNERS = (
    (0.629, 0.777, 0.5), (0.629, 0.776, 0.5), (0.628, 0.777, 0.5),
    (0.3, 0.5, 0.95), (0.299, 0.5, 0.95), (0.299, 0.5, 0.949),
)  # fmt: skip
AGES = [timedelta(hours=1), timedelta(days=1), timedelta(days=7), timedelta(days=14), timedelta(days=30)]
USERS = ("Zoe", "Zoé", "ZOE", "Bob", "Alice", "192.0.2.7")
DRAFT_CLASSES = range(4)


@dataclass(frozen=True, slots=True)
class Saved:
    """An edit as it is on the wiki."""

    edit: Edit
    change: int
    #: Model to the probability that is stored in the current version.
    scores: dict[str, float]
    #: The probabilities of draftquality's classes, the largest being predicted.
    drafts: list[float]
    is_hidden: bool

    @property
    def timestamp(self) -> str:
        return mediawiki_timestamp(self.edit.timestamp)

    @property
    def title(self) -> str:
        return self.edit.title.rpartition(":")[2].replace(" ", "_")

    @property
    def user(self) -> str | None:
        return None if self.is_hidden else self.edit.user

    @property
    def draft(self) -> int | None:
        return self.drafts.index(max(self.drafts)) if self.drafts else None

    def is_younger_than(self, age: timedelta) -> bool:
        return self.edit.timestamp >= NOW - age

    def is_at_least(self, model: str, probability: float) -> bool:
        return self.scores.get(model, -1) >= probability


def made_scores(dice: random.Random) -> tuple[float, ...]:
    if dice.random() < 0.2:
        return dice.choice(CORNERS)
    return tuple(dice.choice((*EDGES, dice.randrange(1000) / 1000)) for _ in MODELS)


def made_edits(count: int = 450) -> Iterator[Saved]:
    """Edits of the last five weeks, most of them of the last one, and some within the hour to the same few pages."""
    dice = random.Random(20260120)
    ages = [age + timedelta(seconds=more) for age in AGES for more in (0, 1)]
    ages += [timedelta(minutes=dice.randrange(0, 90)) for _ in range(60)]
    ages += [timedelta(minutes=dice.randrange(0, 10 * 1440)) for _ in range(300)]
    ages += [timedelta(minutes=dice.randrange(0, 35 * 1440)) for _ in range(count - len(ages))]
    for revision, age in enumerate(ages, 1):
        is_new = dice.random() < 0.2
        page = revision + 1000 if is_new else dice.randrange(1, 9)
        namespace = page % 3 and 3
        edit = an_edit(
            revision=revision,
            parent_revision=0 if is_new else 500_000 + revision,
            page=page,
            namespace=namespace,
            title=f"User talk:Page {page}" if namespace else f"Page {page}",
            timestamp=NOW - age,
            source=EditSource.NEW if is_new else EditSource.EDIT,
            user=dice.choice(USERS),
            is_bot=dice.random() < 0.1,
            patrol_status=dice.choices(list(PatrolStatus), weights=(6, 3, 1))[0],
        )
        is_scored = must_be_stored(edit) and dice.random() < 0.9
        yield Saved(
            edit=edit,
            change=revision,
            scores=dict(zip(MODELS, made_scores(dice), strict=True)) if is_scored else {},
            drafts=[n / 1000 for n in dice.sample(range(1000), 4)] if is_scored and is_new else [],
            is_hidden=dice.random() < 0.05,
        )


def make(database: Database) -> list[Saved]:
    """Fill *database*; scores of an old version say the contrary of the current ones."""
    saved = list(made_edits())
    save(database, [each.edit.model_copy(update={"change": each.change}) for each in saved])
    for each in saved:
        if each.is_hidden:
            set_change(database, each.edit.revision, rc_deleted=4)
    for model in MODELS:
        current = {each.edit.revision: each.scores[model] for each in saved if each.scores}
        old = add_model(database, model, "0.4.0", is_current=False)
        add_scores(database, add_model(database, model, "0.5.1"), current)
        add_scores(database, old, {revision: round(0.999 - found, 3) for revision, found in current.items()})
    drafts = add_model(database, "draftquality", "0.2.1")
    for class_id in DRAFT_CLASSES:
        for is_predicted in (True, False):
            found = {
                each.edit.revision: each.drafts[class_id]
                for each in saved
                if each.drafts and (each.draft == class_id) == is_predicted
            }
            add_scores(database, drafts, found, class_id=class_id, is_predicted=is_predicted)
    return saved
