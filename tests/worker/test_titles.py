"""Titles that were read from a wiki's tables: the wiki's own names of namespaces are looked up, or left out."""

import asyncio
import dataclasses
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from types import SimpleNamespace
from typing import cast

import pytest
from structlog.testing import capture_logs

from outbox import Edit, record
from outbox.database import Database
from tests.builders import a_claim, an_edit, some_settings
from tests.emulated_wiki import emulated_wiki
from tests.worker.lines import claim_edits, consumer_of_edits, promised_events
from worker.bootstrap import Services, build_services
from worker.config.wiki import Wiki
from worker.domain.errors import EndpointUnavailable
from worker.domain.failures import Failure
from worker.scores.titles import KNOWN_SECONDS, UNKNOWN_SECONDS, Namespaces, with_titles

WIKI = cast("Wiki", SimpleNamespace(id="dewiki"))
GERMAN = {0: "", 1: "Diskussion", 3: "Benutzer Diskussion"}


@dataclass(slots=True)
class Api:
    """Names German namespaces, or does not answer."""

    answers: bool = True
    asked: int = 0

    async def namespaces(self) -> Mapping[int, str]:
        self.asked += 1
        if not self.answers:
            raise EndpointUnavailable("GET https://de.wikipedia.org/w/api.php: status 503", Failure.OUTAGE)
        return GERMAN


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def read(namespace: int, title: str) -> Edit:
    """An edit as the tables tell it."""
    return an_edit(namespace=namespace, title=title, is_namespace_in_english=namespace != 0 or None)


def titled(edit: Edit, api: Api | None) -> tuple[str, bool | None]:
    namespaces = Namespaces({"dewiki": api} if api else {})
    (found,) = asyncio.run(with_titles(WIKI, {a_claim(): edit}, namespaces)).values()
    return found.title, found.is_namespace_in_english


def test_a_title_gets_the_wikis_own_name_of_its_namespace() -> None:
    assert titled(read(3, "User talk:A: B"), Api()) == ("Benutzer Diskussion:A: B", None)


@pytest.mark.parametrize(
    ("edit", "api"),
    [
        (read(3, "User talk:A"), None),
        (read(3, "User talk:A"), Api(answers=False)),
        (read(100, "100:A"), Api()),
    ],
)
def test_a_namespace_whose_name_is_not_known_stays_marked(edit: Edit, api: Api | None) -> None:
    assert titled(edit, api) == (edit.title, True)


@pytest.mark.parametrize("edit", [read(0, "A"), an_edit(namespace=3, title="Benutzer Diskussion:A")])
def test_other_titles_are_left_as_they_are(edit: Edit) -> None:
    assert titled(edit, Api()) == (edit.title, None)


@pytest.mark.parametrize(("answers", "seconds"), [(True, KNOWN_SECONDS), (False, UNKNOWN_SECONDS)])
def test_a_wiki_is_not_asked_again_for_a_while(answers: bool, seconds: float) -> None:
    api, clock = Api(answers), Clock()
    namespaces = Namespaces({"dewiki": api}, clock)
    for _ in range(3):
        asyncio.run(namespaces.of(WIKI))
    assert api.asked == 1

    clock.now += seconds
    asyncio.run(namespaces.of(WIKI))

    assert api.asked == 2


def test_what_was_known_once_is_used_while_the_wiki_does_not_answer() -> None:
    api, clock = Api(), Clock()
    namespaces = Namespaces({"dewiki": api}, clock)
    asyncio.run(namespaces.of(WIKI))
    api.answers = False
    clock.now += KNOWN_SECONDS

    with capture_logs() as logs:
        found = asyncio.run(namespaces.of(WIKI))

    assert found == GERMAN
    assert [line["event"] for line in logs] == ["namespaces_unavailable"]


def test_an_event_outside_the_main_namespace_has_the_title_that_the_wiki_knows(
    services: Services, database: Database
) -> None:
    wiki = services.wiki("enwiki")
    with database.transaction() as connection:
        record(connection, read(0, "A"), read(1, "Talk:A").model_copy(update={"revision": 7}))
    consumer = dataclasses.replace(consumer_of_edits(services), namespaces=Namespaces({"enwiki": Api()}))

    services.runner.run(consumer.score_edits(wiki, claim_edits(wiki)))

    assert [event["page_title"] for event in promised_events(database)] == ["A", "Diskussion:A"]


def test_the_wikis_own_api_is_asked_where_its_address_is_set() -> None:
    with emulated_wiki() as api:
        settings = some_settings(endpoint={"contact": "admin@example.org"})
        enwiki = settings.wikis["enwiki"].model_copy(update={"api_url": api.url})
        with closing(build_services(settings.model_copy(update={"wikis": {"enwiki": enwiki}}))) as services:
            consumer = consumer_of_edits(services)

            names = services.runner.run(consumer.namespaces.of(services.wiki("enwiki")))

    assert names[3] == "User talk"
