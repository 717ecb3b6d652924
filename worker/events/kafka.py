"""Events straight to Kafka: idempotent producer, acknowledged by all replicas, keyed by page.

The key is what EventGate makes of `message_key_fields` of page streams: `{"wiki_id": …, "page_id": …}`.
"""

import json
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Message, Producer
from pydantic import Field, SecretStr, field_validator

from outbox import lane
from worker.config.settings_sections import Section
from worker.events.sinks import Failed, Mishap, OutgoingEvent, Refused, SinkKind, Untaken, all_untaken

#: Of which the event itself is the reason, now and for ever.
OF_THE_EVENT = {KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.INVALID_MSG_SIZE, KafkaError.INVALID_RECORD}
#: Which somebody may mend in the broker's settings, and which hold up no other stream.
OF_THE_TOPIC = {
    KafkaError.UNKNOWN_TOPIC_OR_PART,
    KafkaError._UNKNOWN_TOPIC,  # noqa: SLF001 - librdkafka's own errors begin so
    KafkaError._UNKNOWN_PARTITION,  # noqa: SLF001
    KafkaError.TOPIC_AUTHORIZATION_FAILED,
    KafkaError.TOPIC_EXCEPTION,
}


#: Settings of librdkafka, by all their names, that Outpatrol sets itself.
SET_BY_US = {
    "acks", "request.required.acks", "enable.idempotence", "bootstrap.servers", "metadata.broker.list",
    "delivery.timeout.ms", "message.timeout.ms",
}  # fmt: skip


class KafkaSection(Section):
    """Events straight to Kafka."""

    bootstrap_servers: str = Field(min_length=1, description="host:port, several with commas between.")
    topic_prefix: str = Field(default="", description="Data centre before the stream's name, as in eqiad.")
    timeout_seconds: float = Field(default=30, ge=1, le=600, description="Until a batch is acknowledged.")
    #: Further settings of librdkafka, such as those of TLS and SASL; acks and idempotence are not among them.
    options: dict[str, SecretStr | int | bool] = Field(default_factory=dict)

    @field_validator("options")
    @classmethod
    def _keeps_the_promise(cls, options: dict[str, SecretStr | int | bool]) -> dict[str, SecretStr | int | bool]:
        for name in options:
            if name in SET_BY_US:
                raise ValueError(f"{name} is set by Outpatrol, so that nothing is lost; remove it")
        return options


class KafkaSink:
    """Produces to the topic `<prefix><stream>`; the producer is made with the first events."""

    def __init__(self, settings: Mapping[str, Any], *, topic_prefix: str, timeout_seconds: float) -> None:
        self._settings = {
            "compression.type": "snappy",
            "linger.ms": 5,
            **settings,
            "enable.idempotence": True,
            "acks": "all",
            "delivery.timeout.ms": round(timeout_seconds * 1000),
        }
        self._prefix = topic_prefix
        self._timeout = timeout_seconds
        self._producer: Producer | None = None

    def send(self, events: Sequence[OutgoingEvent]) -> Mapping[int, Mishap]:
        #: What is not told of in time is not surely delivered.
        mishaps = all_untaken(events, f"no acknowledgement within {self._timeout:g} s; see sinks.kafka")

        def told(place: int, error: KafkaError | None, _message: Message) -> None:
            if error is None:
                mishaps.pop(place, None)
            else:
                mishaps[place] = _mishap(error)

        try:
            producer = self._producer = self._producer or Producer(self._settings)
            for place, event in enumerate(events):
                try:
                    producer.produce(
                        self._prefix + event.stream,
                        value=event.body.encode(),
                        key=json.dumps({"wiki_id": event.wiki, "page_id": event.page}).encode(),
                        on_delivery=partial(told, place),
                    )
                except KafkaException as error:
                    # Larger than the producer's own limit, it is refused at once.
                    if error.args[0].code() not in OF_THE_EVENT:
                        raise
                    mishaps[place] = _mishap(error.args[0])
            producer.flush(self._timeout + 1)
            if any(isinstance(mishap, Untaken) for mishap in mishaps.values()):
                self._let_go()
        except (KafkaException, BufferError, TypeError) as error:
            # The last one is what the producer says of an option that would have to be a function.
            self._let_go()
            reason = error.args[0].str() if isinstance(error, KafkaException) else str(error)
            return {place: Untaken(f"Kafka: {reason}; see sinks.kafka") for place in mishaps}
        return mishaps

    def close(self) -> None:
        self._let_go()

    def _let_go(self) -> None:
        """Forget what was not delivered, so that it can't arrive after what is sent again."""
        if self._producer is not None:
            self._producer.purge()
            self._producer.flush(0)
            self._producer = None


def _mishap(error: KafkaError) -> Mishap:
    reason = f"Kafka: {error.str()}"
    if error.code() in OF_THE_EVENT:
        return Refused(reason)
    return Failed(reason) if error.code() in OF_THE_TOPIC else Untaken(reason)


def _open(section: KafkaSection, _: str) -> KafkaSink:
    options = {
        name: value.get_secret_value() if isinstance(value, SecretStr) else value
        for name, value in section.options.items()
    }
    return KafkaSink(
        {"bootstrap.servers": section.bootstrap_servers, **options},
        topic_prefix=section.topic_prefix,
        timeout_seconds=section.timeout_seconds,
    )


KAFKA = SinkKind(name="kafka", section=KafkaSection, lane=lane("event_outbox_kafka"), open=_open)
