"""Events straight to Kafka: idempotent producer, acknowledged by all replicas, keyed by page.

The key is what EventGate makes of the `message_key_fields` of page streams, to the byte, so that the events of a page
share a partition with those that production writes. Source: wikimedia/operations-mediawiki-config
wmf-config/ext-EventStreamConfig.php, mediawiki.page_change.v1; JSON.stringify of ECMA-262 §25.5.2.
"""

import json
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from worker.events.sinks import (
    DeliveryFailure,
    EventFailed,
    EventRefused,
    OutgoingEvent,
    SinkUnavailable,
    all_unavailable,
)

#: Errors that the event itself causes, so that sending it again does not help.
OF_THE_EVENT = {KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.INVALID_MSG_SIZE, KafkaError.INVALID_RECORD}
#: Errors that a change of the broker's settings may cure, and that do not hold up other streams.
OF_THE_TOPIC = {
    KafkaError.UNKNOWN_TOPIC_OR_PART,
    KafkaError._UNKNOWN_TOPIC,  # noqa: SLF001 - librdkafka's own errors begin so
    KafkaError._UNKNOWN_PARTITION,  # noqa: SLF001
    KafkaError.TOPIC_AUTHORIZATION_FAILED,
    KafkaError.TOPIC_EXCEPTION,
}
#: Given up by ourselves, which says nothing of why.
PURGED = {KafkaError._PURGE_QUEUE, KafkaError._PURGE_INFLIGHT}  # noqa: SLF001

#: Is told what became of an event.
Acknowledge = Callable[[KafkaError | None, Message | None], None]
#: For which an event may wait for those of other lanes.
LINGER_MILLISECONDS = 5
#: Seconds that one look for acknowledgements takes at most; it ends as soon as there is one.
POLL_SECONDS = 0.1
#: By then nothing lingers any more, unless the settings say longer.
FLUSH_SECONDS = LINGER_MILLISECONDS / 1000


class KafkaSink:
    """Produces to the topic `<prefix><stream>`; the producer is made with the first events. Safe between threads."""

    def __init__(self, settings: Mapping[str, Any], *, topic_prefix: str, timeout_seconds: float) -> None:
        self._settings = {
            "compression.type": "snappy",
            "linger.ms": LINGER_MILLISECONDS,
            **settings,
            "enable.idempotence": True,
            "acks": "all",
            "delivery.timeout.ms": round(timeout_seconds * 1000),
        }
        self._prefix = topic_prefix
        self._timeout = timeout_seconds
        self._lock = threading.Lock()
        self._producer: Producer | None = None

    def send(self, events: Sequence[OutgoingEvent]) -> Mapping[int, DeliveryFailure]:
        #: An event that is not acknowledged in time may not have been delivered.
        failures = all_unavailable(events, f"no acknowledgement within {self._timeout:g} s; see sinks.kafka")
        waited_for = set(range(len(events)))

        def acknowledged(place: int, error: KafkaError | None, _message: Message | None) -> None:
            if error is None:
                failures.pop(place, None)
            elif error.code() not in PURGED:
                failures[place] = _failure(error)
            waited_for.discard(place)

        try:
            producer = self._connected()
            for place, event in enumerate(events):
                self._produce(producer, event, partial(acknowledged, place))
            deadline = time.monotonic() + self._timeout + 1
            # What lingers for company is sent at once. Not until all is delivered: it also waits for what others send.
            producer.flush(FLUSH_SECONDS)
            while waited_for and time.monotonic() < deadline:
                producer.poll(POLL_SECONDS)
            if any(isinstance(failure, SinkUnavailable) for failure in failures.values()):
                self._drop_producer()
        except (KafkaException, BufferError, TypeError) as error:
            # The producer raises the last one for an option whose value must be a function.
            self._drop_producer()
            reason = error.args[0].str() if isinstance(error, KafkaException) else str(error)
            return {place: SinkUnavailable(f"Kafka: {reason}; see sinks.kafka") for place in failures}
        return failures

    def close(self) -> None:
        self._drop_producer()

    def _produce(self, producer: Producer, event: OutgoingEvent, acknowledged: Acknowledge) -> None:
        try:
            producer.produce(
                self._prefix + event.stream,
                value=event.body.encode(),
                key=message_key(event),
                on_delivery=acknowledged,
            )
        except KafkaException as error:
            # The producer itself refuses an event above its own limit.
            if error.args[0].code() not in OF_THE_EVENT:
                raise
            acknowledged(error.args[0], None)

    def _connected(self) -> Producer:
        with self._lock:
            self._producer = self._producer or Producer(self._settings)
            return self._producer

    def _drop_producer(self) -> None:
        """Drop what was not delivered, whichever thread sent it, so that it can't arrive after what is sent again."""
        with self._lock:
            producer, self._producer = self._producer, None
        if producer is not None:
            producer.purge()
            producer.flush(0)


def message_key(event: OutgoingEvent) -> bytes | None:
    """The page of *event* as JavaScript's JSON.stringify writes it: no spaces, letters of all alphabets as they are.

    None if the page's id is not known: an event without a key may go to any partition, one with a made-up key would
    stand in another page's.
    """
    if event.page is None:
        return None
    key = json.dumps({"wiki_id": event.wiki, "page_id": event.page}, ensure_ascii=False, separators=(",", ":"))
    # A lone surrogate can't be written in UTF-8; JSON.stringify escapes it, and no other letter.
    return key.encode(errors="backslashreplace")


def _failure(error: KafkaError) -> DeliveryFailure:
    reason = f"Kafka: {error.str()}"
    if error.code() in OF_THE_EVENT:
        return EventRefused(reason)
    return EventFailed(reason) if error.code() in OF_THE_TOPIC else SinkUnavailable(reason)
