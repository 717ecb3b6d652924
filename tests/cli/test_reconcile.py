"""`outpatrol reconcile`: an operator asks whether every edit was announced, and mends it."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import delete

from outbox import EDITS, Edit
from outbox.database import Database
from tests.builders import an_edit
from tests.cli.conftest import Run
from tests.worker.lines import claim_all, save
from tests.worker.watching.ledger import write


@pytest.fixture
def unannounced(wiki: Database) -> list[int]:
    """Of five edits of this hour and one of two days ago, the first three were announced; nothing is promised."""
    now = datetime.now(UTC)
    save(wiki, [an_edit(revision=6, timestamp=now - timedelta(days=2))])
    save(wiki, [an_edit(revision=number, timestamp=now) for number in range(1, 6)])
    write(wiki, 3)
    with wiki.transaction() as session:
        session.execute(delete(EDITS.messages))
    return [4, 5]


def promised(wiki: Database) -> list[int]:
    return sorted(Edit.decode(claim.payload).revision for claim in claim_all(wiki, EDITS))


def found(run: Run, *options: str) -> tuple[int, Sequence[int]]:
    document = json.loads(run("reconcile", "--json", *options).stdout)["enwiki"]
    return document["compared"], sorted(document["missing"])


def test_what_was_never_announced_is_told_and_promised_again(wiki: Database, run: Run, unannounced: list[int]) -> None:
    result = run("reconcile")

    assert result.exit_code == 0
    assert "enwiki: 5 edits compared, 2 were missing and are queued again" in result.stderr
    assert promised(wiki) == unannounced


def test_json_has_the_revisions(run: Run, unannounced: list[int]) -> None:
    assert found(run) == (5, unannounced)


def test_what_was_promised_again_is_missing_no_more(run: Run, unannounced: list[int]) -> None:
    run("reconcile")

    assert unannounced
    assert found(run) == (5, [])


def test_a_dry_run_promises_nothing(wiki: Database, run: Run, unannounced: list[int]) -> None:
    assert found(run, "--dry-run") == (5, unannounced)
    assert promised(wiki) == []


def test_how_far_back_can_be_told(run: Run, unannounced: list[int]) -> None:
    assert found(run, "--since", "3d", "--dry-run") == (6, [*unannounced, 6])


def test_further_than_the_ledger_reaches_nothing_can_be_told(wiki: Database, run: Run, unannounced: list[int]) -> None:
    result = run("reconcile", "--since", "8d")

    assert result.exit_code == 1
    assert "the ledger reaches back 7 days only; choose a shorter --since, or raise events.ledger_days" in result.stderr
    assert unannounced
    assert promised(wiki) == []


def test_as_far_as_the_ledger_reaches_all_can_be_told(run: Run, unannounced: list[int]) -> None:
    assert found(run, "--since", "7d") == (6, [*unannounced, 6])


def test_a_short_ledger_is_told_of_in_its_days(wiki: Database, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OUTPATROL_EVENTS__LEDGER_DAYS", "0.5")

    assert "reaches back 0.5 days only" in run("reconcile", "--since", "1d").stderr


def test_a_duration_that_is_none_is_refused(wiki: Database, run: Run) -> None:
    result = run("reconcile", "--since", "yesterday")

    assert result.exit_code == 2
    assert "is not a duration" in result.stderr


def test_a_wiki_that_is_not_configured_is_told_in_a_sentence(wiki: Database, run: Run) -> None:
    result = run("reconcile", "--wiki", "nowiki")

    assert result.exit_code == 1
    assert "'nowiki' is no wiki of the settings" in result.stderr
