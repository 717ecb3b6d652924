"""What each worked query of `docs/admin-sql.md` must find, computed from the edits by Python alone."""

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

from outbox import PatrolStatus
from tests.docs.made_wiki import DRAFT_CLASSES, MODELS, Saved

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
LIKELY_BAD, VERY_LIKELY_BAD = 0.629, 0.944
DAMAGING, GOODFAITH, REVERT_RISK = MODELS
Row = tuple[Any, ...]


def within(saved: Sequence[Saved], age: timedelta) -> list[Saved]:
    return [each for each in saved if each.is_younger_than(age)]


def newest_first(each: Saved) -> tuple[str, int]:
    return each.timestamp, each.change


def shown(each: Saved) -> Row:
    return each.timestamp, each.edit.namespace, each.title, each.user, each.edit.revision


def likely_damaging(saved: Sequence[Saved]) -> list[Row]:
    found = [
        each
        for each in within(saved, 7 * DAY)
        if each.edit.patrol_status is PatrolStatus.UNPATROLLED and each.is_at_least(DAMAGING, LIKELY_BAD)
    ]
    return [(*shown(each), each.scores[DAMAGING]) for each in sorted(found, key=newest_first, reverse=True)[:50]]


def worst_users(saved: Sequence[Saved]) -> list[Row]:
    by_user = defaultdict(list)
    for each in within(saved, DAY):
        if each.user is not None:
            by_user[each.user].append(each)
    found = [
        (
            user,
            len(edits),
            sum(each.is_at_least(DAMAGING, LIKELY_BAD) for each in edits),
            max((each.scores[DAMAGING] for each in edits if each.scores), default=None),
        )
        for user, edits in by_user.items()
    ]
    return sorted((row for row in found if row[2]), key=lambda row: (-row[2], row[0].encode()))[:20]


def pages_under_attack(saved: Sequence[Saved]) -> list[Row]:
    by_page = defaultdict(list)
    for each in within(saved, HOUR):
        if each.is_at_least(DAMAGING, LIKELY_BAD):
            by_page[each.edit.page, each.edit.namespace, each.title].append(each)
    found = [(*page, len(edits), len({e.user for e in edits} - {None})) for page, edits in by_page.items()]
    return sorted((row for row in found if row[3] >= 3), key=lambda row: (-row[3], row[0]))


def false_positives(saved: Sequence[Saved]) -> list[Row]:
    found = [
        each
        for each in within(saved, 30 * DAY)
        if each.edit.patrol_status is PatrolStatus.PATROLLED and each.is_at_least(DAMAGING, VERY_LIKELY_BAD)
    ]
    found.sort(key=lambda each: (each.scores[DAMAGING], each.change), reverse=True)
    return [(*shown(each), each.scores[DAMAGING]) for each in found[:50]]


def well_meant(saved: Sequence[Saved]) -> list[Row]:
    found = [
        each
        for each in within(saved, 7 * DAY)
        if each.edit.patrol_status is PatrolStatus.UNPATROLLED
        and each.is_at_least(DAMAGING, LIKELY_BAD)
        and each.is_at_least(GOODFAITH, 0.777)
    ]
    found.sort(key=newest_first, reverse=True)
    return [(*shown(each), each.scores[DAMAGING], each.scores[GOODFAITH]) for each in found[:50]]


def bad_new_pages(saved: Sequence[Saved]) -> list[Row]:
    found = [each for each in within(saved, 7 * DAY) if each.edit.is_new_page and each.draft in {0, 2, 3}]
    found.sort(key=lambda each: (max(each.drafts), each.change), reverse=True)
    return [(each.timestamp, each.title, each.user, each.draft, max(each.drafts)) for each in found[:50]]


def spread(saved: Sequence[Saved]) -> list[Row]:
    return sorted(
        Counter(math.floor(each.scores[DAMAGING] * 10) for each in within(saved, 7 * DAY) if each.scores).items()
    )


def coverage(saved: Sequence[Saved]) -> list[Row]:
    by_day = defaultdict(list)
    for each in within(saved, 14 * DAY):
        if each.edit.patrol_status is not PatrolStatus.AUTOPATROLLED and not each.edit.is_bot:
            by_day[each.timestamp[:8]].append(each)
    counts = [(day, len(edits), sum(bool(each.scores) for each in edits)) for day, edits in sorted(by_day.items())]
    return [(day, edits, scored, round(100 * scored / edits, 1)) for day, edits, scored in counts]


def stored(saved: Sequence[Saved]) -> list[Row]:
    scored, drafts = sum(bool(each.scores) for each in saved), sum(bool(each.drafts) for each in saved)
    rows = [(model, "0.5.1", scored, scored) for model in MODELS]
    return sorted([*rows, ("draftquality", "0.2.1", drafts, drafts * len(DRAFT_CLASSES))])


def disagreements(saved: Sequence[Saved]) -> list[Row]:
    found = [
        each
        for each in within(saved, 7 * DAY)
        if each.edit.namespace == 0 and each.is_at_least(REVERT_RISK, 0.95) and each.scores[DAMAGING] < 0.3
    ]
    found.sort(key=lambda each: (each.scores[REVERT_RISK], each.change), reverse=True)
    return [
        (each.timestamp, each.title, each.user, each.edit.revision, each.scores[REVERT_RISK], each.scores[DAMAGING])
        for each in found[:50]
    ]


#: Heading of the section to what its query must find.
EXPECTED: dict[str, Callable[[Sequence[Saved]], list[Row]]] = {
    "Likely damaging, and nobody has looked": likely_damaging,
    "Who makes the most of them": worst_users,
    "Pages under attack": pages_under_attack,
    "Where the model may be wrong": false_positives,
    "Damaging, but well meant": well_meant,
    "New pages that are likely vandalism": bad_new_pages,
    "How the scores are spread": spread,
    "How much is scored, day by day": coverage,
    "What is stored of which model": stored,
    "Where two models disagree": disagreements,
}
