"""Documents that workers keep for those at the door: for a while, announced, and again where something changes."""

from redis import Redis

from tests.clock import Clock
from tests.patience import PATIENCE_SECONDS
from tests.worker.flights import no_redis
from worker.flight.documents import (
    INCOMPLETE_SECONDS,
    REPEAT_SECONDS,
    VERSIONS_SECONDS,
    Documents,
    document_key,
    versions_name,
)

KEY = document_key(versions_name("enwiki"))
VERSIONS = {"damaging": "0.5.1"}


def test_a_document_is_kept_and_announced(redis: Redis) -> None:
    with redis.pubsub(ignore_subscribe_messages=True) as channel:  # type: ignore[no-untyped-call]
        channel.subscribe(document_key("something"))
        channel.get_message(timeout=PATIENCE_SECONDS)
        Documents(redis).keep("something", {"a": 1}, seconds=1000)

        assert redis.get(document_key("something")) == b'{"a":1}'
        assert 900_000 < redis.pttl(document_key("something")) <= 1_000_000
        assert channel.get_message(timeout=PATIENCE_SECONDS)


def test_versions_are_kept_again_when_they_change_or_now_and_then(redis: Redis) -> None:
    documents = Documents(redis, clock=(clock := Clock()))
    documents.keep_versions("enwiki", VERSIONS)
    redis.delete(KEY)

    documents.keep_versions("enwiki", VERSIONS)
    assert redis.get(KEY) is None

    documents.keep_versions("enwiki", {"damaging": "0.6.0"})
    assert redis.get(KEY) == b'{"damaging":"0.6.0"}'

    redis.delete(KEY)
    clock.now += REPEAT_SECONDS
    documents.keep_versions("enwiki", {"damaging": "0.6.0"})
    assert redis.get(KEY) is not None


def test_versions_of_which_some_are_missing_are_kept_for_a_moment_only(redis: Redis) -> None:
    documents = Documents(redis)
    documents.keep_versions("enwiki", VERSIONS, are_all=False)
    assert redis.pttl(KEY) <= INCOMPLETE_SECONDS * 1000

    documents.keep_versions("enwiki", VERSIONS)
    assert INCOMPLETE_SECONDS * 1000 < redis.pttl(KEY) <= VERSIONS_SECONDS * 1000


def test_a_document_that_is_there_outlives_a_failure(redis: Redis) -> None:
    documents = Documents(redis)
    documents.keep("something", {"a": 1}, seconds=1000)
    documents.keep_failure("something")

    assert redis.get(document_key("something")) == b'{"a":1}'
    assert redis.pttl(document_key("something")) > 900_000


def test_a_failure_is_kept_for_a_moment_only_and_gives_way_to_a_document(redis: Redis) -> None:
    documents = Documents(redis)
    documents.keep_failure("something")
    assert 0 < redis.pttl(document_key("something")) <= 2000

    documents.keep("something", {"a": 1}, seconds=1000)
    assert redis.get(document_key("something")) == b'{"a":1}'


def test_two_deployments_keep_documents_under_names_of_their_own(redis: Redis) -> None:
    Documents(redis, prefix="patrol:").keep_versions("enwiki", VERSIONS)

    assert redis.get(KEY) is None
    assert redis.get(f"patrol:{KEY}") is not None


def test_a_redis_that_is_gone_stops_no_worker() -> None:
    with no_redis() as gone:
        Documents(gone).keep_versions("enwiki", VERSIONS)
