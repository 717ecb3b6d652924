"""Thresholds in the settings: a mistake gives one sentence, which names the setting."""

from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from worker.cli.main import app
from worker.domain.errors import SettingsInvalid
from worker.domain.thresholds import Threshold, with_thresholds
from worker.settings import FILE_VARIABLE, load_settings

MINIMAL = """
[endpoint]
url = "http://127.0.0.1:8080"
kind = "{kind}"

[wikis.enwiki]
database_url = "sqlite:///enwiki.db"

[wikis.enwiki.thresholds]
{thresholds}
"""
LIKELY_BAD = "wikis.enwiki.thresholds.damaging.likelybad"
VARIABLE = "OUTPATROL_WIKIS__ENWIKI__THRESHOLDS__DAMAGING__LIKELYBAD"
NEITHER = (
    "no number from 0 to 1 and no formula; write 0.629, or 'maximum recall @ precision >= 0.15', of precision, recall, "
    "f1 (each also with ! before it), accuracy, filter_rate, fpr and match_rate"
)
NO_TABLE = "no threshold; write a table such as { min = 0.629, max = 1 }, or false"

Write = Callable[..., None]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Writes the settings file that is read from then on."""
    file = tmp_path / "some.toml"
    monkeypatch.setenv(FILE_VARIABLE, str(file))

    def write(thresholds: str, kind: str = "ores") -> None:
        file.write_text(MINIMAL.format(thresholds=thresholds, kind=kind))

    return write


def problem() -> str:
    with pytest.raises(SettingsInvalid) as raised:
        load_settings()
    return str(raised.value)


def likely_bad() -> Threshold | None:
    return with_thresholds(load_settings().wikis["enwiki"].thresholds)["damaging"].get("likelybad")


@pytest.mark.parametrize(
    ("likelybad", "place", "sentence"),
    [
        ("{ min = 1.5 }", f"{LIKELY_BAD}.min", NEITHER),
        ("{ max = -1 }", f"{LIKELY_BAD}.max", NEITHER),
        ("{ min = nan }", f"{LIKELY_BAD}.min", NEITHER),
        ("{ max = inf }", f"{LIKELY_BAD}.max", NEITHER),
        ("{ min = true }", f"{LIKELY_BAD}.min", NEITHER),
        ("{ min = [0.5] }", f"{LIKELY_BAD}.min", NEITHER),
        ('{ min = "maximum recall @ precison >= 0.15" }', f"{LIKELY_BAD}.min", NEITHER),
        ("{ min = 0.9, max = 0.1 }", LIKELY_BAD, "min 0.9 is above max 0.1, so no edit could ever match; swap them"),
        ("{ mni = 0.9 }", f"{LIKELY_BAD}.mni", "Extra inputs are not permitted"),
        ("true", LIKELY_BAD, NO_TABLE),
        ("0.629", LIKELY_BAD, NO_TABLE),
        ("[0.629, 1]", LIKELY_BAD, NO_TABLE),
        ('"hunter2"', LIKELY_BAD, NO_TABLE),
    ],
)
def test_a_wrong_threshold_is_told_in_one_sentence(write: Write, likelybad: str, place: str, sentence: str) -> None:
    write(f"damaging.likelybad = {likelybad}")
    variable = "OUTPATROL_" + place.upper().replace(".", "__")

    _, said = problem().split("): ", 1)

    assert said == f"{place}: {sentence} (in the file, or as {variable})"


def test_two_wrong_ends_are_two_sentences(write: Write) -> None:
    write("damaging.likelybad = { min = -1, max = 2 }")

    assert problem().count(NEITHER) == 2


@pytest.mark.parametrize(
    ("thresholds", "sentence"),
    [
        ("damaging.bad = false", "thresholds.damaging.bad: no level of that name; damaging has likelygood, maybebad"),
        ("wp10.likelybad = false", "thresholds.wp10: no filter is of that model; filters are of damaging, goodfaith"),
    ],
)
def test_an_unknown_level_or_model_is_told_with_those_there_are(write: Write, thresholds: str, sentence: str) -> None:
    write(thresholds)

    assert sentence in problem()


def test_a_formula_is_refused_where_the_endpoint_tells_no_statistics(write: Write) -> None:
    write('damaging.likelybad = { min = "maximum recall @ precision >= 0.15" }', kind="lift_wing")

    _, said = problem().split("): ", 1)

    assert said == (
        "wikis.enwiki.thresholds.damaging.likelybad: Lift Wing has no statistics to resolve a formula with; "
        "write a number from 0 to 1"
    )


def test_a_formula_is_taken_where_the_endpoint_is_ores(write: Write) -> None:
    write('damaging.likelybad = { min = "maximum recall @ precision >= 0.15" }')

    assert likely_bad() == Threshold.model_validate({"min": "maximum recall @ precision >= 0.15"})


def test_numbers_are_taken_wherever_scores_come_from(write: Write) -> None:
    write("damaging.likelybad = { min = 0.7 }", kind="lift_wing")

    assert likely_bad() == Threshold(min=0.7)


def test_false_takes_a_level_away(write: Write) -> None:
    write("damaging.likelybad = false")

    assert likely_bad() is None


@pytest.mark.parametrize(
    ("end", "value", "threshold"),
    [
        ("__MIN", "0.7", Threshold(min=0.7)),
        ("__MAX", "1", Threshold(max=1)),
        ("__MIN", "maximum f1 @ fpr <= 0.1", Threshold.model_validate({"min": "maximum f1 @ fpr <= 0.1"})),
        ("", '{"min": 0.7}', Threshold(min=0.7)),
        ("", "false", None),
    ],
)
def test_a_variable_sets_a_threshold_as_the_file_does(
    write: Write, monkeypatch: pytest.MonkeyPatch, end: str, value: str, threshold: Threshold | None
) -> None:
    write("")
    monkeypatch.setenv(VARIABLE + end, value)

    assert likely_bad() == threshold


def test_a_wrong_variable_is_named_and_its_value_is_not_shown(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    write("")
    monkeypatch.setenv(f"{VARIABLE}__MIN", "hunter2")

    sentence = problem()

    assert f"{VARIABLE}__MIN" in sentence
    assert "hunter2" not in sentence


def test_settings_with_thresholds_can_be_shown(write: Write) -> None:
    write("damaging.likelybad = { min = 0.7 }\ndamaging.maybebad = false\ngoodfaith.likelybad = { max = 0.5 }")

    assert '"likelybad":{"min":0.7,"max":1.0},"maybebad":false' in load_settings().model_dump_json()


@pytest.mark.parametrize("likelybad", ["{ min = 1.5 }", "{ min = 0.9, max = 0.1 }", '{ min = "recall @ 1" }', "true"])
def test_a_command_ends_with_that_sentence_and_no_traceback(write: Write, likelybad: str) -> None:
    write(f"damaging.likelybad = {likelybad}")

    result: Result = CliRunner().invoke(app, ["status"])

    assert result.exit_code == 1
    assert result.stderr.startswith("outpatrol: settings (")
    assert LIKELY_BAD in result.stderr
    assert result.stderr.count("\n") == 1
    assert "Traceback" not in result.output
