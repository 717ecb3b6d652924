"""The page of an edit whose source told none: looked up, never made up, and waited for where that is set."""

import asyncio
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from sqlalchemy import delete

from outbox import EDITS, RetryLater, record
from outbox.database import Database, Engines
from tests.builders import a_claim, an_edit
from tests.migrations.real_wiki import make_real_wiki
from tests.worker.conftest import BuildServices
from tests.worker.lines import drain, promised_events, save, status
from worker.config.wiki import Wiki
from worker.domain.errors import EndpointUnavailable
from worker.domain.failures import Failure
from worker.scores.outcomes import without_waiting
from worker.scores.pages import WikiApis, with_pages
from worker.upkeep.migrating import migrate

MOST = 8
#: A revision that the wiki of `make_real_wiki` has, and its page there.
THEIRS, THEIR_PAGE = 745065890, 5
RISK = "revertrisklanguageagnostic"
WIKI = cast("Wiki", SimpleNamespace(id="enwiki"))


@dataclass(slots=True)
class Source:
    """Knows some pages, and remembers what it was asked."""

    known: Mapping[int, int]
    asked: list[set[int]] = field(default_factory=list)

    async def pages_of(self, _wiki: Wiki, revisions: Collection[int]) -> Mapping[int, int]:
        self.asked.append(set(revisions))
        return {revision: page for revision, page in self.known.items() if revision in revisions}


@pytest.fixture
def real_wiki(tmp_path: Path) -> Iterator[Database]:
    engines = Engines()
    database = engines.open("enwiki", f"sqlite:///{tmp_path}/enwiki.db")
    make_real_wiki(database)
    migrate(database)
    yield database
    engines.close()


def events_of(services_for: BuildServices, database: Database, **events: object) -> list[dict[str, object]]:
    url = database.url.render_as_string(hide_password=False)
    settings = {"prediction_streams": {RISK: "p"}} | events
    drain(services_for(database_url=url, models=[RISK], endpoint={"kind": "lift_wing"}, events=settings))
    return promised_events(database)


def test_a_source_is_asked_only_for_what_those_before_it_do_not_know() -> None:
    claims = {a_claim(message=number): an_edit(revision=number, page=None) for number in (1, 2, 3)}
    claims[a_claim(message=4)] = an_edit(revision=4, page=44)
    tables, elsewhere = Source({1: 11}), Source({2: 22})

    found = asyncio.run(with_pages(WIKI, claims, (tables, elsewhere)))

    assert [edit.page for edit in found.values()] == [11, 22, None, 44]
    assert (tables.asked, elsewhere.asked) == ([{1, 2, 3}], [{2, 3}])


@dataclass(slots=True)
class Api:
    """A wiki's API that knows one revision, or does not answer."""

    answers: bool = True

    async def pages_of_revisions(self, revisions: Collection[int]) -> Mapping[int, int]:
        if not self.answers:
            raise EndpointUnavailable("GET https://en.wikipedia.org/w/api.php: status 503", Failure.OUTAGE)
        return {revision: 77 for revision in revisions if revision == 7}


@pytest.mark.parametrize(
    ("apis", "found"),
    [({"enwiki": Api()}, {7: 77}), ({"enwiki": Api(answers=False)}, {}), ({"frwiki": Api()}, {}), ({}, {})],
)
def test_a_wikis_api_is_asked_where_its_address_is_set_and_its_silence_is_no_answer(
    apis: Mapping[str, Api], found: dict[int, int]
) -> None:
    assert asyncio.run(WikiApis(apis).pages_of(WIKI, [7, 8])) == found


def test_nobody_is_asked_where_all_pages_were_told() -> None:
    source = Source({})

    asyncio.run(with_pages(WIKI, {a_claim(): an_edit()}, (source,)))

    assert source.asked == []


@pytest.mark.parametrize(
    ("page", "attempt", "waits", "is_tried_later"),
    [
        (None, 1, True, True),
        (None, MOST - 1, True, True),
        (None, MOST, True, False),
        (None, MOST + 3, True, False),
        (None, 1, False, False),
        (7, 1, True, False),
    ],
)
def test_an_edit_waits_for_its_page_where_that_is_set_and_not_for_ever(
    page: int | None, attempt: int, waits: bool, is_tried_later: bool
) -> None:
    claim = a_claim(attempt=attempt)

    edits, outcomes = without_waiting({claim: an_edit(page=page)}, MOST, waits=waits)

    assert (claim in edits, isinstance(outcomes.get(claim), RetryLater)) == (not is_tried_later, is_tried_later)


def test_a_wiki_that_exists_knows_the_page_of_its_revision(services_for: BuildServices, real_wiki: Database) -> None:
    with real_wiki.transaction() as session:
        record(session, an_edit(revision=THEIRS, page=None, parent_revision=3))

    score, prediction = events_of(services_for, real_wiki)

    assert (score["page_id"], prediction["page"]) == (
        THEIR_PAGE,
        {"page_id": THEIR_PAGE, "page_title": f"Page_{THEIRS}", "namespace_id": 0},
    )


def test_where_nobody_knows_the_page_only_what_needs_none_is_announced(
    services_for: BuildServices, real_wiki: Database
) -> None:
    with real_wiki.transaction() as session:
        record(session, an_edit(revision=4711, page=None, parent_revision=3))

    (event,) = events_of(services_for, real_wiki)

    assert event["rev_id"] == 4711
    assert "page_id" not in event


def test_a_number_that_an_emulated_wiki_made_up_is_not_announced(
    services_for: BuildServices, database: Database
) -> None:
    save(database, [an_edit(revision=7, page=None), an_edit(revision=8, page=4)])
    with database.transaction() as session:
        session.execute(delete(EDITS.messages))
        record(session, an_edit(revision=7, page=None), an_edit(revision=8, page=None))

    events = events_of(services_for, database, prediction_streams={})

    assert {event["rev_id"]: event.get("page_id") for event in events} == {7: None, 8: 4}


def test_an_edit_that_waits_for_its_page_is_neither_scored_nor_announced(
    services_for: BuildServices, real_wiki: Database
) -> None:
    with real_wiki.transaction() as session:
        record(session, an_edit(revision=4711, page=None), an_edit(revision=4712, page=12))

    events = events_of(services_for, real_wiki, waits_for_page_ids=True, prediction_streams={})

    assert [event["rev_id"] for event in events] == [4712]
    assert status(real_wiki, EDITS).waiting == 1
