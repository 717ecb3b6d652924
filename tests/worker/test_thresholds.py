"""What a level begins and ends at: numbers, ORES' formulas, and what is neither."""

import itertools
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from tests.examples import examples
from worker.domain.thresholds import (
    DAMAGING,
    DEFAULT_THRESHOLDS,
    FILTERS,
    GOODFAITH,
    LEVELS,
    REVERT_RISK,
    Band,
    Statistic,
    Threshold,
    merged_bands,
    with_thresholds,
)
from worker.emulators.scoring.statistics import read_formula

FORMULA = "maximum recall @ precision >= 0.15"
STATISTICS = (
    "precision", "!precision", "recall", "!recall", "f1", "!f1", "accuracy", "filter_rate", "fpr", "match_rate",
)  # fmt: skip
RIGHT_FORM = "write 0.629, or 'maximum recall @ precision >= 0.15'"
FORMULAS = st.builds(
    "{} {} @ {} {} {}".format,
    st.sampled_from(["maximum", "minimum"]),
    st.sampled_from(STATISTICS),
    st.sampled_from(STATISTICS),
    st.sampled_from([">=", "<="]),
    st.decimals(min_value=0, max_value=1, places=3).map(str) | st.sampled_from(["0", "1", ".5", "1.0", "0.15"]),
)
SHARES = st.integers(min_value=0, max_value=1000).map(lambda thousandths: thousandths / 1000)
BANDS = st.lists(st.tuples(SHARES, SHARES).map(lambda ends: Band(min(ends), max(ends))), max_size=6)


def problem(**ends: Any) -> str:
    with pytest.raises(ValidationError) as raised:
        Threshold(**ends)
    return str(raised.value)


@settings(max_examples=examples(200))
@given(FORMULAS)
def test_every_formula_of_the_grammar_is_taken_at_both_ends(formula: str) -> None:
    threshold = Threshold.model_validate({"min": formula, "max": formula})

    assert threshold.statistics == {Statistic("true", formula), Statistic("false", formula)}


@settings(max_examples=examples(300))
@given(FORMULAS, st.data())
def test_a_formula_with_a_slip_is_refused_or_still_one_that_ores_can_read(formula: str, data: st.DataObject) -> None:
    place = data.draw(st.integers(min_value=0, max_value=len(formula) - 1))
    instead = data.draw(st.sampled_from(["", "x", " ", "!", "@", "9", ".", "٣"]))
    slip = formula[:place] + instead + formula[place + 1 :]
    try:
        Threshold.model_validate({"min": slip})
    except ValidationError as error:
        assert RIGHT_FORM in str(error)  # noqa: PT017 - either is right
    else:
        assert 0 <= read_formula(slip).limit <= 1


@pytest.mark.parametrize(
    "typo",
    [
        "maximum recall @ precison >= 0.15",
        "maximal recall @ precision >= 0.15",
        "recall @ precision >= 0.15",
        "maximum recall at precision >= 0.15",
        "maximum recall @ precision > 0.15",
        "maximum recall @ precision = 0.15",
        "maximum recall @ precision >= 15%",
        "maximum recall @ precision >= 1.5",
        "maximum recall @ precision >= -0.15",
        "maximum recall @ precision >= 0.١٥",
        "maximum recall@precision>=0.15",
        "maximum !accuracy @ precision >= 0.15",
        'maximum recall @ precision >= 0.15"|version',
        "maximum recall @ precision >= 0." + "1" * 100,
        "",
        "likelybad",
    ],
)
@pytest.mark.parametrize("end", ["min", "max"])
def test_a_typo_is_told_once_with_the_right_form(typo: str, end: str) -> None:
    sentence = problem(**{end: typo})

    assert sentence.startswith("1 validation error")
    assert f"\n{end}\n" in sentence
    assert RIGHT_FORM in sentence


@pytest.mark.parametrize(
    "number",
    [-0.001, 1.001, 63, 10**400, float("nan"), float("inf"), float("-inf"), True, False, None, [0.5], "nan", "1.5"],
)
@pytest.mark.parametrize("end", ["min", "max"])
def test_what_is_no_number_from_0_to_1_is_refused(number: object, end: str) -> None:
    assert RIGHT_FORM in problem(**{end: number})


@pytest.mark.parametrize("number", [0, 1, 0.0, 1.0, 0.629, "0.629"])
def test_numbers_from_0_to_1_are_taken(number: object) -> None:
    threshold = Threshold.model_validate({"min": number, "max": number})

    assert (threshold.min, threshold.max) == (float(str(number)), float(str(number)))
    assert threshold.statistics == frozenset()


def test_an_end_that_is_not_set_is_the_end_of_all_probabilities() -> None:
    assert Threshold().band({}) == Band(0, 1)


def test_ends_that_contradict_each_other_are_refused() -> None:
    assert "min 0.9 is above max 0.1, so no edit could ever match; swap them" in problem(min=0.9, max=0.1)


@pytest.mark.parametrize("ends", [{"min": 0.5, "max": 0.5}, {"min": 0.9, "max": FORMULA}, {"min": FORMULA, "max": 0.1}])
def test_ends_that_do_not_contradict_each_other_yet_are_taken(ends: dict[str, Any]) -> None:
    assert Threshold.model_validate(ends).model_dump() == ends


def test_an_end_of_another_name_is_refused() -> None:
    assert "mni" in problem(mni=0.5)


def test_a_lower_end_is_the_threshold_of_the_class_true() -> None:
    threshold = Threshold.model_validate({"min": FORMULA})

    assert threshold.statistics == {Statistic("true", FORMULA)}
    assert threshold.band({Statistic("true", FORMULA): 0.831, Statistic("false", FORMULA): 0.2}) == Band(0.831, 1)


def test_an_upper_end_is_one_less_the_threshold_of_the_class_false() -> None:
    threshold = Threshold.model_validate({"max": FORMULA})

    assert threshold.statistics == {Statistic("false", FORMULA)}
    assert threshold.band({Statistic("false", FORMULA): 0.75, Statistic("true", FORMULA): 0.2}) == Band(0, 0.25)


@settings(max_examples=examples(200))
@given(SHARES)
def test_an_upper_end_of_a_formula_holds_the_probability_it_is_written_as(threshold: float) -> None:
    band = Threshold.model_validate({"max": FORMULA}).band({Statistic("false", FORMULA): threshold})

    assert band is not None
    assert band.high == float(f"{1 - threshold:.3f}")


@pytest.mark.parametrize("known", [{}, {Statistic("true", FORMULA): None}, {Statistic("false", FORMULA): 0.5}])
def test_a_lower_end_that_is_unknown_or_unreachable_makes_no_band(known: dict[Statistic, float | None]) -> None:
    assert Threshold.model_validate({"min": FORMULA}).band(known) is None


@pytest.mark.parametrize("known", [{}, {Statistic("false", FORMULA): None}, {Statistic("true", FORMULA): 0.5}])
def test_an_upper_end_that_is_unknown_or_unreachable_makes_no_band(known: dict[Statistic, float | None]) -> None:
    assert Threshold.model_validate({"max": FORMULA}).band(known) is None


@pytest.mark.parametrize(("threshold", "band"), [(0.11, None), (0.1, Band(0.9, 0.9)), (0.05, Band(0.9, 0.95))])
def test_ends_that_turn_out_to_contradict_each_other_make_no_band(threshold: float, band: Band | None) -> None:
    known = {Statistic("false", FORMULA): threshold}

    assert Threshold.model_validate({"min": 0.9, "max": FORMULA}).band(known) == band


def test_the_defaults_are_the_extensions() -> None:
    assert {model: tuple(levels) for model, levels in DEFAULT_THRESHOLDS.items()} == {
        DAMAGING: ("likelygood", "maybebad", "likelybad", "verylikelybad"),
        GOODFAITH: ("likelygood", "maybebad", "likelybad"),
        REVERT_RISK: ("revertrisk",),
    }
    bands = {model: [level.band({}) for level in levels.values()] for model, levels in DEFAULT_THRESHOLDS.items()}
    assert bands == {
        DAMAGING: [Band(0, 0.699), Band(0.149, 1), Band(0.629, 1), Band(0.944, 1)],
        GOODFAITH: [Band(0.777, 1), Band(0, 0.075), Band(0, 0.647)],
        REVERT_RISK: [Band(0.95, 1)],
    }


def test_one_level_of_ones_own_keeps_the_others() -> None:
    own = Threshold(min=0.8)

    levels = with_thresholds({DAMAGING: {"likelybad": own}})

    assert levels == dict(DEFAULT_THRESHOLDS) | {DAMAGING: {**DEFAULT_THRESHOLDS[DAMAGING], "likelybad": own}}


def test_a_level_that_no_default_has_is_added_in_its_place() -> None:
    added = {level: Threshold(max=0.05) for level in FILTERS[GOODFAITH] if level not in DEFAULT_THRESHOLDS[GOODFAITH]}

    assert added
    assert tuple(with_thresholds({GOODFAITH: added})[GOODFAITH]) == FILTERS[GOODFAITH]


def test_false_takes_a_level_away() -> None:
    assert "maybebad" not in with_thresholds({DAMAGING: {"maybebad": False}})[DAMAGING]
    assert with_thresholds({REVERT_RISK: {"revertrisk": False}})[REVERT_RISK] == {}


@pytest.mark.parametrize(
    ("overrides", "sentence"),
    [
        (
            {"reverted": {}},
            (
                "thresholds.reverted: no filter is of that model; "
                "filters are of damaging, goodfaith, revertrisklanguageagnostic"
            ),
        ),
        (
            {DAMAGING: {"bad": False}},
            f"thresholds.damaging.bad: no level of that name; damaging has {', '.join(LEVELS)}",
        ),
        (
            {REVERT_RISK: {"likelybad": False}},
            (
                "thresholds.revertrisklanguageagnostic.likelybad: no level of that name; "
                "revertrisklanguageagnostic has revertrisk"
            ),
        ),
    ],
)
def test_a_model_or_level_that_is_not_there_is_told_with_those_that_are(
    overrides: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(ValueError) as raised:  # noqa: PT011 - the whole text is compared
        with_thresholds(overrides)

    assert str(raised.value) == sentence


@settings(max_examples=examples(200))
@given(BANDS, SHARES)
def test_merged_bands_hold_what_was_in_one_of_them_and_nothing_else(bands: list[Band], probability: float) -> None:
    assert holds(merged_bands(bands), probability) == holds(bands, probability)


@settings(max_examples=examples(200))
@given(BANDS)
def test_merged_bands_are_sorted_and_do_not_touch(bands: list[Band]) -> None:
    merged = merged_bands(bands)

    assert all(first.high < second.low for first, second in itertools.pairwise(merged))


@pytest.mark.parametrize(
    ("bands", "merged"),
    [
        ([], []),
        ([Band(0.3, 1), Band(0.6, 1), Band(0.9, 1)], [Band(0.3, 1)]),
        ([Band(0.6, 1), Band(0, 0.6)], [Band(0, 1)]),
        ([Band(0.9, 1), Band(0, 0.3)], [Band(0, 0.3), Band(0.9, 1)]),
        ([Band(0, 0.9), Band(0.2, 0.3), Band(0.95, 1)], [Band(0, 0.9), Band(0.95, 1)]),
    ],
)
def test_bands_that_overlap_or_touch_are_one(bands: list[Band], merged: list[Band]) -> None:
    assert merged_bands(bands) == merged


def holds(bands: list[Band], probability: float) -> bool:
    return any(band.low <= probability <= band.high for band in bands)
