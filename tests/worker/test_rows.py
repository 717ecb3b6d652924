"""A score becomes the rows that Extension:ORES would write."""

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.builders import a_score
from worker.classification.rows import Classification, rounded, rows_of, unknown_class
from worker.scoring_models import DEFAULT_MODELS

QUALITY = {"B": 0.462, "C": 0.050, "FA": 0.046, "GA": 0.435, "Start": 0.005, "Stub": 0.001}
DRAFT = {"attack": 0.01, "OK": 0.7, "spam": 0.2, "vandalism": 0.09}
PROBABILITIES = st.floats(min_value=0, max_value=1)


def probabilities_of(model: str) -> st.SearchStrategy[dict[str, float]]:
    return st.fixed_dictionaries(dict.fromkeys(DEFAULT_MODELS[model].classes, PROBABILITIES))


def test_an_aggregated_model_leaves_one_row_with_the_weighted_mean() -> None:
    score = a_score(model="articlequality", prediction="B", probability=QUALITY)

    rows = rows_of(score, 7, 3, DEFAULT_MODELS["articlequality"])

    assert rows == [Classification(7, 3, 0, 0.577, is_predicted=False)]


def test_a_binary_model_leaves_a_row_of_the_true_class_only() -> None:
    score = a_score(prediction="true", probability={"true": 0.9, "false": 0.1})

    assert rows_of(score, 7, 3, DEFAULT_MODELS["damaging"]) == [Classification(7, 3, 1, 0.9, is_predicted=True)]


def test_a_binary_row_says_when_the_other_class_was_predicted() -> None:
    score = a_score(prediction="false", probability={"true": 0.1, "false": 0.9})

    assert rows_of(score, 7, 3, DEFAULT_MODELS["damaging"]) == [Classification(7, 3, 1, 0.1, is_predicted=False)]


def test_other_models_leave_a_row_for_each_class() -> None:
    score = a_score(model="draftquality", prediction="OK", probability=DRAFT)

    assert sorted(rows_of(score, 7, 3, DEFAULT_MODELS["draftquality"])) == [
        Classification(7, 3, 0, 0.01, is_predicted=False),
        Classification(7, 3, 1, 0.7, is_predicted=True),
        Classification(7, 3, 2, 0.2, is_predicted=False),
        Classification(7, 3, 3, 0.09, is_predicted=False),
    ]


def test_probabilities_are_rounded_as_php_prints_them() -> None:
    assert rounded(0.1235) == 0.123
    assert rounded(0.1236) == 0.124


def test_the_highest_probability_is_what_the_column_holds() -> None:
    assert rounded(0.9996) == 0.999
    assert rounded(1.0) == 0.999


@settings(max_examples=150)
@given(probabilities_of("draftquality"))
def test_no_row_ever_holds_more_than_the_column_can(probability: dict[str, float]) -> None:
    score = a_score(model="draftquality", prediction="OK", probability=probability)

    assert all(0 <= row.probability <= 0.999 for row in rows_of(score, 7, 3, DEFAULT_MODELS["draftquality"]))


@settings(max_examples=150)
@given(probabilities_of("articlequality"), st.randoms(use_true_random=False))
def test_the_order_of_the_classes_in_a_reply_changes_no_row(probability: dict[str, float], chance: object) -> None:
    names = sorted(probability)
    chance.shuffle(names)  # type: ignore[attr-defined]
    for model in ("articlequality", "draftquality"):
        one, other = (
            sorted(rows_of(a_score(model=model, prediction="B", probability=each), 7, 3, DEFAULT_MODELS[model]))
            for each in (probability, {name: probability[name] for name in names})
        )
        assert one == other


def test_a_weighted_mean_on_the_edge_is_rounded_the_same_in_every_order() -> None:
    reply = {"Stub": 0.03, "Start": 0.067, "C": 0.118, "B": 0.285, "GA": 0.415, "FA": 0.085}
    orders = (reply, dict(reversed(reply.items())), dict(sorted(reply.items())))

    rows = [
        rows_of(
            a_score(model="articlequality", prediction="GA", probability=each), 7, 3, DEFAULT_MODELS["articlequality"]
        )
        for each in orders
    ]

    assert rows[0] == rows[1] == rows[2]


def test_a_class_that_is_not_configured_gets_no_row() -> None:
    score = a_score(model="draftquality", prediction="OK", probability=DRAFT | {"poem": 0.5})

    assert {row.class_id for row in rows_of(score, 7, 3, DEFAULT_MODELS["draftquality"])} == {0, 1, 2, 3}


def test_a_class_that_is_not_configured_is_named_with_the_cure() -> None:
    score = a_score(model="draftquality", version="0.2.1", prediction="OK", probability=DRAFT | {"poem": 0.5})

    assert unknown_class(score, DEFAULT_MODELS["draftquality"]) == (
        "draftquality 0.2.1 answers with the class 'poem', which is not configured; "
        "add it to classes under [models.draftquality] and requeue this letter"
    )


def test_configured_classes_are_no_problem() -> None:
    assert unknown_class(a_score(), DEFAULT_MODELS["damaging"]) is None
