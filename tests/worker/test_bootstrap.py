"""Putting the parts together."""

from collections.abc import Iterable
from contextlib import ExitStack
from typing import Any

import pytest

from tests.builders import some_settings
from worker import bootstrap
from worker.app import configuration
from worker.bootstrap import build_services
from worker.domain.errors import SettingsInvalid
from worker.endpoints.pacer import Pacer
from worker.events.kinds import EVENT_LANES, SINKS
from worker.lanes.rings import POLL, QUEUE_OF


def test_building_services_connects_to_nothing() -> None:
    services = build_services(
        some_settings(database_url="mariadb+pymysql://nobody:hunter2@127.0.0.1:1/{wiki}", wikis=["enwiki", "frwiki"])
    )
    services.close()

    assert set(services.wikis) == {"enwiki", "frwiki"}


def test_wikis_on_one_server_share_an_engine_of_their_own_tables() -> None:
    services = build_services(
        some_settings(database_url="mariadb+pymysql://nobody@127.0.0.1:1/{wiki}", wikis=["a", "b"])
    )
    services.close()

    assert services.wiki("a").database.engine.pool is services.wiki("b").database.engine.pool


def test_a_wiki_that_is_not_configured_is_named_with_the_cure() -> None:
    services = build_services(some_settings(wikis=["enwiki", "frwiki"]))
    services.close()

    with pytest.raises(SettingsInvalid, match=r"'nowiki' is no wiki .* enwiki, frwiki; add \[wikis\.nowiki\]"):
        services.wiki("nowiki")


def test_a_wikis_models_keep_the_order_of_its_settings() -> None:
    services = build_services(some_settings(models=["goodfaith", "damaging"]))
    services.close()

    assert list(services.wiki("enwiki").models) == ["goodfaith", "damaging"]


def test_each_endpoint_and_the_turns_are_told_which_wikis_share_them(monkeypatch: pytest.MonkeyPatch) -> None:
    told: dict[str, list[str]] = {}

    def pacer(url: str, *_: Any, wikis: Iterable[str] = (), **__: Any) -> Pacer:
        told[url] = list(wikis)
        return Pacer(url, *_, wikis=wikis, **__)

    monkeypatch.setattr(bootstrap, "Pacer", pacer)
    services = build_services(
        some_settings(
            wikis=["enwiki", "frwiki"],
            scoring_url="http://near.test",
            endpoints={"far": {"url": "http://far.test"}},
            models=["damaging"],
            scoring_models={"damaging": {"endpoint": "far"}},
        )
    )
    with ExitStack() as stack:
        places = [stack.enter_context(services.turns.bulkheads.place(["far"], wiki="frwiki")) for _ in range(100)]
    services.close()

    assert told == {"http://near.test": [], "http://far.test": ["enwiki", "frwiki"]}
    assert places.count(True) < services.settings.worker.places


def test_celery_takes_and_gives_json_only() -> None:
    celery = configuration(some_settings())

    assert celery["accept_content"] == ["json"]
    assert celery["task_serializer"] == celery["result_serializer"] == "json"


def test_every_task_has_a_queue_that_a_worker_listens_to() -> None:
    celery = configuration(some_settings())

    assert {route["queue"] for route in celery["task_routes"].values()} == {each.name for each in celery["task_queues"]}
    assert set(celery["task_routes"]) == set(QUEUE_OF)


def test_what_is_scheduled_has_the_period_that_is_set() -> None:
    upkeep = {"check_seconds": 11, "purge_seconds": 12, "expire_seconds": 13}

    schedule = configuration(some_settings(poll_seconds=10, upkeep=upkeep))["beat_schedule"]

    assert {entry["task"]: entry["schedule"] for entry in schedule.values()} == {
        "poll": 10,
        "check_model_versions": 11,
        "purge_scores": 12,
        "expire_recent_changes": 13,
    }


def test_the_poll_waits_behind_no_upkeep() -> None:
    celery = configuration(some_settings())

    scheduled = {entry["task"] for entry in celery["beat_schedule"].values()}
    queues = {task: celery["task_routes"][task]["queue"] for task in scheduled}

    assert queues.pop(POLL) == "outpatrol-poll"
    assert set(queues.values()) == {"outpatrol-maintenance"}


def test_each_sink_that_is_named_is_built_under_the_name_of_its_lane() -> None:
    needed = {"eventgate": {"url": "http://127.0.0.1:1"}, "kafka": {"bootstrap_servers": "127.0.0.1:1"}}
    services = build_services(some_settings(sinks={name: needed.get(name, {}) for name in SINKS}))
    services.close()

    assert services.sinks.keys() == SINKS.keys() == EVENT_LANES.keys()


def test_where_no_sink_is_named_events_go_to_files() -> None:
    services = build_services(some_settings())
    services.close()

    assert list(services.sinks) == ["file"]
