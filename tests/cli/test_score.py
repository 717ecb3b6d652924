"""`outpatrol score`: what is said where nothing can be had; the scores themselves are had in the acceptance tests."""

import pytest

from outbox.database import Database
from tests.cli.conftest import Run
from worker.scores.model_versions import model_ids


@pytest.fixture
def scored_before(wiki: Database) -> None:
    wiki.run(lambda session: model_ids(session, [("damaging", "0.5.1"), ("goodfaith", "0.5.1")], {}))


def test_a_wiki_that_has_scored_nothing_yet_says_so(wiki: Database, run: Run) -> None:
    result = run("score", "enwiki", 1)

    assert result.exit_code == 1
    assert "its version is not known" in result.stderr


@pytest.mark.usefixtures("scored_before")
def test_a_model_that_the_wiki_does_not_have_is_told_with_those_it_has(run: Run) -> None:
    result = run("score", "enwiki", 1, "--model", "nope")

    assert result.exit_code == 1
    assert "enwiki has no model 'nope'; there are damaging, goodfaith" in result.stderr.replace("\n", " ")


@pytest.mark.usefixtures("scored_before")
def test_a_redis_that_is_down_is_told_in_a_sentence(run: Run) -> None:
    result = run("score", "enwiki", 1)

    assert result.exit_code == 1
    assert "Redis does not answer" in result.stderr
    assert "Traceback" not in result.stderr


def test_a_revision_that_is_none_is_refused(run: Run) -> None:
    assert run("score", "enwiki", 0).exit_code == 2
