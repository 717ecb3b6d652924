"""A Redis that others use, too: another application, another deployment of ours, and a worker with other wikis."""

import base64
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from celery import Celery
from celery.exceptions import NotRegistered
from redis import Redis

from tests.acceptance.commands import outpatrol
from tests.acceptance.conftest import NewDatabase
from tests.acceptance.expectations import assert_every_promise_was_kept, sample_edits
from tests.acceptance.running import PATIENT, running
from tests.patience import PATIENCE_SECONDS
from worker.domain.errors import SettingsInvalid
from worker.emulators.scoring.shapes import probabilities
from worker.lanes.rings import QUEUE_OF, SCORE, TURN

GARBAGE = ["no JSON", "[]", "null", "{}", '{"properties": 1}', '{"body": "", "properties": {}, "headers": {}}']


#: So that what each process tells once is told once.
ONE = {"processes": 1}


@pytest.fixture
def stranger() -> Iterator[Celery]:
    """Another application, with nothing but defaults."""
    with Celery("stranger", set_as_current=False) as app:
        yield app


def test_messages_of_another_application_are_left_alone(
    tmp_path: Path, sqlite_databases: NewDatabase, stranger: Celery
) -> None:
    edits = sample_edits("itwiki", 20)
    with running(tmp_path, {"itwiki": sqlite_databases("itwiki")}, worker=False) as here:
        stranger.conf.update(broker_url=here.settings.redis_url.get_secret_value())
        for number in range(5):
            stranger.send_task("turn", args=[number])
        # One that its worker has been at for longer than ours would give it.
        here.redis.zadd("unacked_index", {"tag": 1})
        here.redis.hset("unacked", "tag", json.dumps([{"body": "", "headers": {}, "properties": {}}, "", "celery"]))
        here.start_worker()
        here.save(edits)
        here.until_all_is_kept()
        stranger.control.shutdown()
        here.save(sample_edits("itwiki", 40)[:20])
        here.until_all_is_kept()

        assert here.redis.llen("celery") == 5
        assert here.redis.hkeys("unacked") == [b"tag"]
        assert here.children["worker"].process.poll() is None
        assert here.logged("message_dropped") == []


def test_garbage_in_our_queues_is_dropped_with_a_line_and_ends_no_worker(
    tmp_path: Path, sqlite_databases: NewDatabase
) -> None:
    edits = sample_edits("itwiki", 20)
    with running(tmp_path, {"itwiki": sqlite_databases("itwiki")}, worker_settings=ONE) as here:
        for queue in set(QUEUE_OF.values()):
            here.redis.lpush(queue, *GARBAGE)
        here.save(edits)
        here.until_all_is_kept()
        here.until(lambda: not any(here.redis.llen(QUEUE_OF[task]) for task in (TURN, SCORE)), "empty queues")
        here.until_logged("message_dropped")

        assert_every_promise_was_kept(here, edits)
        dropped = [line["message"] for line in here.logged("message_dropped")]
        assert len(dropped) == len(set(dropped))
        assert "Traceback" not in here.children["worker"].log.read_text()


def test_a_task_that_nobody_knows_is_told_once_fails_for_its_asker_and_does_not_come_again(
    tmp_path: Path, sqlite_databases: NewDatabase
) -> None:
    with running(tmp_path, {"itwiki": sqlite_databases("itwiki")}, worker_settings=ONE) as here:
        asked = [
            here.client.send_task("of_tomorrow", task_id=f"t{n}", queue=QUEUE_OF[TURN], ignore_result=False)
            for n in range(10)
        ]
        for each in asked:
            with pytest.raises(NotRegistered, match="of_tomorrow"):
                each.get(timeout=PATIENCE_SECONDS)
        here.until_logged("message_dropped")

        assert [line["message"] for line in here.logged("message_dropped")] == ["for a task 'of_tomorrow'"]
        assert here.redis.llen(QUEUE_OF[TURN]) == 0
        assert "Traceback" not in here.children["worker"].log.read_text()


def test_two_deployments_on_one_redis_are_kept_apart_by_their_prefixes(
    tmp_path: Path, sqlite_databases: NewDatabase
) -> None:
    directories = [tmp_path / name for name in ("one", "two")]
    for directory in directories:
        directory.mkdir()
    first, second = ({wiki: sqlite_databases(wiki)} for wiki in ("itwiki", "frwiki"))
    with (
        running(directories[0], first, redis_prefix="one:", **PATIENT) as one,
        running(directories[1], second, redis_through=lambda _: one.redis_port, redis_prefix="two-", **PATIENT) as two,
    ):
        for here, wiki in ((one, "itwiki"), (two, "frwiki")):
            here.save(sample_edits(wiki, 60))
        for here, wiki in ((one, "itwiki"), (two, "frwiki")):
            here.until_all_is_kept()
            assert_every_promise_was_kept(here, sample_edits(wiki, 60))
            answer = here.client.send_task(SCORE, task_id=f"{wiki}:damaging:7:0.5.1").get(timeout=PATIENCE_SECONDS)
            assert answer["probability"] == probabilities(0, wiki, "damaging", 7)

        keys = {key.decode() for key in one.redis.scan_iter()}
        assert {key[:4] for key in keys} == {"one:", "two-"}
        # Of its own Redis the second one has made no use.
        assert Redis(port=two.redis_port).dbsize() == 0
        assert one.logged("wiki_unknown") + two.logged("wiki_unknown") == []


def test_a_task_of_a_wiki_that_a_worker_lacks_reaches_the_worker_that_has_it(
    tmp_path: Path, sqlite_databases: NewDatabase
) -> None:
    directories = [tmp_path / name for name in ("one", "two")]
    for directory in directories:
        directory.mkdir()
    with (
        running(directories[0], {"itwiki": sqlite_databases("itwiki")}, worker_settings=ONE, **PATIENT) as one,
        running(
            directories[1],
            {"frwiki": sqlite_databases("frwiki")},
            worker_settings=ONE,
            redis_through=lambda _: one.redis_port,
            **PATIENT,
        ) as two,
    ):
        for here in (one, two):
            here.until(lambda here=here: " ready." in here.children["worker"].log.read_text(), "a worker that is ready")  # type: ignore[misc]
        for here, wiki in ((one, "itwiki"), (two, "frwiki")):
            here.save(sample_edits(wiki, 60))
        for here, wiki in ((one, "itwiki"), (two, "frwiki")):
            here.until_all_is_kept()
            assert_every_promise_was_kept(here, sample_edits(wiki, 60))
        asked = {
            (wiki, number): one.client.send_task(SCORE, task_id=f"{wiki}:damaging:{number}:0.5.1")
            for wiki in ("itwiki", "frwiki")
            for number in range(1, 11)
        }
        for (wiki, number), each in asked.items():
            assert each.get(timeout=PATIENCE_SECONDS)["probability"] == probabilities(0, wiki, "damaging", number)

        for here, other in ((one, "frwiki"), (two, "itwiki")):
            cures = [line["cure"] for line in here.logged("wiki_unknown")]
            assert len(cures) <= 1
            assert all(f"[wikis.{other}]" in cure for cure in cures)


def test_a_task_of_a_wiki_that_nobody_has_ends_with_the_cure(tmp_path: Path, sqlite_databases: NewDatabase) -> None:
    databases = {"itwiki": sqlite_databases("itwiki")}
    with running(tmp_path, databases, worker_settings=ONE, worker=False) as here:
        here.start_worker("tests.acceptance.short_passes")
        here.client.send_task(TURN, args=["nowiki", "outbox"])
        asked = here.client.send_task(SCORE, task_id="nowiki:damaging:7:0.5.1")
        with pytest.raises(SettingsInvalid, match=r"add \[wikis\.nowiki\]"):
            asked.get(timeout=PATIENCE_SECONDS)
        here.until_logged("wiki_unknown", "task_failed")

        assert len(here.logged("wiki_unknown")) == 1
        assert len(here.logged("task_failed")) == 1
        assert here.redis.llen(QUEUE_OF[TURN]) == 0


def test_nothing_that_is_sent_expires_or_waits_by_the_clock_of_who_sent_it(
    tmp_path: Path, sqlite_databases: NewDatabase
) -> None:
    with running(tmp_path, {"itwiki": sqlite_databases("itwiki")}) as here:
        here.save(sample_edits("itwiki", 1))
        here.until_all_is_kept()
        here.kill("worker")
        here.kill("beat")
        for queue in set(QUEUE_OF.values()):
            here.redis.delete(queue)
        here.redis.delete("ores-doorbell:turn:itwiki:outbox", "ores-doorbell:purge_scores:itwiki")
        outpatrol(here.directory, "score", "itwiki", "7", "--wait", "0")
        here.save(sample_edits("itwiki", 2)[:1])
        here.until(lambda: bool(here.redis.llen(QUEUE_OF[TURN])), "the ring")
        sent = [json.loads(message) for task in (SCORE, TURN) for message in here.redis.lrange(QUEUE_OF[task], 0, -1)]

        assert {(each["headers"]["expires"], each["headers"]["eta"]) for each in sent} == {(None, None)}
        assert {each["headers"]["task"] for each in sent} == {SCORE, TURN}
        assert all(json.loads(base64.b64decode(each["body"])) for each in sent)
