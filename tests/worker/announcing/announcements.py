"""Announcing an edit in a test: the events of it, each checked against its schema, and random edits by the thousand."""

import random
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from outbox import Edit, EditSource, PatrolStatus
from outbox.details import Details, PageLink, Person, PriorRevision
from tests.builders import a_score, a_score_error
from tests.worker.schema import validated
from worker.config.settings_sections import EventsSettings
from worker.domain.scores import Final
from worker.events.build import Announcing

NOW = datetime(2026, 1, 2, 3, 4, 5, 678_901, UTC)
DOMAIN = "en.wikipedia.org"
RISK = "mediawiki.page_revert_risk_prediction_change.v1"
#: All signs that RFC 3986 lets stand in an address, and no per cent sign but before two digits.
ADDRESS = re.compile(r"https://[a-z.]+/(?:[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=]|%[0-9A-F]{2})*")
#: Letters of one to four bytes, and signs that mean something in JSON, addresses or markup.
LETTERS = "azÅß維ქ؟😀👩\u200d\u202e\u0301\ud7ff\U0010ffff \"\\/%#?&+<>'{}[]|^`~\t\n\x01\x7f"


def announced(
    edit: Edit,
    answers: Sequence[Final] = (),
    *,
    domain: str = DOMAIN,
    now: datetime = NOW,
    article_path: str = "/wiki/$1",
    **settings: Any,
) -> list[dict[str, Any]]:
    """The events of *edit*, all valid; *settings* are those of the section `events`."""
    announcing = Announcing(settings=EventsSettings(**settings))
    found = announcing.events_of(edit, answers, domain=domain, now=now, article_path=article_path)
    events = [validated(event.encode()) for event in found]
    assert all(ADDRESS.fullmatch(event["meta"].get("uri", "https://a/")) for event in events)
    return events


def score_event(edit: Edit, answers: Sequence[Final] = (), **settings: Any) -> dict[str, Any]:
    (event,) = announced(edit, answers, **settings)
    return event


def prediction_event(edit: Edit, version: str = "1.3.0", **score: Any) -> dict[str, Any]:
    """What is announced of the only score of *edit*, besides the score event."""
    answer = a_score(**score)
    streams = {answer.model: RISK}
    _, event = announced(edit, [answer], prediction_streams=streams, prediction_schema=version)
    return event


def some_text(dice: random.Random, longest: int) -> str:
    return "".join(dice.choices(LETTERS, k=dice.randint(1, longest)))


def some_moment(dice: random.Random) -> datetime:
    return datetime(2001, 1, 2, tzinfo=UTC) + timedelta(microseconds=dice.randrange(98 * 365 * 86_400 * 10**6))


def some_edit(dice: random.Random) -> Edit:
    """An edit with all fields thrown, the edges of their ranges among them."""

    def maybe(value: Any) -> Any:
        return dice.choice([None, value])

    def number(least: int, most: int) -> int:
        return dice.choice([least, most, dice.randint(least, most)])

    return Edit(
        wiki=dice.choice(["enwiki", "zh_min_nanwiki", "w" * 64]),
        revision=number(1, 2**32 - 1),
        parent_revision=number(0, 2**32 - 1),
        change=maybe(number(1, 2**63 - 1)),
        page=None if dice.random() < 0.1 else number(1, 2**32 - 1),
        namespace=dice.choice([-2, -1, 0, 1, 2300, 2**31 - 1]),
        title=some_text(dice, 300),
        timestamp=some_moment(dice),
        source=dice.choice(list(EditSource)),
        user=maybe(some_text(dice, 60)),
        is_bot=dice.random() < 0.5,
        is_minor=dice.random() < 0.5,
        is_anonymous=dice.random() < 0.2,
        patrol_status=dice.choice(list(PatrolStatus)),
        length=maybe(number(0, 2**31 - 1)),
        parent_length=maybe(number(0, 2**31 - 1)),
        user_id=maybe(number(0, 2**32 - 1)),
        user_groups=maybe(tuple(some_text(dice, 20) for _ in range(dice.randint(0, 4)))),
        user_edit_count=maybe(number(0, 2**32 - 1)),
        user_registered_at=maybe(some_moment(dice)),
        is_temporary=maybe(dice.random() < 0.5),
        is_redirect=maybe(dice.random() < 0.5),
        request_id=maybe(some_text(dice, 128)),
        user_central_id=maybe(number(0, 2**53 - 1)),
        user_wiki=maybe("metawiki"),
        user_is_system=maybe(dice.random() < 0.5),
        details=maybe(some_details(dice)),
        is_reconciled=True if dice.random() < 0.1 else None,
        is_namespace_in_english=True if dice.random() < 0.1 else None,
    )


def some_details(dice: random.Random) -> Details:
    """What else a page change tells, all parts thrown, hidden ones among them."""

    def maybe(value: Any) -> Any:
        return dice.choice([None, value])

    def shown() -> dict[str, Any]:
        return {
            "sha1": maybe(some_text(dice, 31)),
            "comment": maybe(dice.choice(["", some_text(dice, 90)])),
            "is_content_visible": maybe(dice.random() < 0.8),
            "is_editor_visible": maybe(dice.random() < 0.8),
            "is_comment_visible": maybe(dice.random() < 0.8),
            "editor": maybe(
                Person(
                    name=maybe(some_text(dice, 60)),
                    id=maybe(7),
                    groups=maybe((some_text(dice, 20),)),
                    is_bot=maybe(True),
                    is_system=maybe(False),
                    is_temporary=maybe(True),
                    edit_count=maybe(0),
                    registered_at=maybe(some_moment(dice)),
                    central_id=maybe(2**53 - 1),
                    wiki=maybe("enwiki"),
                )
            ),
        }

    link = PageLink(
        title=some_text(dice, 300),
        page=maybe(9),
        namespace=maybe(dice.choice([-2, -1, 0, 2300])),
        is_redirect=maybe(False),
        interwiki_prefix=maybe("de"),
    )
    prior = PriorRevision(
        revision=maybe(1), parent_revision=maybe(0), timestamp=maybe(some_moment(dice)), length=maybe(0),
        is_minor=maybe(True), **shown(),
    )  # fmt: skip
    return Details(namespace_is_content=maybe(True), redirect_link=maybe(link), prior_revision=maybe(prior), **shown())


def some_answers(dice: random.Random) -> list[Final]:
    """Scores and errors of up to three models, with strange names and probabilities at the edges."""

    def one(model: str) -> Final:
        if dice.random() < 0.3:
            return a_score_error(model=model, version=some_text(dice, 9), message=some_text(dice, 90))
        classes = [some_text(dice, 9) for _ in range(dice.randint(0, 3))]
        return a_score(
            model=model,
            version=some_text(dice, 9),
            prediction=dice.choice(["true", tuple(classes)]),
            probability={name: dice.choice([0.0, 1.0, 5e-324, dice.random()]) for name in classes},
        )

    return [one(model) for model in ("damaging", "goodfaith", "Ωδ model/\t") if dice.random() < 0.6]
