"""Calls that find a Lift Wing server by their Host header, as inside Wikimedia's network."""

import httpx
import pytest

from tests.emulators.scoring.asking import calls, instances, reply_to, server, with_endpoint
from worker.emulators.scoring.endpoint import EmulatorSettings

ROUTED = EmulatorSettings(host_routing=True)
ONE = {"rev_id": 1, "lang": "en"}


@pytest.mark.parametrize(
    ("name", "namespace", "body"),
    [
        ("enwiki-damaging", "revscoring-editquality-damaging", ONE),
        ("enwiki-goodfaith", "revscoring-editquality-goodfaith", ONE),
        ("glwiki-reverted", "revscoring-editquality-reverted", ONE),
        ("enwiki-articlequality", "revscoring-articlequality", ONE),
        ("wikidatawiki-itemquality", "revscoring-articlequality", ONE),
        ("enwiki-articletopic", "revscoring-articletopic", ONE),
        ("wikidatawiki-itemtopic", "revscoring-articletopic", ONE),
        ("enwiki-draftquality", "revscoring-draftquality", ONE),
        ("enwiki-drafttopic", "revscoring-drafttopic", ONE),
        ("revertrisk-language-agnostic", "revertrisk", ONE),
        ("revertrisk-multilingual", "revertrisk", ONE),
        ("revertrisk-wikidata", "revertrisk", ONE),
        ("articlequality", "article-models", ONE),
        ("outlink-topic-model", "articletopic-outlink", {"page_id": 1, "lang": "en"}),
    ],
)
def test_each_server_answers_to_its_own_host(name: str, namespace: str, body: object) -> None:
    reply = reply_to(server(name), body, ROUTED, host=f"{name}.{namespace}.wikimedia.org")
    assert reply.status_code == 200


def test_two_models_of_one_server_have_its_host() -> None:
    reply = reply_to(
        server("articlequality_v2"), instances(1), ROUTED, host="articlequality.article-models.wikimedia.org"
    )
    assert reply.status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        None,
        "enwiki-goodfaith.revscoring-editquality-goodfaith.wikimedia.org",
        "dewiki-damaging.revscoring-editquality-damaging.wikimedia.org",
        "enwiki-damaging.revscoring-articlequality.wikimedia.org",
    ],
)
def test_another_host_is_not_found(host: str | None) -> None:
    reply = reply_to(server("enwiki-damaging"), {"rev_id": 1}, ROUTED, host=host)
    assert (reply.status_code, reply.text) == (404, "")


@pytest.mark.parametrize("name", ["revertrisk-language-agnostic", "articlequality", "outlink-topic-model"])
def test_what_is_not_found_is_told_by_the_router_not_by_the_server(name: str) -> None:
    reply = reply_to(server(name), {}, ROUTED)
    assert (reply.status_code, reply.text) == (404, "")


@pytest.mark.parametrize(
    "host",
    [
        "enwiki-damaging.revscoring-editquality-damaging.wikimedia.org:30443",
        "Enwiki-Damaging.Revscoring-Editquality-Damaging.Wikimedia.org",
    ],
)
def test_neither_the_port_nor_capitals_in_a_host_matter(host: str) -> None:
    assert reply_to(server("enwiki-damaging"), {"rev_id": 1}, ROUTED, host=host).status_code == 200


def test_ores_needs_no_host() -> None:
    assert reply_to("/v3/scores/enwiki/1/damaging", settings=ROUTED).status_code == 200


def test_the_host_is_of_no_matter_unless_set_to() -> None:
    assert reply_to(server("enwiki-damaging"), {"rev_id": 1}, host="anything.example").status_code == 200


@pytest.mark.parametrize("path", ["/v3/scores", "/v3/scores/enwiki", "/v3/scores/enwiki/1/damaging"])
def test_the_log_keeps_the_host_and_the_user_agent_of_a_call(path: str) -> None:
    async def conversation(client: httpx.AsyncClient) -> None:
        await client.get(path, headers={"Host": "ores.example", "User-Agent": "Someone/1.0 (mail@example.org)"})
        (call,) = await calls(client)
        assert (call["host"], call["user_agent"]) == ("ores.example", "Someone/1.0 (mail@example.org)")

    with_endpoint(conversation)


def test_the_log_keeps_the_host_of_a_call_that_found_no_server() -> None:
    async def conversation(client: httpx.AsyncClient) -> None:
        await client.post(server("enwiki-damaging"), json={"rev_id": 1}, headers={"Host": "nowhere.example"})
        (call,) = await calls(client)
        assert (call["host"], call["status"]) == ("nowhere.example", 404)

    with_endpoint(conversation, ROUTED)
