"""How well the emulated models say they work at each threshold, and which threshold a formula picks."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples
from worker.emulators.scoring.servers import MODELS, TOPICS
from worker.emulators.scoring.shapes import probabilities
from worker.emulators.scoring.statistics import (
    STATISTICS,
    TESTED_REVISIONS,
    Matches,
    matches_of,
    optimum,
    read_formula,
    statistics_document,
)

DAMAGING = matches_of(0, "enwiki", "damaging", "0.5.1", "true")
NAMES = st.sampled_from(sorted(STATISTICS))


def matches(threshold: float, right: int, wrong: int, kept: int, missed: int) -> Matches:
    """*right* and *wrong* are matched, *kept* and *missed* are not; *missed* should have been."""
    return Matches(threshold, right, wrong, kept, missed)


def test_the_statistics_of_a_threshold_follow_from_what_it_matches_and_should() -> None:
    assert statistics_document(matches(0.4, 3, 1, 4, 2)) == {
        "threshold": 0.4,
        "match_rate": 0.4,
        "filter_rate": 0.6,
        "precision": 0.75,
        "!precision": 0.667,
        "recall": 0.6,
        "!recall": 0.8,
        "accuracy": 0.7,
        "fpr": 0.2,
        "f1": 0.667,
        "!f1": 0.727,
    }


def test_a_statistic_that_would_divide_by_zero_is_null() -> None:
    document = statistics_document(matches(0.0, 0, 5, 0, 0))
    assert {name for name, value in document.items() if value is None} == {"!precision", "recall", "f1", "!f1"}


@pytest.mark.parametrize("label", ["true", "false"])
def test_a_threshold_matches_the_revisions_that_have_at_least_that_probability(label: str) -> None:
    given_out = [
        round(probabilities(3, "dewiki", "goodfaith", revision, "0.6")[label], 5) for revision in TESTED_REVISIONS
    ]
    for each in matches_of(3, "dewiki", "goodfaith", "0.6", label)[::97]:
        matched = sum(probability >= each.threshold for probability in given_out)
        assert each.true_matched + each.false_matched == matched
        assert each.true_filtered + each.false_filtered == len(given_out) - matched


def test_each_probability_of_a_tested_revision_is_a_candidate_in_rising_order() -> None:
    thresholds = [each.threshold for each in DAMAGING]
    assert thresholds == sorted(
        {round(probabilities(0, "enwiki", "damaging", each, "0.5.1")["true"], 5) for each in TESTED_REVISIONS}
    )


@pytest.mark.parametrize(("model", "label"), [("damaging", "true"), ("draftquality", "spam"), ("itemtopic", TOPICS[3])])
def test_a_class_is_true_as_often_as_its_probabilities_say(model: str, label: str) -> None:
    version = MODELS[model].version
    expected = sum(probabilities(0, "enwiki", model, each, version)[label] for each in TESTED_REVISIONS)
    assert matches_of(0, "enwiki", model, version, label)[0].true_matched == pytest.approx(expected, rel=0.15)


def test_exactly_one_of_exclusive_classes_is_true_of_a_revision() -> None:
    true = [matches_of(0, "enwiki", "wp10", "1", label)[0].true_matched for label in MODELS["wp10"].classes]
    assert sum(true) == len(TESTED_REVISIONS)


@pytest.mark.parametrize(
    ("seed", "wiki", "model", "version"),
    [
        (1, "enwiki", "damaging", "0.5.1"),
        (0, "dewiki", "damaging", "0.5.1"),
        (0, "enwiki", "reverted", "0.5.1"),
        (0, "enwiki", "damaging", "0.6.0"),
    ],
)
def test_another_seed_wiki_model_or_version_was_tested_otherwise(
    seed: int, wiki: str, model: str, version: str
) -> None:
    assert matches_of(seed, wiki, model, version, "true") != DAMAGING


@given(best=st.sampled_from(["maximum", "minimum"]), target=NAMES, condition=NAMES, limit=st.floats(-0.1, 1.1))
@settings(max_examples=examples(60))
def test_nothing_that_satisfies_a_formula_is_better_than_its_optimum(
    best: str, target: str, condition: str, limit: float
) -> None:
    found = optimum(read_formula(f"{best} {target} @ {condition} >= {limit:.3f}"), DAMAGING)

    values = [
        (value, each)
        for each in DAMAGING
        if (value := STATISTICS[target](each)) is not None
        and (held := STATISTICS[condition](each)) is not None
        and held >= float(f"{limit:.3f}")
    ]
    if found is None:
        assert values == []
    else:
        assert STATISTICS[target](found) == (max if best == "maximum" else min)(value for value, _ in values)
        assert found in [each for _, each in values]


@given(name=NAMES, limit=st.floats(0, 1))
@settings(max_examples=examples(30))
def test_an_optimum_below_a_limit_is_below_it(name: str, limit: float) -> None:
    found = optimum(read_formula(f"maximum {name} @ {name} <= {limit:.3f}"), DAMAGING)
    value = None if found is None else STATISTICS[name](found)
    assert value is None or value <= float(f"{limit:.3f}")


@pytest.mark.parametrize(("best", "threshold"), [("maximum", 0.7), ("minimum", 0.2)])
def test_of_equal_optima_a_maximum_has_the_highest_threshold_and_a_minimum_the_lowest(
    best: str, threshold: float
) -> None:
    equal = [matches(each, 4, 4, 1, 1) for each in (0.5, 0.2, 0.7)]
    found = optimum(read_formula(f"{best} recall @ precision >= 0.5"), equal)
    assert found is not None
    assert found.threshold == threshold


def test_a_threshold_without_the_statistic_is_no_optimum() -> None:
    without_recall = matches(0.1, 0, 5, 5, 0)
    assert optimum(read_formula("minimum recall @ fpr >= 0"), [without_recall]) is None
    assert optimum(read_formula("minimum fpr @ recall >= 0"), [without_recall]) is None


@pytest.mark.parametrize("text", [" Maximum !Recall @ !precision >= .15 ", "minimum !f1 @ f1 <= +1"])
def test_a_formula_may_have_capitals_outer_blanks_and_short_numbers(text: str) -> None:
    assert optimum(read_formula(text), DAMAGING) is not None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "maximum recall",
        "highest recall @ precision >= 0.15",
        "maximum beauty @ precision >= 0.15",
        "maximum recall @ beauty >= 0.15",
        "maximum recall @ precision > 0.15",
        "maximum recall @ precision >= much",
        "maximum recall @ precision >= 0.15 or so",
        "maximum recall at precision >= 0.15",
    ],
)
def test_what_is_no_formula_is_not_read(text: str) -> None:
    with pytest.raises(ValueError, match="no formula"):
        read_formula(text)
