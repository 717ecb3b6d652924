"""What an admin asks: the newest edits that look bad and that nobody has patrolled."""

import pytest

from outbox import PatrolStatus
from outbox.database import Database
from tests.builders import an_edit
from tests.worker.lines import save
from worker.classification.filters import Change, likely_damaging
from worker.classification.model_versions import model_ids
from worker.classification.rows import Classification
from worker.classification.store import store


def classify(database: Database, probabilities: dict[int, float], *, version: str = "1", class_id: int = 1) -> None:
    with database.transaction() as session:
        model = model_ids(session, [("damaging", version)], {})["damaging", version]
        store(
            session,
            [
                Classification(revision, model, class_id, probability, is_predicted=False)
                for revision, probability in probabilities.items()
            ],
        )


def found(database: Database, level: str = "likelybad", limit: int = 50) -> list[int]:
    with database.transaction() as session:
        return [change.revision for change in likely_damaging(session, level=level, limit=limit)]


@pytest.mark.parametrize(("level", "lowest"), [("maybebad", 0.149), ("likelybad", 0.629), ("verylikelybad", 0.944)])
def test_a_level_includes_its_lowest_probability(database: Database, level: str, lowest: float) -> None:
    save(database, [an_edit(revision=1), an_edit(revision=2), an_edit(revision=3)])
    classify(database, {1: lowest - 0.001, 2: lowest, 3: lowest + 0.001})

    assert found(database, level) == [3, 2]


def test_only_unpatrolled_edits_are_found(database: Database) -> None:
    save(database, [an_edit(revision=1 + status, patrol_status=status) for status in PatrolStatus])
    classify(database, {1: 0.9, 2: 0.9, 3: 0.9})

    assert found(database) == [1]


def test_the_newest_come_first(database: Database) -> None:
    save(database, [an_edit(revision=revision) for revision in (2, 3, 1)])
    classify(database, {1: 0.9, 2: 0.9, 3: 0.9})

    assert found(database) == [3, 2, 1]


def test_no_more_are_found_than_asked_for(database: Database) -> None:
    save(database, [an_edit(revision=revision) for revision in range(1, 6)])
    classify(database, dict.fromkeys(range(1, 6), 0.9))

    assert found(database, limit=2) == [5, 4]


def test_only_scores_of_the_current_version_count(database: Database) -> None:
    save(database, [an_edit(revision=1), an_edit(revision=2)])
    classify(database, {1: 0.9}, version="1")
    classify(database, {2: 0.9}, version="2")

    assert found(database) == [2]


def test_only_the_true_class_counts(database: Database) -> None:
    save(database, [an_edit(revision=1)])
    classify(database, {1: 0.9}, class_id=0)

    assert found(database) == []


def test_a_wiki_without_scores_has_nothing_to_show(database: Database) -> None:
    save(database, [an_edit(revision=1)])

    assert found(database) == []


def test_a_change_says_what_who_when_and_how_likely(database: Database) -> None:
    save(database, [an_edit(revision=1, namespace=3, title="Discussion utilisateur:Zoé K", user="Bob")])
    classify(database, {1: 0.876})

    with database.transaction() as session:
        changes = likely_damaging(session)

    assert changes == [
        Change(revision=1, title="User talk:Zoé K", user="Bob", timestamp="20260101120001", damaging=0.876)
    ]
