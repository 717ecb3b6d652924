"""The kind of sink that sends events straight to Kafka; its client library comes with the extra `kafka`."""

from importlib.util import find_spec
from typing import Self

from pydantic import Field, SecretStr, field_validator, model_validator

from outbox import lane
from worker.config.settings_sections import SinkSection
from worker.domain.errors import not_installed
from worker.events.sinks import EventSink, SinkKind

#: Settings of librdkafka, by all their names, that Outpatrol sets itself.
SET_BY_US = {
    "acks", "request.required.acks", "enable.idempotence", "bootstrap.servers", "metadata.broker.list",
    "delivery.timeout.ms", "message.timeout.ms",
}  # fmt: skip


class KafkaSection(SinkSection):
    """Events straight to Kafka."""

    bootstrap_servers: str = Field(min_length=1, description="host:port, several with commas between.")
    topic_prefix: str = Field(default="", description="Data centre before the stream's name, as in eqiad.")
    timeout_seconds: float = Field(default=30, ge=1, le=600, description="Until a batch is acknowledged.")
    #: Further settings of librdkafka, such as those of TLS and SASL; acks and idempotence are not among them.
    options: dict[str, SecretStr | int | bool] = Field(default_factory=dict)

    @property
    def longest_send_seconds(self) -> float:
        # It waits for acknowledgements a second longer than Kafka's library tries to deliver.
        return self.timeout_seconds + 1

    @model_validator(mode="after")
    def _can_be_served(self) -> Self:
        if find_spec("confluent_kafka") is None:
            raise ValueError(not_installed("confluent-kafka", "kafka"))
        return self

    @field_validator("options")
    @classmethod
    def _keeps_the_promise(cls, options: dict[str, SecretStr | int | bool]) -> dict[str, SecretStr | int | bool]:
        for name in options:
            if name in SET_BY_US:
                raise ValueError(f"{name} is set by Outpatrol, so that nothing is lost; remove it")
        return options


def _open(section: KafkaSection, *_: object) -> EventSink:
    from worker.events.kafka import KafkaSink  # noqa: PLC0415 - comes with an extra, which the section asks for

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
