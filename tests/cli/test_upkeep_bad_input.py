"""`outpatrol models` and `outpatrol scores` refuse what they can't do before they do anything."""

import pytest

from tests.cli.conftest import Run

COMMANDS = (("models", "list"), ("models", "check"), ("scores", "purge"), ("scores", "populate"))
SOME = ("some", "0", "-1")


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_wiki_that_the_settings_do_not_list_is_told_in_a_sentence(run: Run, command: tuple[str, str]) -> None:
    result = run(*command, "--wiki", "nowiki")

    assert result.exit_code == 1
    assert "'nowiki' is no wiki of the settings" in result.stderr


@pytest.mark.parametrize("command", [command for command in COMMANDS if command != ("models", "check")], ids=" ".join)
def test_a_database_that_is_not_migrated_is_told_in_a_sentence(run: Run, command: tuple[str, str]) -> None:
    result = run(*command)

    assert result.exit_code == 1
    assert "run: outpatrol migrate --wiki enwiki" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    ("command", "option", "values"),
    [
        ("purge", "--batch-size", (*SOME, "10001")),
        ("populate", "--batch-size", (*SOME, "10001")),
        ("populate", "--number", SOME),
    ],
)
def test_a_number_that_is_out_of_range_is_refused(run: Run, command: str, option: str, values: tuple[str, ...]) -> None:
    for value in values:
        result = run("scores", command, option, value)

        assert result.exit_code == 2
        assert option in result.stderr


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_the_help_has_an_example(run: Run, command: tuple[str, str]) -> None:
    assert f"Example: outpatrol {' '.join(command)} --wiki " in run(*command, "--help").stdout
