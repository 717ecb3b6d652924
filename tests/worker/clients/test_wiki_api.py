"""A wiki's own API: what is looked up in it, and what becomes of its refusals."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing, contextmanager, suppress
from typing import Any, TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from tests.builders import some_settings
from tests.emulated_wiki import EmulatedWiki, emulated_wiki
from tests.patience import PATIENCE_SECONDS, until
from tests.worker.asking import ids
from tests.worker.clients.shapes import right
from tests.worker.raw_server import RawReply, http, raw_server_beside
from worker.bootstrap import build_services
from worker.config.settings_sections import EndpointSettings
from worker.demo.processes import free_port
from worker.domain.errors import EndpointUnavailable
from worker.domain.failures import Failure
from worker.domain.scores import NoAnswer, Score, ScoreError
from worker.endpoints.client import Endpoint
from worker.endpoints.limits import Grant, Report
from worker.endpoints.pacer import Pacer
from worker.endpoints.tries import TRIES_TO_OPEN
from worker.endpoints.wiki_api import MOST_BYTES, MOST_VALUES, WikiApi, batches_of_titles, cure_of_api
from worker.lanes.loops import HttpLoop
from worker.settings import Settings, describe

Result = TypeVar("Result")


class Watched:
    """Limits that nothing reaches, and all that was reported to them."""

    def __init__(self) -> None:
        self.reports: list[Report] = []

    def together(self, report: Report, *, in_flight: int, waiting: int, want: int) -> Grant:
        self.reports.append(report)
        return Grant(starts=want, places=in_flight + waiting, share=10_000, rate=1e6, members=1)

    def are_held_by_others(self) -> bool:
        return False

    def alone(self, report: Report, *, in_flight: int, waiting: int, want: int) -> Grant:
        return self.together(report, in_flight=in_flight, waiting=waiting, want=want)


@contextmanager
def an_api(url: str, limits: Watched | None = None, **settings: Any) -> Iterator[WikiApi]:
    loop = HttpLoop()

    async def made() -> WikiApi:
        pacer = Pacer(url, limits or Watched(), patience=PATIENCE_SECONDS)
        endpoint = Endpoint(
            EndpointSettings(url=url, **settings),
            pacer,
            setting="wikis.enwiki.api_url",
            cures=cure_of_api,
            asks_for_scores=False,
        )
        return WikiApi(endpoint, "enwiki", loop, maxlag=5)

    api = loop.run(made())
    try:
        yield api
    finally:
        asyncio.run(api.close())
        loop.close()


@pytest.fixture
def wiki() -> Iterator[EmulatedWiki]:
    with emulated_wiki() as wiki:
        yield wiki


@pytest.fixture
def api(wiki: EmulatedWiki) -> Iterator[WikiApi]:
    with an_api(wiki.url) as api:
        yield api


def failure_of(call: Callable[[WikiApi], Awaitable[object]], reply: RawReply, **settings: Any) -> EndpointUnavailable:
    async def calling(api: WikiApi) -> object:
        return await call(api)

    with (
        raw_server_beside(lambda _: reply) as server,
        an_api(server.url, **settings) as api,
        pytest.raises(EndpointUnavailable) as caught,
    ):
        asyncio.run(calling(api))
    return caught.value


def test_pages_are_found_by_titles_however_they_are_spelt(wiki: EmulatedWiki, api: WikiApi) -> None:
    wiki.has("Earth", 9228, [1])
    wiki.has("User talk:Me", 7, [2])
    wiki.has("Café", 5, [3])
    titles = ["Earth", "earth", "User_talk:Me", "Cafe\u0301", "Mars", "Special:Log", "A|B", "", "half \ud800"]

    found = asyncio.run(api.pages_of_titles(titles))

    assert found == {"Earth": 9228, "earth": 9228, "User_talk:Me": 7, "Cafe\u0301": 5}


def test_pages_are_found_by_revisions(wiki: EmulatedWiki, api: WikiApi) -> None:
    wiki.has("Earth", 9228, [1, 3])
    wiki.has("Mars", 8, [2])

    assert asyncio.run(api.pages_of_revisions([1, 2, 3, 99, 0])) == {1: 9228, 2: 8, 3: 9228}


def test_revisions_of_which_none_exists_have_no_pages(wiki: EmulatedWiki, api: WikiApi) -> None:
    assert asyncio.run(api.pages_of_revisions([99])) == {}


def test_nothing_is_asked_for_nothing(wiki: EmulatedWiki, api: WikiApi) -> None:
    assert asyncio.run(api.pages_of_titles(["<>", " "])) == {}
    assert asyncio.run(api.pages_of_revisions([])) == {}
    assert wiki.calls() == []


def test_many_are_asked_for_in_several_requests(wiki: EmulatedWiki, api: WikiApi) -> None:
    for number in range(1, 121):
        wiki.has(f"Page {number}", number, [1000 + number])

    by_title = asyncio.run(api.pages_of_titles([f"Page {number}" for number in range(1, 121)]))
    by_revision = asyncio.run(api.pages_of_revisions(range(1001, 1121)))

    assert sorted(by_title.values()) == sorted(by_revision.values()) == list(range(1, 121))
    assert len(wiki.calls()) == 6


def test_a_call_says_who_asks_and_that_it_can_wait(wiki: EmulatedWiki, api: WikiApi) -> None:
    asyncio.run(api.pages_of_titles(["Earth"]))

    (call,) = wiki.calls()
    assert call["user_agent"].startswith("Outpatrol/")
    assert call["params"]["maxlag"] == "5"


def test_the_rest_api_tells_of_a_page_and_of_none(wiki: EmulatedWiki, api: WikiApi) -> None:
    wiki.has("AC/DC live", 8, [16])

    page, none = (asyncio.run(api.page(title)) for title in ("AC/DC live", "Mars"))

    assert page is not None
    assert (page.id, page.key, page.latest.id) == (8, "AC/DC_live", 16)
    assert none is None


@pytest.mark.parametrize(
    ("settings", "failure"),
    [
        ({"lag": 60}, Failure.THROTTLED),
        ({"error_code": "ratelimited"}, Failure.THROTTLED),
        ({"error_code": "readonly"}, Failure.OUTAGE),
        ({"error_code": "internal_api_error_DBQueryError"}, Failure.TRANSIENT),
        ({"error_code": "readapidenied"}, Failure.REFUSED),
        ({"failures": {"rate": 1, "status": 503}}, Failure.OUTAGE),
        ({"failures": {"rate": 1, "status": 429, "retry_after": "9"}}, Failure.THROTTLED),
    ],
)
def test_only_being_throttled_lowers_the_limits_of_that_wiki_also_where_its_status_is_200(
    wiki: EmulatedWiki, settings: dict[str, Any], failure: Failure
) -> None:
    wiki.set(**settings)
    limits = Watched()

    def is_told() -> bool:
        return sum(sent.throttled for sent in limits.reports) == int(failure is Failure.THROTTLED)

    with an_api(wiki.url, limits) as api:
        with pytest.raises(EndpointUnavailable) as caught:
            asyncio.run(api.pages_of_titles(["Earth"]))
        until(is_told, "what the limits are told")

    assert caught.value.failure is failure
    assert wiki.url in str(caught.value)
    assert sum(sent.served for sent in limits.reports) == 0


def test_a_wiki_that_lags_is_let_be_for_as_long_as_it_says(wiki: EmulatedWiki, api: WikiApi) -> None:
    wiki.set(lag=60)

    with pytest.raises(EndpointUnavailable, match="maxlag: Waiting for") as caught:
        asyncio.run(api.pages_of_titles(["Earth"]))

    assert caught.value.retry_after == 5


@pytest.mark.parametrize(
    ("reply", "says"),
    [
        (http(403, b"no"), "set endpoint.contact"),
        (http(404, b"nothing here"), "correct wikis.enwiki.api_url"),
        (http(200, b"<html>log in</html>"), "correct wikis.enwiki.api_url"),
        (http(301, b""), "it leads nowhere; correct wikis.enwiki.api_url"),
        (http(200, b'{"query": {"pages": 7}}'), "not the reply that was asked for"),
        (http(200, b'{"error": {"code": "assertuserfailed", "info": "You are not logged in."}}'), "assertuserfailed"),
    ],
)
def test_what_is_no_answer_is_told_with_what_to_correct(reply: bytes, says: str) -> None:
    assert says in str(failure_of(lambda api: api.pages_of_titles(["Earth"]), reply))


def test_a_path_that_nobody_handles_is_no_missing_page() -> None:
    body = {
        "errorKey": "rest-no-match",
        "messageTranslations": {"en": "The requested relative path did not match any known handler"},
        "httpCode": 404,
    }

    error = failure_of(lambda api: api.page("Earth"), http(404, json.dumps(body).encode()))

    assert "rest-no-match: The requested relative path did not match" in str(error)


NO_PAGE = {"errorKey": "rest-nonexistent-title", "messageTranslations": {"en": "no page"}, "httpCode": 404}
NO_PATH = {"errorKey": "rest-no-match", "messageTranslations": {"en": "no handler"}, "httpCode": 404}


@pytest.mark.parametrize(
    ("reply", "refusals"),
    [
        (http(403, b"no"), 1),
        (http(301, b""), 1),
        (http(404, b"nothing here"), 1),
        (http(404, json.dumps(NO_PATH).encode()), 1),
        (http(404, json.dumps(NO_PAGE).encode()), 0),
        (http(503, b""), 0),
    ],
)
def test_a_refusal_is_told_for_an_alarm_and_a_page_that_is_missing_is_none(reply: bytes, refusals: int) -> None:
    limits = Watched()

    def refused() -> list[str]:
        return [report.refusal for report in limits.reports if report.refusal]

    with raw_server_beside(lambda _: reply) as server, an_api(server.url, limits) as api:
        with suppress(EndpointUnavailable):
            asyncio.run(api.page("Earth"))
        # Of a request that is slow to begin or to end there is more than one report.
        until(lambda: len(limits.reports) >= 2 and len(refused()) >= refusals, "the report of the request")

    assert len(refused()) == refusals
    assert all(sentence.startswith(f"GET {server.url}/rest.php/v1/page/Earth/bare: status ") for sentence in refused())


@pytest.mark.parametrize(
    "reply",
    [http(503, b""), http(500, b""), http(200, b'{"query": {"pages": 7}}'), None],
    ids=["503", "500", "no answer", "nobody there"],
)
def test_a_wiki_that_serves_nobody_is_told_for_an_alarm(reply: bytes | None) -> None:
    limits = Watched()

    def outages() -> list[str]:
        return [report.outage for report in limits.reports if report.outage]

    def ask(url: str) -> None:
        with an_api(url, limits) as api:
            for _ in range(TRIES_TO_OPEN):
                assert outages() == []
                with pytest.raises(EndpointUnavailable):
                    asyncio.run(api.pages_of_titles(["Earth"]))
            until(lambda: bool(outages()), "an outage that is told")

    if reply is None:
        ask(f"http://127.0.0.1:{free_port()}")
    else:
        with raw_server_beside(lambda _: reply) as server:
            ask(server.url)


def test_a_wiki_that_says_nothing_ends_with_the_time_of_one_request() -> None:
    error = failure_of(lambda api: api.pages_of_titles(["Earth"]), None, timeout_seconds=0.1)

    assert (error.failure, "no reply within 0.1 s" in str(error)) == (Failure.LATE, True)


@given(st.lists(st.text(max_size=300)))
def test_batches_hold_every_title_once_and_are_never_too_large(titles: list[str]) -> None:
    batches = list(batches_of_titles(titles))

    assert all(1 <= len(batch) <= MOST_VALUES for batch in batches)
    assert all(sum(len(title.encode()) for title in batch) <= MOST_BYTES for batch in batches)
    held = [title for batch in batches for title in batch]
    assert len(held) == len(set(held))
    assert set(held) <= set(titles)
    assert {title for title in titles if title.isalnum() and title.isascii()} <= set(held)


def test_services_have_the_apis_of_the_wikis_that_set_one(wiki: EmulatedWiki) -> None:
    wiki.has("Earth", 9228, [1])
    settings = some_settings(wikis=("enwiki", "frwiki"), endpoint={"contact": "admin@example.org"})
    wikis = {name: each.model_copy(update={"api_url": wiki.url}) for name, each in settings.wikis.items()}
    settings = settings.model_copy(update={"wikis": wikis | {"frwiki": settings.wikis["frwiki"]}})

    with closing(build_services(settings, send=lambda *_: None)) as services:
        assert list(services.wiki_apis) == ["enwiki"]
        assert services.runner.run(services.wiki_apis["enwiki"].pages_of_titles(["Earth"])) == {"Earth": 9228}

    assert "admin@example.org" in wiki.calls()[0]["user_agent"]


@pytest.mark.parametrize(("changes", "seven", "eight"), [({}, Score, ScoreError), ({"lag": 60}, NoAnswer, NoAnswer)])
def test_a_model_of_pages_is_asked_with_the_pages_that_the_wikis_api_tells(
    wiki: EmulatedWiki, changes: dict[str, Any], seven: type, eight: type
) -> None:
    wiki.has("Earth", 42, [7])
    wiki.set(**changes)
    with raw_server_beside(right) as lift_wing:
        settings = some_settings(
            scoring_url=lift_wing.url,
            endpoint={"kind": "lift_wing", "contact": "a@example.org"},
            models=["outlinktopic"],
        )
        enwiki = settings.wikis["enwiki"].model_copy(update={"api_url": wiki.url})
        settings = settings.model_copy(update={"wikis": {"enwiki": enwiki}})
        with closing(build_services(settings, send=lambda *_: None)) as services:
            found = services.runner.run(services.client.score(ids([7, 8], ["outlinktopic"])))

    assert {score_id.revision: type(answer) for score_id, answer in found.items()} == {7: seven, 8: eight}
    asked = [json.loads(request.body) for request in lift_wing.requests]
    assert [each["page_id"] for each in asked] == ([] if changes else [42])


def problem_of(url: str, **endpoint: str) -> str:
    """What is wrong with settings in which enwiki has that `api_url`."""
    wikis = {"enwiki": {"database_url": "sqlite:///enwiki.db", "api_url": url}}
    with pytest.raises(ValidationError) as caught:
        Settings.model_validate({"endpoint": {"url": "http://127.0.0.1:1", **endpoint}, "wikis": wikis})
    return describe(caught.value)


@pytest.mark.parametrize(
    "url", ["https://en.wikipedia.org/w/api.php?x=1", "https://me:secret@wiki.example/w", "ftp://a"]
)
def test_an_address_that_is_none_of_an_api_is_refused(url: str) -> None:
    sentence = problem_of(url, contact="a@example.org")

    assert "wikis.enwiki.api_url" in sentence
    assert "secret" not in sentence


def test_wikimedia_is_told_whom_to_ask() -> None:
    sentence = problem_of("https://en.wikipedia.org/w")

    assert "wikis.enwiki.api_url: Wikimedia requires a contact; set endpoint.contact" in sentence


@pytest.mark.parametrize("end", ["", "/", "/api.php", "/rest.php"])
def test_the_file_behind_the_script_path_may_be_named(end: str) -> None:
    settings = some_settings()
    section = type(settings.wikis["enwiki"]).model_validate(
        {"database_url": "sqlite://", "domain": "a.example", "api_url": f"https://a.example/w{end}"}
    )

    assert section.api_url == "https://a.example/w"


def test_the_names_of_namespaces_are_those_that_the_wiki_has_for_its_numbers(wiki: EmulatedWiki) -> None:
    wiki.set(namespaces={"Talk": None, "User talk": None, "Diskussion": 1, "Benutzer Diskussion": 3})

    with an_api(wiki.url) as api:
        found = asyncio.run(api.namespaces())

    assert found == {-1: "Special", 0: "", 1: "Diskussion", 2: "User", 3: "Benutzer Diskussion", 6: "File"}


def test_namespaces_are_read_as_a_mediawiki_tells_them() -> None:
    # From a MediaWiki 1.39.17; the fourth namespace is called as the wiki is.
    body = (
        b'{"batchcomplete":true,"query":{"namespaces":{"-1":{"id":-1,"case":"first-letter","name":"Special",'
        b'"subpages":false,"canonical":"Special","content":false,"nonincludable":false},"0":{"id":0,"case":'
        b'"first-letter","name":"","subpages":false,"content":true,"nonincludable":false},"4":{"id":4,"case":'
        b'"first-letter","name":"Test","subpages":true,"canonical":"Project","content":false,"nonincludable":false}}}}'
    )
    with raw_server_beside(lambda _: http(200, body)) as server, an_api(server.url) as api:
        assert asyncio.run(api.namespaces()) == {-1: "Special", 0: "", 4: "Test"}
