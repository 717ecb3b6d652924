"""`outpatrol recentchanges`: what each filter lets through, and how a list goes on."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from outbox import PatrolStatus
from outbox.database import Database
from tests.builders import an_edit
from tests.cli.conftest import Run
from tests.cli.recent_changes import REVERT_RISK, commands_on, revisions, save_scored, scored_edits, shown

MODELS = ("damaging", "goodfaith", REVERT_RISK)


@pytest.fixture
def run(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    return commands_on(database, tmp_path, monkeypatch, kind="lift_wing", models=MODELS)


def scored(damaging: float, goodfaith: float, revert_risk: float) -> dict[str, float]:
    return dict(zip(MODELS, (damaging, goodfaith, revert_risk), strict=True))


@pytest.fixture
def scene(database: Database) -> None:
    """Changes 1 to 9, one for each thing that a filter can tell."""
    save_scored(
        database,
        (an_edit(revision=1), scored(0.1, 0.9, 0.1)),
        (an_edit(revision=2), scored(0.3, 0.7, 0.3)),
        (an_edit(revision=3), scored(0.629, 0.6, 0.6)),
        (an_edit(revision=4), scored(0.7, 0.3, 0.949)),
        (an_edit(revision=5), scored(0.95, 0.05, 0.95)),
        (an_edit(revision=6, patrol_status=PatrolStatus.PATROLLED), scored(0.96, 0.04, 0.96)),
        (an_edit(revision=7, is_bot=True), scored(0.97, 0.03, 0.97)),
        (an_edit(revision=8, namespace=1, title="Talk:Page 8"), scored(0.98, 0.02, 0.98)),
        (an_edit(revision=9, namespace=2, title="User:Page 9"), {}),
    )


@pytest.mark.usefixtures("scene")
@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ("", [9, 8, 7, 6, 5, 4, 3, 2, 1]),
        ("--damaging likelygood", [3, 2, 1]),
        ("--damaging maybebad", [8, 7, 6, 5, 4, 3, 2]),
        ("--damaging likelybad", [8, 7, 6, 5, 4, 3]),
        ("--damaging verylikelybad", [8, 7, 6, 5]),
        ("--damaging likelygood --damaging verylikelybad", [8, 7, 6, 5, 3, 2, 1]),
        ("--goodfaith likelygood", [1]),
        ("--goodfaith maybebad", [8, 7, 6, 5]),
        ("--goodfaith likelybad", [8, 7, 6, 5, 4, 3]),
        ("--damaging likelygood --goodfaith likelybad", [3]),
        ("--revertrisk", [7, 6, 5]),
        ("--hide-non-damaging", [8, 7, 5, 4]),
        ("--review", [8, 7, 6, 5, 4]),
        ("--no-review", [9, 3, 2, 1]),
        ("--unpatrolled", [9, 8, 7, 5, 4, 3, 2, 1]),
        ("--hide-bots", [9, 8, 6, 5, 4, 3, 2, 1]),
        ("--namespace 1", [8]),
        ("--namespace 1 --namespace 2", [9, 8]),
        ("--since 2026-01-01T12:00:07", [9, 8, 7]),
        ("--since 20260101120008", [9, 8]),
        ("--limit 2", [9, 8]),
        ("--before 20260101120003/3", [2, 1]),
    ],
)
def test_a_filter_lets_through_what_it_is_for(options: str, expected: list[int], run: Run) -> None:
    assert revisions(run, *options.split()) == expected


def test_a_list_begins_seven_days_ago(database: Database, run: Run) -> None:
    now = datetime.now(UTC)
    save_scored(database, *((an_edit(revision=days, timestamp=now - timedelta(days=days)), {}) for days in (6, 8)))

    result = run("recentchanges", "--wiki", "enwiki", "--csv")

    assert [line.split(",")[1] for line in result.stdout.splitlines()[1:]] == ["6"]


def test_a_duration_says_since_when(database: Database, run: Run) -> None:
    now = datetime.now(UTC)
    save_scored(database, *((an_edit(revision=hours, timestamp=now - timedelta(hours=hours)), {}) for hours in (1, 3)))

    assert revisions(run, "--since", "2h") == [1]


def test_the_pages_together_hold_every_change_exactly_once(database: Database, run: Run) -> None:
    # Several to a second, so that time alone could not tell where a page ends.
    moments = [an_edit().timestamp + timedelta(seconds=number // 4) for number in range(23)]
    edits = [an_edit(revision=number + 1, timestamp=moment) for number, moment in enumerate(moments)]
    save_scored(database, *((edit, {"damaging": 0.7}) for edit in edits))

    pages, following = [], shown(run, "--limit", 5)
    while following["next"]:
        pages.append(following)
        following = shown(run, "--limit", 5, "--before", following["next"])
    seen = [change["revision"] for page in [*pages, following] for change in page["changes"]]

    assert seen == list(range(23, 0, -1))


def test_the_end_of_a_full_page_names_the_next(database: Database, run: Run) -> None:
    scored_edits(database, {1: 0.7, 2: 0.7})

    result = run("recentchanges", "--wiki", "enwiki", "--since", "2026-01-01", "--limit", 2)

    assert f"--before {shown(run, '--limit', 2)['next']}" in result.stderr


def test_a_page_that_is_not_full_is_the_last(database: Database, run: Run) -> None:
    scored_edits(database, {1: 0.7})

    assert shown(run, "--limit", 2)["next"] is None
    assert run("recentchanges", "--wiki", "enwiki", "--since", "2026-01-01").stderr == ""


def said_of_nothing(run: Run, *options: object) -> str:
    result = run("recentchanges", "--wiki", "enwiki", *options)
    assert (result.exit_code, result.stdout) == (0, "")
    said: str = result.stderr
    return said


def test_nothing_found_says_what_the_newest_change_is(database: Database, run: Run) -> None:
    scored_edits(database, {1: 0.1, 2: 0.1})

    said = said_of_nothing(run, "--since", "2026-06-01")

    assert "no change since 2026-06-01 00:00:00 UTC matches" in said
    assert "the newest one of enwiki is from 2026-01-01 12:00:02 UTC; say --since 2026-01-01," in said


def test_a_page_after_the_last_one_says_that_no_older_change_matches(database: Database, run: Run) -> None:
    scored_edits(database, {1: 0.1})
    following = shown(run, "--limit", 1)["next"]

    assert "no older change matches" in said_of_nothing(run, "--since", "2026-01-01", "--before", following)


@pytest.mark.usefixtures("database")
def test_a_wiki_without_changes_says_so(run: Run) -> None:
    assert "enwiki has no changes yet" in said_of_nothing(run)


@pytest.mark.usefixtures("scene")
@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ("--wiki nowiki", "'nowiki' is no wiki of the settings"),
        ("--wiki enwiki --damaging bad", "no level 'bad' of damaging; there are: likelygood, maybebad, likelybad"),
        ("--wiki enwiki --goodfaith verylikelybad", "no level 'verylikelybad' of goodfaith"),
    ],
)
def test_what_can_not_be_done_is_told_in_a_sentence(options: str, sentence: str, run: Run) -> None:
    result = run("recentchanges", *options.split())

    assert (result.exit_code, result.stdout) == (1, "")
    assert sentence in result.stderr


@pytest.mark.parametrize(
    ("forms", "sentence"),
    [
        ("--csv --json", "--csv and --json can't be combined"),
        ("--sql --explain", "--sql and --explain can't be combined"),
        ("--sql --csv --json", "--csv and --sql and --json can't be combined"),
    ],
)
def test_two_forms_at_once_end_as_other_wrong_options_do(forms: str, sentence: str, run: Run) -> None:
    result = run("recentchanges", "--wiki", "enwiki", *forms.split())

    assert (result.exit_code, result.stdout) == (2, "")
    assert sentence in result.stderr


@pytest.mark.parametrize(
    ("option", "value", "sentence"),
    [
        ("--since", "yesterday", "is not a time"),
        ("--since", "2026-13-01", "is not a time"),
        ("--since", "99999999d", "is not a time"),
        ("--before", "20260101120003", "is not a place in the list"),
        ("--before", "20261301000000/1", "is not a place in the list"),
        ("--limit", "0", "greater than or equal to 1"),
        ("--limit", "501", "less than or equal to 500"),
        ("--namespace", "talk", "should be a valid integer"),
    ],
)
def test_a_malformed_option_is_refused(option: str, value: str, sentence: str, run: Run) -> None:
    result = run("recentchanges", "--wiki", "enwiki", option, value)

    assert result.exit_code == 2
    assert sentence in result.stderr


@pytest.mark.usefixtures("database")
def test_a_model_without_scores_is_no_filter_yet(run: Run) -> None:
    result = run("recentchanges", "--wiki", "enwiki", "--damaging", "likelybad")

    assert result.exit_code == 1
    assert "enwiki has no scores of damaging to filter by" in result.stderr


def test_changes_without_any_score_are_shown(database: Database, run: Run) -> None:
    save_scored(database, (an_edit(revision=1), {}))

    assert [change["probabilities"] for change in shown(run)["changes"]] == [{}]
