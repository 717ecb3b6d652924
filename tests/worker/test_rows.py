"""A score becomes the rows that Extension:ORES would write."""

import tomllib
from decimal import ROUND_HALF_EVEN, Decimal
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.builders import a_score
from tests.examples import examples
from worker.domain.models import DEFAULT_MODELS, ScoringModel, with_classes, with_overrides
from worker.domain.thresholds import REVERT_RISK
from worker.scores.rows import Classification, rounded, rows_of, unknown_class

QUALITY = {"B": 0.462, "C": 0.050, "FA": 0.046, "GA": 0.435, "Start": 0.005, "Stub": 0.001}
DRAFT = {"attack": 0.01, "OK": 0.7, "spam": 0.2, "vandalism": 0.09}
TOPICS = ScoringModel(classes={"Biography": 0, "Music": 1, "Physics": 2})
STORED = sorted(name for name, model in DEFAULT_MODELS.items() if model.classes)
PLAIN = [name for name in STORED if not DEFAULT_MODELS[name].is_aggregated]
PROBABILITIES = st.floats(min_value=0, max_value=1)
CHANCE = st.randoms(use_true_random=False)


def probabilities_of(model: str) -> st.SearchStrategy[dict[str, float]]:
    return st.fixed_dictionaries(dict.fromkeys(DEFAULT_MODELS[model].classes, PROBABILITIES))


def rows(model: str, probability: dict[str, float], prediction: str = "") -> list[Classification]:
    score = a_score(model=model, prediction=prediction or next(iter(probability)), probability=probability)
    return sorted(rows_of(score, 7, 3, DEFAULT_MODELS[model]))


def as_php_prints(probability: float) -> float:
    """PHP's `%.3f` rounds the binary double, which is exactly in the middle for few: those go to the even digit."""
    return float(Decimal(probability).quantize(Decimal("0.001"), ROUND_HALF_EVEN))


def test_an_aggregated_model_leaves_one_row_with_the_weighted_mean() -> None:
    assert rows("articlequality", QUALITY, "B") == [Classification(7, 3, 0, 0.577, is_predicted=False)]


@pytest.mark.parametrize(
    ("name", "mean"), [("Stub", 0), ("Start", 0.167), ("C", 0.333), ("B", 0.5), ("GA", 0.667), ("FA", 0.833)]
)
def test_the_weighted_mean_of_what_is_certain_is_not_clipped_on_the_way(name: str, mean: float) -> None:
    (row,) = rows("articlequality", dict.fromkeys(QUALITY, 0.0) | {name: 1.0}, name)

    assert row.probability == mean


@pytest.mark.parametrize("model", ["damaging", "goodfaith", "reverted", REVERT_RISK])
def test_a_binary_model_leaves_a_row_of_the_true_class_only(model: str) -> None:
    assert rows(model, {"true": 0.9, "false": 0.1}, "true") == [Classification(7, 3, 1, 0.9, is_predicted=True)]


def test_a_binary_row_says_when_the_other_class_was_predicted() -> None:
    assert rows("damaging", {"true": 0.1, "false": 0.9}, "false") == [Classification(7, 3, 1, 0.1, is_predicted=False)]


def test_other_models_leave_a_row_for_each_class() -> None:
    assert rows("draftquality", DRAFT, "OK") == [
        Classification(7, 3, 0, 0.01, is_predicted=False),
        Classification(7, 3, 1, 0.7, is_predicted=True),
        Classification(7, 3, 2, 0.2, is_predicted=False),
        Classification(7, 3, 3, 0.09, is_predicted=False),
    ]


@pytest.mark.parametrize("prediction", sorted(DRAFT))
def test_the_prediction_alone_is_marked_however_likely_another_class_is(prediction: str) -> None:
    marked = [row.class_id for row in rows("draftquality", DRAFT, prediction) if row.is_predicted]

    assert marked == [DEFAULT_MODELS["draftquality"].classes[prediction]]


@pytest.mark.parametrize("prediction", [("Biography", "Music"), ("Music",), ()])
def test_a_model_that_picks_several_classes_leaves_a_row_for_each_and_marks_none(prediction: tuple[str, ...]) -> None:
    likely = {"Biography": 0.9, "Music": 0.8, "Physics": 0.1}
    score = a_score(model="topics", prediction=prediction, probability=likely)

    assert sorted(rows_of(score, 7, 3, TOPICS)) == [
        Classification(7, 3, 0, 0.9, is_predicted=False),
        Classification(7, 3, 1, 0.8, is_predicted=False),
        Classification(7, 3, 2, 0.1, is_predicted=False),
    ]


@pytest.mark.parametrize("model", sorted(set(DEFAULT_MODELS) - set(STORED)))
def test_a_model_without_classes_leaves_no_row(model: str) -> None:
    score = a_score(model=model, prediction=("Biography",), probability={"Biography": 0.9, "Music": 0.1})

    assert rows_of(score, 7, 3, DEFAULT_MODELS[model]) == []


def test_the_numbers_of_classes_can_be_set() -> None:
    model = with_overrides({"draftquality": {"classes": {"attack": 4, "OK": 3, "spam": 2, "vandalism": 1}}})
    score = a_score(model="draftquality", prediction="OK", probability=DRAFT)

    stored = rows_of(score, 7, 3, model["draftquality"])

    assert {row.class_id: row.probability for row in stored} == {4: 0.01, 3: 0.7, 2: 0.2, 1: 0.09}


@settings(max_examples=examples(200))
@given(PROBABILITIES | st.integers(min_value=0, max_value=998).map(lambda number: number / 1000 + 0.0005))
def test_probabilities_are_rounded_as_php_prints_them(probability: float) -> None:
    assert rounded(probability) == min(as_php_prints(probability), 0.999)


@pytest.mark.parametrize(
    ("probability", "stored"), [(0.1235, 0.123), (0.0015, 0.002), (0.0625, 0.062), (0.1875, 0.188), (0.1236, 0.124)]
)
def test_a_probability_half_way_goes_where_its_double_lies(probability: float, stored: float) -> None:
    assert rounded(probability) == stored


@pytest.mark.parametrize("probability", [0.9985000001, 0.9994, 0.9996, 1.0])
def test_the_highest_probability_is_what_the_column_holds(probability: float) -> None:
    assert rounded(probability) == 0.999


@settings(max_examples=examples(150))
@given(st.sampled_from(STORED).flatmap(lambda model: st.tuples(st.just(model), probabilities_of(model))))
def test_no_row_ever_holds_more_than_the_column_can(reply: tuple[str, dict[str, float]]) -> None:
    assert all(0 <= row.probability <= 0.999 for row in rows(*reply))


@settings(max_examples=examples(150))
@given(st.sampled_from(PLAIN).flatmap(lambda model: st.tuples(st.just(model), probabilities_of(model))))
def test_no_class_has_more_than_one_row(reply: tuple[str, dict[str, float]]) -> None:
    classes = [row.class_id for row in rows(*reply)]

    assert len(classes) == len(set(classes)) <= len(reply[1])


@settings(max_examples=examples(150))
@given(st.lists(st.integers(min_value=0, max_value=10**6), min_size=4, max_size=4).filter(any))
def test_the_rows_of_all_classes_sum_to_one_but_for_rounding(weights: list[int]) -> None:
    shares = [weight / sum(weights) for weight in weights]

    stored = rows("draftquality", dict(zip(DRAFT, shares, strict=True)))

    assert abs(sum(row.probability for row in stored) - 1) <= len(shares) * 0.0005 + 1e-9


@settings(max_examples=examples(150))
@given(probabilities_of("articlequality"), CHANCE)
def test_the_order_of_the_classes_in_a_reply_changes_no_row(probability: dict[str, float], chance: Random) -> None:
    names = sorted(probability)
    chance.shuffle(names)

    assert rows("articlequality", probability, "B") == rows("articlequality", {n: probability[n] for n in names}, "B")


def test_a_weighted_mean_on_the_edge_is_rounded_the_same_in_every_order() -> None:
    reply = {"Stub": 0.03, "Start": 0.067, "C": 0.118, "B": 0.285, "GA": 0.415, "FA": 0.085}
    orders = (reply, dict(reversed(reply.items())), dict(sorted(reply.items())))

    assert len({rows("articlequality", each, "GA")[0] for each in orders}) == 1


@pytest.mark.parametrize(
    ("thousandths", "mean"),
    [
        ((222, 12, 189, 178, 158, 241), 0.418),
        ((223, 253, 76, 187, 70, 191), 0.395),
        ((61, 280, 261, 221, 29, 148), 0.493),
    ],
)
def test_a_weighted_mean_half_way_goes_where_php_puts_it(thousandths: tuple[int, ...], mean: float) -> None:
    reply = {name: number / 1000 for name, number in zip(sorted(QUALITY), thousandths, strict=True)}

    assert rows("articlequality", reply, "B")[0].probability == mean


def test_a_class_that_is_not_configured_gets_no_row() -> None:
    assert {row.class_id for row in rows("draftquality", DRAFT | {"poem": 0.5}, "OK")} == {0, 1, 2, 3}


def test_a_mean_that_lacks_a_class_is_not_stored() -> None:
    assert rows("articlequality", QUALITY | {"A": 0.001}, "B") == []


def test_a_class_that_is_not_configured_is_named_with_the_cure() -> None:
    score = a_score(model="draftquality", version="0.2.1", prediction="OK", probability=DRAFT | {"poem": 0.5})

    assert unknown_class(score, DEFAULT_MODELS["draftquality"], "frwiki") == (
        "draftquality 0.2.1 answers with 'poem', which frwiki has no number for; write one for each ? into "
        '[wikis.frwiki.classes] draftquality = { "OK" = 1, "attack" = 0, "poem" = ?, '
        '"spam" = 2, "vandalism" = 3 }, restart the workers and requeue this letter'
    )


@settings(max_examples=examples(100))
@given(
    st.sets(st.text(st.characters(exclude_categories=["C"]), min_size=1), min_size=1, max_size=8),
    st.sets(st.sampled_from(sorted(QUALITY))),
)
def test_who_follows_the_advice_has_rows_and_no_other_class(strange: set[str], usual: set[str]) -> None:
    names = sorted(strange | usual)
    score = a_score(model="articlequality", prediction=names[0], probability=dict.fromkeys(names, 1 / len(names)))
    model = DEFAULT_MODELS["articlequality"]
    advice = unknown_class(score, model, "frwiki")
    if advice is None:
        return
    line = advice.split("[wikis.frwiki.classes] ")[1].split(", restart the workers")[0]
    for number in range(50, 50 + len(names)):
        line = line.replace("= ?", f"= {number}", 1)

    classes = tomllib.loads(line)["articlequality"]

    assert classes.keys() == score.probability.keys()
    followed = with_classes(model, classes)
    assert unknown_class(score, followed, "frwiki") is None
    assert len(rows_of(score, 7, 3, followed)) == 1


def test_configured_classes_are_no_problem() -> None:
    assert unknown_class(a_score(), DEFAULT_MODELS["damaging"], "enwiki") is None
