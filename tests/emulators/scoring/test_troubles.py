"""Faults of the emulated endpoint that some wikis and some models have, and the others have not."""

import asyncio
from typing import Any

import httpx
import pytest

from tests.emulators.scoring.asking import ENDLESS_MS, in_flight, reply_to, server, with_endpoint
from worker.emulators.scoring.endpoint import EmulatorSettings

FAILS = {"failures": {"rate": 1, "status": 500}}


def troubled(*troubles: dict[str, Any], **more: Any) -> EmulatorSettings:
    return EmulatorSettings.model_validate({"troubles": troubles, **more})


def ores(wiki: str, models: str, settings: EmulatorSettings) -> int:
    return reply_to(f"/v3/scores/{wiki}/?revids=1&models={models}", settings=settings).status_code


@pytest.mark.parametrize(("wiki", "status"), [("enwiki", 500), ("frwiki", 500), ("dewiki", 200)])
def test_a_trouble_of_some_wikis_is_that_of_no_other(wiki: str, status: int) -> None:
    assert ores(wiki, "damaging", troubled({"wikis": ["enwiki", "frwiki"], **FAILS})) == status


@pytest.mark.parametrize(("models", "status"), [("damaging", 500), ("goodfaith|damaging", 500), ("goodfaith", 200)])
def test_a_trouble_of_a_model_is_that_of_calls_that_ask_for_it(models: str, status: int) -> None:
    assert ores("enwiki", models, troubled({"models": ["damaging"], **FAILS})) == status


@pytest.mark.parametrize(
    ("name", "status"), [("enwiki-damaging", 500), ("enwiki-goodfaith", 200), ("frwiki-damaging", 200)]
)
def test_a_lift_wing_server_is_one_model_of_one_wiki(name: str, status: int) -> None:
    settings = troubled({"wikis": ["enwiki"], "models": ["damaging"], **FAILS})
    assert reply_to(server(name), {"rev_id": 1}, settings).status_code == status


def test_the_first_trouble_that_concerns_a_call_holds_and_what_it_does_not_say_is_as_for_others() -> None:
    settings = troubled({"wikis": ["enwiki"], "latency_ms": 1}, {"models": ["damaging"], **FAILS})
    assert ores("enwiki", "damaging", settings) == 200
    assert ores("frwiki", "damaging", settings) == 500
    assert ores("enwiki", "damaging", troubled({"wikis": ["enwiki"], "latency_ms": 1}, **FAILS)) == 500


def test_a_wiki_whose_calls_hang_holds_up_no_other_and_they_go_on_when_the_settings_change() -> None:
    async def conversation(client: httpx.AsyncClient) -> None:
        hanging = asyncio.create_task(client.get("/v3/scores/enwiki/1/damaging"))
        await in_flight(client, 1)
        assert (await client.get("/v3/scores/frwiki/1/damaging")).status_code == 200
        assert not hanging.done()
        await client.patch("/_emulator/settings", json={"troubles": None})
        assert (await hanging).status_code == 200

    with_endpoint(conversation, troubled({"wikis": ["enwiki"], "latency_ms": ENDLESS_MS}))


def test_model_information_has_no_troubles() -> None:
    settings = troubled({"wikis": ["enwiki"], **FAILS})
    assert reply_to("/v3/scores/enwiki/?models=damaging", settings=settings).status_code == 200
