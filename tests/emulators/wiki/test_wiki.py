"""The emulated wiki answers as MediaWiki does: its pages, its errors of status 200, and those of its REST API."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tests.emulators.conversations import refusal_of, with_app
from worker.emulators.wiki.endpoint import EmulatedWikiSettings, make_app

PAGES = [
    {"title": "Earth", "page_id": 9228, "revisions": [10, 20]},
    {"title": "User talk:Me", "page_id": 7, "revisions": [15]},
    {"title": "AC/DC", "page_id": 8, "revisions": [16]},
]


def asked(path: str, params: dict[str, str] | None = None, **settings: Any) -> httpx.Response:
    """The reply of a wiki with those pages to one call."""
    replies: list[httpx.Response] = []

    async def conversation(client: httpx.AsyncClient) -> None:
        await client.post("/_emulator/pages", json=PAGES)
        replies.append(await client.get(path, params=params))

    with_app(make_app(EmulatedWikiSettings(**settings)), conversation)
    return replies[0]


def queried(params: dict[str, str], **settings: Any) -> httpx.Response:
    always = {"action": "query", "format": "json", "formatversion": "2"}
    return asked("/w/api.php", {**always, **params}, **settings)


def test_titles_come_with_their_pages_or_without_one() -> None:
    titles = "\x1fearth\x1fUser_talk:Me\x1fMars\x1fSpecial:Log\x1fA|B"

    assert queried({"prop": "info", "titles": titles}).json() == {
        "batchcomplete": True,
        "query": {
            "normalized": [
                {"fromencoded": False, "from": "earth", "to": "Earth"},
                {"fromencoded": False, "from": "User_talk:Me", "to": "User talk:Me"},
            ],
            "pages": [
                {"pageid": 9228, "ns": 0, "title": "Earth", "contentmodel": "wikitext", "lastrevid": 20},
                {"pageid": 7, "ns": 3, "title": "User talk:Me", "contentmodel": "wikitext", "lastrevid": 15},
                {"ns": 0, "title": "Mars", "missing": True},
                {"ns": -1, "title": "Special:Log", "special": True},
                {
                    "title": "A|B",
                    "invalidreason": "The requested page title contains invalid characters.",
                    "invalid": True,
                },
            ],
        },
    }


def test_revisions_come_under_their_pages_and_bad_ones_apart() -> None:
    assert queried({"prop": "revisions", "rvprop": "ids", "revids": "20|10|99"}).json()["query"] == {
        "badrevids": {"99": {"revid": 99, "missing": True}},
        "pages": [
            {
                "pageid": 9228,
                "ns": 0,
                "title": "Earth",
                "revisions": [{"revid": 20, "parentid": 10}, {"revid": 10, "parentid": 0}],
            }
        ],
    }


@pytest.mark.parametrize(
    ("params", "settings", "code"),
    [
        ({"titles": "A", "maxlag": "5"}, {"lag": 6.2}, "maxlag"),
        ({"titles": "|".join(map(str, range(51)))}, {}, "toomanyvalues"),
        ({"revids": "one"}, {}, "badinteger"),
        ({"titles": "A"}, {"error_code": "ratelimited"}, "ratelimited"),
        ({"titles": "A", "action": "dance"}, {}, "badvalue"),
        ({"titles": "A", "formatversion": "1"}, {}, "badvalue"),
    ],
)
def test_errors_of_the_action_api_have_status_200(params: dict[str, str], settings: dict[str, Any], code: str) -> None:
    reply = queried(params, **settings)

    assert (reply.status_code, reply.json()["error"]["code"]) == (200, code)
    assert reply.headers["MediaWiki-API-Error"] == code
    assert reply.json()["error"]["info"]


def test_a_wiki_that_lags_says_when_to_come_back() -> None:
    reply = queried({"titles": "A", "maxlag": "7"}, lag=8)

    assert (reply.headers["Retry-After"], reply.headers["X-Database-Lag"]) == ("7", "8")
    assert queried({"titles": "A", "maxlag": "8"}, lag=8).headers.get("Retry-After") is None


def test_the_rest_api_tells_of_a_page() -> None:
    reply = asked("/w/rest.php/v1/page/AC%2FDC/bare").json()

    assert (reply["id"], reply["key"], reply["latest"]["id"]) == (8, "AC/DC", 16)


@pytest.mark.parametrize(
    ("path", "key"),
    [("/w/rest.php/v1/page/Mars/bare", "rest-nonexistent-title"), ("/w/rest.php/v1/planet/Mars", "rest-no-match")],
)
def test_errors_of_the_rest_api_have_a_key_and_a_status(path: str, key: str) -> None:
    reply = asked(path)

    assert (reply.status_code, reply.json()["errorKey"], reply.json()["httpCode"]) == (404, key, 404)
    assert reply.json()["messageTranslations"]["en"]


def test_another_spelling_is_redirected_to_the_right_one() -> None:
    reply = asked("/w/rest.php/v1/page/earth")

    assert (reply.status_code, reply.headers["Location"]) == (301, "/w/rest.php/v1/page/Earth")


@pytest.mark.parametrize("path", ["/w/api.php", "/w/rest.php/v1/page/Earth"])
def test_who_does_not_say_who_it_is_is_refused(path: str) -> None:
    async def conversation(client: httpx.AsyncClient) -> None:
        reply = await client.get(path, headers={"User-Agent": ""})
        assert (reply.status_code, "user-agent" in reply.text) == (403, True)

    with_app(make_app(EmulatedWikiSettings()), conversation)


@pytest.mark.parametrize("make", [lambda: refusal_of('{"lag": -1}', "lag"), lambda: refusal_of('{"x": 1}', "x")])
def test_settings_that_make_no_sense_are_refused(make: Callable[[], Any]) -> None:
    with_app(make_app(EmulatedWikiSettings()), make())
