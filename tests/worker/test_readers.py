"""MediaWiki's own statements on rows that our pipeline wrote see what the endpoint said, and our filters agree."""

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest

from outbox.database import Database
from tests.endpoint import EmulatedEndpoint
from tests.services import create_database, drop_database
from tests.worker import originals
from tests.worker.classified import ANY_TIME
from tests.worker.example_wiki import (
    DRAFT_CLASSES,
    ENDS,
    MODELS,
    ExampleWiki,
    an_example_wiki,
    is_scored,
    true,
    weighted_quality,
)
from worker.emulators.scoring.shapes import probabilities
from worker.scores.model_versions import make_current

LEVELS = sorted(originals.LEVELS)
#: PageTriage's bands; it fails on a probability that is in none.
QUALITY_BANDS = (("0", "0.166"), ("0.167", "0.333"), ("0.334", "0.499"), ("0.5", "0.666"), ("0.667", "0.833"))


@pytest.fixture(scope="module")
def database_url(mariadb_url: str) -> Iterator[str]:
    """On MariaDB only: the statements are."""
    yield create_database(mariadb_url, "readers")
    drop_database(mariadb_url, "readers")


@pytest.fixture(scope="module")
def wiki(
    migrated_database: Database,
    redis_url: str,
    endpoint_server: EmulatedEndpoint,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[ExampleWiki]:
    with an_example_wiki(migrated_database, redis_url, endpoint_server, tmp_path_factory.mktemp("events")) as wiki:
        yield wiki


def joined(numbers: list[int]) -> str:
    return ",".join(f"'{number}'" for number in numbers)


def expected(wiki: ExampleWiki, holds: Callable[[Decimal, Decimal], bool]) -> list[int]:
    """The scored edits whose probabilities of damaging and goodfaith fulfil a condition, the newest first."""
    revisions = [edit.revision for edit in wiki.scored]
    return [revision for revision in revisions if holds(true("damaging", revision), true("goodfaith", revision))]


def in_band(model: str, level: str, damaging: Decimal, goodfaith: Decimal) -> bool:
    low, high = map(Decimal, originals.BANDS[model][level].split(" AND "))
    return low <= (damaging if model == "damaging" else goodfaith) <= high


def ours(wiki: ExampleWiki, **choices: Any) -> list[int]:
    defaults: dict[str, Any] = {"levels": {}, "hide_bots": True, "limit": 500}
    query = wiki.filters.query(since=ANY_TIME, **(defaults | choices))
    return [change.revision for change in wiki.filters.find(query)]


def test_the_api_finds_every_score_and_none_that_was_not_given(wiki: ExampleWiki) -> None:
    rows = wiki.read(
        originals.SCORES,
        revisions=joined([edit.revision for edit in wiki.edits]),
        models=",".join(map(str, wiki.ids.values())),
    )

    names = {model_id: model for model, model_id in wiki.ids.items()}
    seen = {(row.oresc_rev, names[row.oresc_model], row.oresc_class): row.oresc_probability for row in rows}
    known: dict[tuple[int, str, int], Decimal] = {}
    for edit in wiki.scored:
        revision = edit.revision
        known |= {(revision, model, 1): true(model, revision) for model in ("damaging", "goodfaith")}
        if edit.namespace == 0:
            known[revision, "articlequality", 0] = weighted_quality(revision)
        if edit.namespace == 0 and edit.is_new_page:
            draft = probabilities(0, "enwiki", "draftquality", revision)
            known |= {
                (revision, "draftquality", number): Decimal(f"{draft[name]:.3f}")
                for name, number in DRAFT_CLASSES.items()
            }
    assert seen == known


def test_each_model_has_exactly_one_current_version(wiki: ExampleWiki) -> None:
    rows = wiki.read(originals.MODELS)

    assert sorted((row.oresm_name.decode(), row.oresm_id) for row in rows) == sorted(wiki.ids.items())
    assert len(rows) == len(MODELS)


def test_a_new_current_version_is_the_only_one_and_hides_what_the_old_one_said(wiki: ExampleWiki) -> None:
    with wiki.database.transaction() as session:
        make_current(session, "damaging", "99")
        driver = session.exec_driver_sql
        schema = wiki.database.url.database
        statement = originals.MODELS.replace("`ores_model`", f"`{schema}`.`ores_model`")
        current = [row.oresm_id for row in driver(statement) if row.oresm_name == b"damaging"]
        query = f"SELECT COUNT(*) FROM `{schema}`.`ores_classification` WHERE oresc_model = {current[0]}"
        visible = driver(query).scalar()
        session.rollback()

    assert len(current) == 1
    assert current[0] != wiki.ids["damaging"]
    assert visible == 0


@pytest.mark.parametrize(("model", "level"), LEVELS)
def test_a_level_of_special_recentchanges_shows_what_the_endpoint_said(
    wiki: ExampleWiki, model: str, level: str
) -> None:
    found = wiki.revisions(originals.LEVELS[model, level])

    assert found == expected(wiki, lambda damaging, goodfaith: in_band(model, level, damaging, goodfaith))
    assert len(found) >= 2


@pytest.mark.parametrize(("model", "level"), LEVELS)
def test_our_filter_finds_what_special_recentchanges_finds(wiki: ExampleWiki, model: str, level: str) -> None:
    assert ours(wiki, levels={model: [level]}) == wiki.revisions(originals.LEVELS[model, level])


@pytest.mark.parametrize(("model", "end"), [(model, end) for model, ends in ENDS.items() for end in ends])
def test_the_end_of_a_band_is_among_what_is_compared(wiki: ExampleWiki, model: str, end: str) -> None:
    assert any(true(model, edit.revision) == Decimal(end) for edit in wiki.scored)


def test_two_levels_at_once(wiki: ExampleWiki) -> None:
    found = wiki.revisions(originals.TWO_LEVELS)

    assert found == expected(wiki, lambda damaging, _: damaging <= Decimal("0.3") or damaging >= Decimal("0.9"))
    assert found == ours(wiki, levels={"damaging": ["likelygood", "verylikelybad"]})


def test_two_models_at_once_and_unpatrolled_only(wiki: ExampleWiki) -> None:
    found = wiki.revisions(originals.BOTH_MODELS)

    unpatrolled = {edit.revision for edit in wiki.edits if edit.patrol_status == 0}
    bad = expected(wiki, lambda damaging, goodfaith: damaging >= Decimal("0.6") and goodfaith <= Decimal("0.4"))
    assert found == [revision for revision in bad if revision in unpatrolled]
    assert found == ours(wiki, levels={"damaging": ["likelybad"], "goodfaith": ["likelybad"]}, unpatrolled=True)
    assert found


def test_hiding_what_does_not_damage_leaves_out_the_threshold_itself_and_the_patrolled(wiki: ExampleWiki) -> None:
    found = wiki.revisions(originals.HIDE_NON_DAMAGING)

    unpatrolled = {edit.revision for edit in wiki.edits if edit.patrol_status == 0}
    bad = expected(wiki, lambda damaging, _: damaging > Decimal("0.6"))
    assert found == [revision for revision in bad if revision in unpatrolled]
    assert found == ours(wiki, hide_non_damaging=True)


def test_oresreview_leaves_out_the_threshold_itself(wiki: ExampleWiki) -> None:
    found = wiki.revisions(originals.ORESREVIEW)

    assert found == expected(wiki, lambda damaging, _: damaging > Decimal("0.6"))
    assert found == ours(wiki, review=True, hide_bots=False)


def test_what_has_no_score_is_not_for_oresreview(wiki: ExampleWiki) -> None:
    found = wiki.revisions(originals.NOT_ORESREVIEW)

    assert found == [
        edit.revision for edit in wiki.edits if not is_scored(edit) or true("damaging", edit.revision) <= Decimal("0.6")
    ]
    assert found == ours(wiki, review=False, hide_bots=False)


def test_autopatrolled_edits_show_no_score_and_are_not_for_oresreview(wiki: ExampleWiki) -> None:
    autopatrolled = {edit.revision for edit in wiki.edits if edit.patrol_status == 2}
    shown = [row for row in wiki.read(originals.RECENT_CHANGES) if row.rc_this_oldid in autopatrolled]

    assert len(shown) == len(autopatrolled - {edit.revision for edit in wiki.edits if edit.is_bot})
    assert {(row.ores_damaging_score, row.ores_goodfaith_score) for row in shown} == {(None, None)}
    assert autopatrolled <= set(wiki.revisions(originals.NOT_ORESREVIEW))


def test_special_recentchanges_shows_the_scores_of_all_others(wiki: ExampleWiki) -> None:
    shown = {
        row.rc_this_oldid: (row.ores_damaging_score, row.ores_goodfaith_score)
        for row in wiki.read(originals.RECENT_CHANGES)
        if row.ores_damaging_score is not None
    }

    revisions = [edit.revision for edit in wiki.scored]
    assert shown == {revision: (true("damaging", revision), true("goodfaith", revision)) for revision in revisions}


@pytest.mark.parametrize("user", ["Alice", "Bob"])
def test_contributions_show_the_scores_and_usercontribs_those_to_review(wiki: ExampleWiki, user: str) -> None:
    query = f"SELECT actor_id FROM `actor` WHERE actor_name = '{user}'"
    (actor,) = wiki.read(query)
    theirs = [edit for edit in wiki.edits if edit.user == user]

    contributions = wiki.read(originals.CONTRIBUTIONS, actor=actor.actor_id)
    to_review = wiki.read(originals.USERCONTRIBS, actor=actor.actor_id)

    scores = {edit.revision: true("damaging", edit.revision) if is_scored(edit) else None for edit in theirs}
    assert [(row.rev_id, row.ores_damaging_score) for row in contributions] == list(scores.items())
    assert [row.rev_id for row in to_review] == [
        revision for revision, score in scores.items() if score is not None and score > Decimal("0.6")
    ]


def test_pagetriage_finds_the_predicted_class_of_each_new_page(wiki: ExampleWiki) -> None:
    new = [edit for edit in wiki.scored if edit.is_new_page and edit.namespace == 0]

    rows = wiki.read(originals.DRAFT_QUALITY, pages=joined([edit.page or 0 for edit in wiki.edits]))

    predicted = {}
    for edit in new:
        likely = probabilities(0, "enwiki", "draftquality", edit.revision)
        predicted[edit.page] = DRAFT_CLASSES[max(likely, key=likely.__getitem__)]
    assert {row.page_id: row.oresc_class for row in rows} == predicted
    assert len(rows) == len(new) > 10


def test_pagetriage_finds_one_quality_of_each_article_and_its_band(wiki: ExampleWiki) -> None:
    articles = {edit.page: weighted_quality(edit.revision) for edit in wiki.scored if edit.namespace == 0}

    rows = wiki.read(originals.ARTICLE_QUALITY, pages=joined([edit.page or 0 for edit in wiki.edits]))

    assert {row.page_id: row.oresc_probability for row in rows} == articles
    assert len(rows) == len(articles)
    for quality in articles.values():
        assert sum(Decimal(low) <= quality <= Decimal(high) for low, high in QUALITY_BANDS) == 1


def test_a_purge_by_revisions_removes_all_but_what_is_kept_forever(wiki: ExampleWiki) -> None:
    doomed = [edit.revision for edit in wiki.edits[:50]]
    with wiki.connection() as connection:
        left = "SELECT oresc_model FROM `ores_classification` WHERE oresc_rev IN ({revisions})"
        connection.exec_driver_sql(originals.PURGE.format(revisions=joined(doomed), **wiki.ids))
        models = set(connection.exec_driver_sql(left.format(revisions=joined(doomed))).scalars())
        connection.rollback()

    assert models == {wiki.ids["articlequality"]}
