"""From the levels that an admin chooses to what they mean on a wiki now."""

import dataclasses
from typing import Any

import pytest

from outbox import PatrolStatus
from outbox.database import Database
from tests.builders import an_edit, edits
from tests.endpoint import EmulatedEndpoint
from tests.worker.classified import ANY_TIME, classify
from tests.worker.conftest import BuildServices
from tests.worker.lines import save, statements
from worker.config.wiki import Wiki
from worker.domain.errors import FilterInvalid
from worker.domain.thresholds import DAMAGING, GOODFAITH, REVERT_RISK, Band, Statistic, Threshold, with_thresholds
from worker.scores.filtering import Filters, filters_of
from worker.scores.formulas import keep_statistics
from worker.scores.model_versions import make_current, model_ids

FORMULA = "maximum recall @ precision >= 0.15"
BY_FORMULA = Threshold.model_validate({"min": FORMULA})
ALL_LEVELS = ["likelygood", "maybebad", "likelybad", "verylikelybad"]


@pytest.fixture
def wiki(services_for: BuildServices) -> Wiki:
    """A wiki with the default thresholds whose models were all seen once."""
    wiki = services_for(models=[DAMAGING, GOODFAITH, "articlequality", "draftquality"]).wiki("enwiki")
    with wiki.database.transaction() as session:
        model_ids(session, [(name, "1") for name in wiki.models], {})
    return wiki


def filters(wiki: Wiki, thresholds: dict[str, Any] | None = None) -> Filters:
    return filters_of(dataclasses.replace(wiki, thresholds=with_thresholds(thresholds or {})))


def resolve(wiki: Wiki, *, true: float | None, version: str = "1") -> None:
    with wiki.database.transaction() as session:
        keep_statistics(session, DAMAGING, version, {Statistic("true", FORMULA): true})


def refusal(filters: Filters, model: str, level: str) -> str:
    with pytest.raises(FilterInvalid) as raised:
        filters.band(model, level)
    return str(raised.value)


def test_a_level_means_its_numbers(wiki: Wiki) -> None:
    assert filters(wiki).band(DAMAGING, "likelybad") == Band(0.629, 1)


def test_a_formula_means_what_it_came_to_for_the_current_version(wiki: Wiki) -> None:
    resolve(wiki, true=0.831)
    resolve(wiki, true=0.5, version="2")

    assert filters(wiki, {DAMAGING: {"likelybad": BY_FORMULA}}).band(DAMAGING, "likelybad") == Band(0.831, 1)


def test_what_a_formula_came_to_for_an_old_version_means_nothing(wiki: Wiki) -> None:
    resolve(wiki, true=0.831)
    with wiki.database.transaction() as session:
        make_current(session, DAMAGING, "2")

    assert filters(wiki, {DAMAGING: {"likelybad": BY_FORMULA}}).levels[DAMAGING]["likelybad"].band is None


def test_a_formula_that_is_not_resolved_is_told_with_the_cure(wiki: Wiki) -> None:
    assert refusal(filters(wiki, {DAMAGING: {"likelybad": BY_FORMULA}}), DAMAGING, "likelybad") == (
        "enwiki: what likelybad of damaging means is not known, since its formula is not resolved; "
        "run: outpatrol models check --wiki enwiki, or set a number"
    )


def test_a_formula_that_nothing_reaches_is_told_with_the_cure(wiki: Wiki) -> None:
    resolve(wiki, true=None)

    assert refusal(filters(wiki, {DAMAGING: {"likelybad": BY_FORMULA}}), DAMAGING, "likelybad") == (
        "enwiki: no probability matches likelybad of damaging as it is set; set a number"
    )


def test_the_other_levels_hold_while_one_is_not_resolved(wiki: Wiki) -> None:
    here = filters(wiki, {DAMAGING: {"likelybad": BY_FORMULA}})

    assert here.bands(DAMAGING, ["verylikelybad"]) == [Band(0.944, 1)]


@pytest.mark.parametrize(
    ("model", "level", "sentence"),
    [
        (DAMAGING, "bad", "enwiki has no level 'bad' of damaging; there are: likelygood, maybebad, verylikelybad"),
        (DAMAGING, "likelybad", "enwiki has no level 'likelybad' of damaging"),
        ("articlequality", "FA", "enwiki has no level 'FA' of articlequality; there are: none"),
        (
            REVERT_RISK,
            "revertrisk",
            (
                f"enwiki has no scores of {REVERT_RISK} to filter by; "
                "add it to wikis.enwiki.models, or wait for its first score"
            ),
        ),
        ("nonsense", "likelybad", "enwiki has no scores of nonsense to filter by"),
    ],
)
def test_a_level_that_is_not_there_is_told_with_those_that_are(
    wiki: Wiki, model: str, level: str, sentence: str
) -> None:
    assert sentence in refusal(filters(wiki, {DAMAGING: {"likelybad": False}}), model, level)


def test_a_model_that_was_never_seen_can_not_be_filtered_by(services_for: BuildServices) -> None:
    here = filters(services_for().wiki("enwiki"))

    assert here.columns == {}
    assert "wait for its first score" in refusal(here, DAMAGING, "likelybad")


def test_levels_that_overlap_are_one_band(wiki: Wiki) -> None:
    assert filters(wiki).bands(DAMAGING, ["verylikelybad", "likelybad"]) == [Band(0.629, 1)]


def test_levels_apart_are_two_bands(wiki: Wiki) -> None:
    here = filters(wiki, {DAMAGING: {"likelygood": Threshold(max=0.3)}})

    assert here.bands(DAMAGING, ["verylikelybad", "likelygood"]) == [Band(0, 0.3), Band(0.944, 1)]


@pytest.mark.parametrize("chosen", [ALL_LEVELS, ALL_LEVELS[::-1], ALL_LEVELS * 2])
def test_all_levels_at_once_are_no_condition(wiki: Wiki, chosen: list[str]) -> None:
    assert filters(wiki).bands(DAMAGING, chosen) == []


def test_all_levels_that_are_resolved_are_no_condition_either(wiki: Wiki) -> None:
    here = filters(wiki, {DAMAGING: {"maybebad": BY_FORMULA, "likelybad": False}})

    assert here.bands(DAMAGING, ["likelygood", "verylikelybad"]) == []


def test_a_level_chosen_twice_is_chosen_once(wiki: Wiki) -> None:
    assert filters(wiki).bands(DAMAGING, ["likelybad", "likelybad"]) == [Band(0.629, 1)]


def test_a_level_that_is_the_only_one_is_a_condition(services_for: BuildServices) -> None:
    wiki = services_for(models=[REVERT_RISK], endpoint={"kind": "lift_wing"}).wiki("enwiki")
    with wiki.database.transaction() as session:
        model_ids(session, [(REVERT_RISK, "3")], {})

    assert filters(wiki).bands(REVERT_RISK, ["revertrisk"]) == [Band(0.95, 1)]


def test_the_probabilities_shown_are_those_of_models_with_one_row(wiki: Wiki) -> None:
    columns = filters(wiki).columns

    assert {model: column.class_id for model, column in columns.items()} == {
        DAMAGING: 1,
        GOODFAITH: 1,
        "articlequality": 0,
    }


@pytest.mark.parametrize(("probability", "levels"), [(0.943, ["likelygood"]), (0.944, ["likelygood", "verylikelybad"])])
def test_a_probability_is_in_the_levels_that_hold_it(wiki: Wiki, probability: float, levels: list[str]) -> None:
    here = filters(wiki, {DAMAGING: {"likelygood": Threshold(), "maybebad": False, "likelybad": False}})

    assert here.matching(DAMAGING, probability) == levels


def test_nothing_chosen_asks_for_everything(wiki: Wiki) -> None:
    query = filters(wiki).query(since=ANY_TIME, levels={DAMAGING: [], REVERT_RISK: []})

    assert (query.bands, query.above, query.not_above, query.unpatrolled) == ({}, {}, {}, False)


def test_hiding_what_does_not_damage_hides_what_was_patrolled(wiki: Wiki) -> None:
    query = filters(wiki).query(since=ANY_TIME, levels={}, hide_non_damaging=True)

    assert (query.above, query.not_above, query.unpatrolled) == ({DAMAGING: 0.629}, {}, True)


@pytest.mark.parametrize(
    ("review", "above", "not_above"), [(True, {DAMAGING: 0.629}, {}), (False, {}, {DAMAGING: 0.629}), (None, {}, {})]
)
def test_reviewing_asks_nothing_about_patrol(
    wiki: Wiki, review: bool | None, above: dict[str, float], not_above: dict[str, float]
) -> None:
    query = filters(wiki).query(since=ANY_TIME, levels={}, review=review)

    assert (query.above, query.not_above, query.unpatrolled) == (above, not_above, False)


def test_reviewing_needs_the_level_it_compares_with(wiki: Wiki) -> None:
    here = filters(wiki, {DAMAGING: {"likelybad": False}})

    with pytest.raises(FilterInvalid, match="no level 'likelybad' of damaging"):
        here.query(since=ANY_TIME, levels={}, review=True)


def test_choices_find_their_changes(wiki: Wiki, database: Database) -> None:
    save(database, [*edits(3), an_edit(revision=4, patrol_status=PatrolStatus.PATROLLED)])
    classify(database, {1: 0.628, 2: 0.629, 3: 0.95, 4: 0.95})
    here = filters(wiki)

    found = here.find(here.query(since=ANY_TIME, levels={DAMAGING: ["likelybad"]}, unpatrolled=True))

    assert [(change.revision, change.probabilities) for change in found] == [
        (3, {DAMAGING: 0.95}),
        (2, {DAMAGING: 0.629}),
    ]


def test_a_query_can_be_explained_and_be_pasted(wiki: Wiki, database: Database) -> None:
    save(database, edits(3))
    here = filters(wiki)
    query = here.query(since=ANY_TIME, levels={DAMAGING: ["likelybad"]})

    assert "damaging_score" in str(here.plan(query))
    assert here.script(query).count("STRAIGHT_JOIN") == (database.engine.dialect.name != "sqlite")


def test_reading_filters_asks_no_endpoint_and_takes_few_statements(wiki: Wiki, endpoint: EmulatedEndpoint) -> None:
    with statements(wiki.database) as seen:
        filters(wiki, {DAMAGING: {"likelybad": BY_FORMULA}, GOODFAITH: {"likelygood": BY_FORMULA}})

    assert len(seen) == 3
    assert endpoint.summary()["calls"] + endpoint.summary()["info_calls"] == 0
