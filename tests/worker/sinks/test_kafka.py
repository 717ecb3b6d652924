"""The Kafka sink: topic, key, order and guarantees of what arrives, and what is said of what does not."""

import itertools
import json
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from zlib import crc32

import pytest

from tests.builders import an_event, some_settings
from tests.patience import PATIENCE_SECONDS
from tests.worker.sinks.broker import PARTITIONS, Broker, key, mock_broker, text
from worker.bootstrap import build_services
from worker.demo.processes import free_port
from worker.events.kafka import KafkaSink
from worker.events.sinks import DeliveryFailure, EventRefused, OutgoingEvent, SinkUnavailable

#: A topic for each test.
PREFIXES = (f"dc{number}." for number in itertools.count())
TOO_LARGE = "x" * 1_100_000
QUIET = {"log_level": 0}


@pytest.fixture
def prefix() -> str:
    return next(PREFIXES)


def events(*bodies: str, page: int = 1) -> list[OutgoingEvent]:
    return [an_event(body=body, page=page) for body in bodies]


@contextmanager
def a_sink(address: str, prefix: str, *, seconds: float = PATIENCE_SECONDS, **options: Any) -> Iterator[KafkaSink]:
    settings = {"bootstrap.servers": address} | QUIET | options
    sink = KafkaSink(settings, topic_prefix=prefix, timeout_seconds=seconds)
    try:
        yield sink
    finally:
        sink.close()


@contextmanager
def impatient(sink: KafkaSink) -> Iterator[None]:
    """Meanwhile it is sure to give up what no broker acknowledges, and soon."""
    before, sink._timeout = sink._timeout, 1.0
    try:
        yield
    finally:
        sink._timeout = before


def sent(broker: Broker, prefix: str, outgoing: Sequence[OutgoingEvent], **options: Any) -> dict[int, DeliveryFailure]:
    with a_sink(broker.address, prefix, **options) as sink:
        return dict(sink.send(outgoing))


def kinds(failures: dict[int, DeliveryFailure]) -> dict[int, type[DeliveryFailure]]:
    return {place: type(failure) for place, failure in failures.items()}


def test_an_event_is_a_message_of_its_body(broker: Broker, prefix: str) -> None:
    assert sent(broker, prefix, events('{"title": "維基百科 🦉"}')) == {}
    assert broker.values(prefix + "s", 1) == ['{"title": "維基百科 🦉"}']


def test_events_do_not_wait_for_company(broker: Broker, prefix: str) -> None:
    """confluentinc/librdkafka, rd_kafka_flush(): linger.ms is ignored meanwhile."""
    with a_sink(broker.address, prefix, **{"linger.ms": 500}) as sink:

        def seconds() -> float:
            began = time.monotonic()
            assert sink.send(events("1")) == {}
            return time.monotonic() - began

        # None could be faster if they waited, and one at least is where they do not, however busy the machine is.
        assert any(seconds() < 0.5 for _ in range(20))


def test_the_topic_is_the_stream_behind_the_data_centre(broker: Broker, prefix: str) -> None:
    outgoing = [an_event(stream="a", body="1"), an_event(stream="b", body="2")]

    assert sent(broker, prefix, outgoing) == {}
    assert broker.values(prefix + "a", 1) == ["1"]
    assert broker.values(prefix + "b", 1) == ["2"]


def test_the_topic_is_the_stream_alone_if_no_data_centre_is_set(broker: Broker) -> None:
    assert sent(broker, "", [an_event(stream="alone", body="1")]) == {}
    assert broker.values("alone", 1) == ["1"]


def test_a_page_has_the_partition_that_production_gives_it(broker: Broker, prefix: str) -> None:
    sent(broker, prefix, [an_event(wiki="frwiki", page=page) for page in range(1, 40)])

    for message in broker.messages(prefix + "s", 39):
        # librdkafka, in node-rdkafka as in ours, takes a key's CRC32.
        key_of_production = b'{"wiki_id":"frwiki","page_id":%d}' % key(message)["page_id"]
        assert message.partition() == crc32(key_of_production) % PARTITIONS


def test_events_of_one_page_arrive_in_one_partition_and_in_their_order(broker: Broker, prefix: str) -> None:
    outgoing = [an_event(page=number % 5, body=json.dumps({"n": number})) for number in range(200)]

    with a_sink(broker.address, prefix) as sink:
        for start in range(0, 200, 50):
            assert sink.send(outgoing[start : start + 50]) == {}

    messages = broker.messages(prefix + "s", 200)
    for page in range(5):
        of_page = [each for each in messages if key(each)["page_id"] == page]
        assert len({each.partition() for each in of_page}) == 1
        assert [json.loads(text(each))["n"] for each in of_page] == list(range(page, 200, 5))


def test_pages_of_two_wikis_with_one_number_have_keys_of_their_own(broker: Broker, prefix: str) -> None:
    sent(broker, prefix, [an_event(wiki=wiki, page=7) for wiki in ("enwiki", "frwiki")])

    assert len({message.key() for message in broker.messages(prefix + "s", 2)}) == 2


def test_idempotence_is_on_whatever_the_options_say(
    broker: Broker, prefix: str, capfd: pytest.CaptureFixture[str]
) -> None:
    weak = {"enable.idempotence": False, "acks": 0, "log_level": 7, "debug": "eos"}

    # A producer with fewer acknowledgements than all could not be made then.
    assert sent(broker, prefix, events("1"), **weak) == {}
    assert "Acquired" in capfd.readouterr().err


def test_nothing_to_send_is_nothing_amiss(broker: Broker, prefix: str) -> None:
    assert sent(broker, prefix, []) == {}


def test_an_event_too_large_for_the_producer_is_refused_and_its_neighbours_are_delivered(
    broker: Broker, prefix: str
) -> None:
    failures = sent(broker, prefix, events("1", TOO_LARGE, "2"))

    assert failures == {1: EventRefused("Kafka: Unable to produce message: Broker: Message size too large")}
    assert broker.values(prefix + "s", 2) == ["1", "2"]


def test_a_larger_limit_may_be_set(broker: Broker, prefix: str) -> None:
    assert sent(broker, prefix, events(TOO_LARGE), **{"message.max.bytes": 2_000_000}) == {}


def test_nobody_there_leaves_all_undelivered_with_a_sentence() -> None:
    with a_sink(f"127.0.0.1:{free_port()}", "", seconds=1) as sink:
        failures = sink.send(events("1", "2"))

    assert kinds(dict(failures)) == {0: SinkUnavailable, 1: SinkUnavailable}
    # Whoever notices first that the time is up.
    late = {"Kafka: Local: Message timed out", "no acknowledgement within 1 s; see sinks.kafka"}
    assert {failure.reason for failure in failures.values()} <= late


def test_a_broker_that_died_leaves_all_undelivered(tmp_path: Path) -> None:
    with mock_broker(tmp_path) as broker, a_sink(broker.address, "") as sink:
        assert sink.send(events("1")) == {}
        broker.child.process.kill()
        broker.child.process.wait()

        with impatient(sink):
            assert kinds(dict(sink.send(events("2", "3")))) == {0: SinkUnavailable, 1: SinkUnavailable}


def test_events_arrive_in_order_once_the_broker_answers_again(broker: Broker, prefix: str) -> None:
    with a_sink(broker.address, prefix) as sink:
        assert sink.send(events("0")) == {}
        with broker.frozen(), impatient(sink):
            assert kinds(dict(sink.send(events("1", "2")))) == {0: SinkUnavailable, 1: SinkUnavailable}
        assert sink.send(events("1", "2", "3")) == {}

    found = [text(each) for each in broker.messages(prefix + "s", 4)]
    # What had already left when it froze may come twice, and then comes first.
    assert list(dict.fromkeys(found))[:3] == ["0", "1", "2"]


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("colour", "red", 'No such configuration property: "colour"'),
        ("retries", 0, "Failed to create producer: `retries` must be set >= 1 when `enable.idempotence` is true"),
        ("stats_cb", "text", "expected stats_cb property as a callable function"),
        ("queue.buffering.max.messages", 1, "Local: Queue full"),
    ],
)
def test_an_option_that_can_not_be_leaves_all_undelivered_with_a_sentence(
    broker: Broker, prefix: str, option: str, value: str | int, said: str
) -> None:
    failures = sent(broker, prefix, events("1", "2"), **{option: value})

    assert failures == dict.fromkeys((0, 1), SinkUnavailable(f"Kafka: {said}; see sinks.kafka"))


@pytest.mark.parametrize("count", [0, 1])
def test_closing_twice_does_no_harm(broker: Broker, prefix: str, count: int) -> None:
    with a_sink(broker.address, prefix) as sink:
        sink.send(events("1")[:count])
        sink.close()


def test_a_closed_sink_opens_again_for_more_events(broker: Broker, prefix: str) -> None:
    with a_sink(broker.address, prefix) as sink:
        sink.send(events("1"))
        sink.close()
        assert sink.send(events("2")) == {}


def test_the_settings_make_a_sink_that_delivers(broker: Broker, prefix: str) -> None:
    kafka = {"bootstrap_servers": broker.address, "topic_prefix": prefix, "options": {"client.id": "patrol"}}
    services = build_services(some_settings(sinks={"kafka": kafka}))

    assert services.sinks["kafka"].send(events("1")) == {}
    services.close()
    assert broker.values(prefix + "s", 1) == ["1"]
