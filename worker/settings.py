"""Every setting, from `outpatrol.toml` and `OUTPATROL_…` variables. The only reader of the environment."""

import os
import re
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource

from outbox.settings import OutboxSettings
from worker.errors import SettingsInvalid
from worker.scoring_models import LiftWingServer, ScoringModel, with_overrides
from worker.sites import site_of
from worker.thresholds import LevelSetting, Threshold, with_thresholds

#: Names the settings file; without it `outpatrol.toml` in the current directory is read if it is there.
FILE_VARIABLE = "OUTPATROL_CONFIG"
DEFAULT_FILE = Path("outpatrol.toml")


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class EndpointSettings(_Section):
    """Where scores come from, and how much it is asked at most by all workers together."""

    kind: Literal["ores", "lift_wing"] = Field(default="ores", description="Which API the endpoint speaks.")
    url: str = Field(pattern=r"^https?://", description="Base URL, without /v3/scores or /v1/models.")
    contact: str | None = Field(
        default=None,
        pattern=r"^(https?://[!-'*-~]+|[!-'*-?A-~]+@[!-'*-~]+)$",
        description="Address or web page of the operator, sent in the User-Agent.",
    )
    timeout_seconds: float = Field(default=15, gt=0, le=120, description="For one request, connecting included.")
    requests_per_second: float = Field(default=100, ge=0.1, le=1_000_000, description="Limit of all workers together.")
    concurrency: int = Field(default=32, ge=1, le=4096, description="Requests under way at once, of all workers.")
    slow_seconds: float = Field(default=5, gt=0, description="Replies slower than that on average lower the rate.")
    scores_per_request: int = Field(default=50, ge=1, le=50, description="Revisions × models in an ORES request.")
    instances_per_request: int = Field(default=20, ge=1, le=20, description="Revisions in a Lift Wing request.")
    host_routing: bool = Field(default=False, description="Send each Lift Wing server's name as Host header.")

    @model_validator(mode="after")
    def _wikimedia_knows_whom_to_ask(self) -> "EndpointSettings":
        host = urlsplit(self.url).hostname or ""
        if self.contact is None and host.endswith((".wikimedia.org", ".wmnet")):
            raise ValueError(
                f"{host} wants to know whom to ask; set endpoint.contact to an e-mail address or a web page of yours"
            )
        return self


class FileSinkSettings(_Section):
    """Events into files."""

    directory: Path = Field(default=Path("events"), description="Holds one NDJSON file a stream.")
    max_megabytes: float = Field(default=256, gt=0, description="A file of that size is set aside; one a day, too.")


class StdoutSinkSettings(_Section):
    """Events on the worker's standard output."""


class EventGateSinkSettings(_Section):
    """Events to an EventGate."""

    url: str = Field(pattern=r"^https?://", description="Base URL, without /v1/events.")
    timeout_seconds: float = Field(default=62, gt=0, le=600, description="For one request.")
    batch_size: int = Field(default=100, ge=1, le=2000, description="Events in one request.")


class KafkaSinkSettings(_Section):
    """Events straight to Kafka."""

    bootstrap_servers: str = Field(min_length=1, description="host:port, several with commas between.")
    topic_prefix: str = Field(default="", description="Data centre before the stream's name, as in eqiad.")
    timeout_seconds: float = Field(default=30, ge=1, le=600, description="Until a batch is acknowledged.")
    #: Further settings of librdkafka, such as those of TLS and SASL; acks and idempotence are not for sale.
    options: dict[str, SecretStr | int | bool] = Field(default_factory=dict)

    @field_validator("options")
    @classmethod
    def _keeps_the_promise(cls, options: dict[str, SecretStr | int | bool]) -> dict[str, SecretStr | int | bool]:
        for name in options:
            if name in {"acks", "request.required.acks", "enable.idempotence", "bootstrap.servers"}:
                raise ValueError(f"{name} is set by Outpatrol, so that nothing is lost; remove it")
        return options


class SinksSettings(_Section):
    """Where events go; each sink has a lane of its own. None named: files."""

    file: FileSinkSettings | None = None
    stdout: StdoutSinkSettings | None = None
    eventgate: EventGateSinkSettings | None = None
    kafka: KafkaSinkSettings | None = None

    @model_validator(mode="after")
    def _there_is_one(self) -> "SinksSettings":
        if not self.names:
            object.__setattr__(self, "file", FileSinkSettings())
        return self

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(name for name in type(self).model_fields if getattr(self, name) is not None)


class EventsSettings(_Section):
    """What is announced of an edit, on which streams."""

    stream: str = Field(default="mediawiki.revision-score", min_length=1, description="One score event an edit.")
    stream_of_model: str | None = Field(
        default=None,
        min_length=1,
        description="Instead, one score event a model on this plus the model, as in mediawiki.revision_score_.",
    )
    #: Model to the stream on which its predictions are announced, besides.
    prediction_streams: dict[str, str] = Field(default_factory=dict)
    prediction_schema: Literal["1.1.0", "1.3.0"] = Field(
        default="1.1.0", description="Version of page/prediction_classification_change."
    )
    ledger_days: float = Field(default=7, gt=0, description="How long is known which events were sent.")


class FlightSettings(_Section):
    """De-duplication of scoring calls."""

    result_ttl_seconds: int = Field(default=21600, ge=1, description="How long a score can be shared.")
    error_ttl_seconds: int = Field(default=300, ge=1, description="How long a final error can be shared.")
    call_seconds: float = Field(default=30, gt=0, le=600, description="Deadline of the calls for one batch.")
    lease_margin_seconds: float = Field(default=5, gt=0, description="By how much a lease outlives that deadline.")
    patience_seconds: float = Field(default=5, ge=0, le=600, description="How long to wait for what others compute.")

    @property
    def lease_seconds(self) -> float:
        return self.call_seconds + self.lease_margin_seconds


class UpkeepSettings(_Section):
    """What is done now and then: looking for new model versions, purging, expiring."""

    check_seconds: float = Field(default=600, ge=1, description="Between looks for new model versions.")
    prompted_seconds: float = Field(
        default=60, ge=0.1, description="At most one look more in so long, when a reply has a new version."
    )
    settle_seconds: float = Field(default=300, ge=0, description="How long a new version is seen before it is current.")
    majority: float = Field(default=0.8, gt=0.5, le=1, description="Share of the replies that has to carry it then.")
    replies: int = Field(default=5, ge=1, le=50, description="Replies in one look; four times as many if they differ.")
    rescore: bool = Field(default=False, description="Score what is in recentchanges again with a new version.")
    statistics_seconds: float = Field(default=86_400, ge=60, description="Between looks at what formulas come to.")
    purge_seconds: float = Field(default=86_400, ge=1, description="Between purges of what no reader can see.")
    purge_batch_size: int = Field(default=1000, ge=1, le=10_000, description="Rows removed in one transaction.")
    expire_seconds: float = Field(default=3600, ge=1, description="Between clean-ups of recentchanges.")
    recent_changes_days: float = Field(default=90, gt=0, description="Age at which a change leaves recentchanges.")


class WikiSettings(_Section):
    """One wiki."""

    database_url: SecretStr
    domain: str = Field(min_length=1, description="en.wikipedia.org; follows from the id of a Wikimedia wiki.")
    language: str | None = Field(
        default=None, min_length=1, description="Code that Lift Wing knows a Wikipedia by; follows from its id, too."
    )
    models: tuple[str, ...] = Field(default=("damaging", "goodfaith"), description="Scoring models, by name.")
    bots_are_autopatrolled: bool = Field(default=True, description="Leave no rows for bots' edits.")
    #: Model to level to band, on top of `worker.thresholds.DEFAULT_THRESHOLDS`; false takes a level away.
    thresholds: dict[str, dict[str, LevelSetting]] = Field(default_factory=dict)

    @field_validator("thresholds")
    @classmethod
    def _filters_have_those_levels(
        cls, thresholds: dict[str, dict[str, Threshold | Literal[False]]]
    ) -> dict[str, dict[str, Threshold | Literal[False]]]:
        with_thresholds(thresholds)
        return thresholds


class Settings(BaseSettings):
    """All settings; immutable once read."""

    model_config = SettingsConfigDict(
        env_prefix="OUTPATROL_",
        env_nested_delimiter="__",
        frozen=True,
        extra="forbid",
        hide_input_in_errors=True,
        nested_model_default_partial_update=True,
    )

    redis_url: SecretStr = SecretStr("redis://127.0.0.1:6379/0")
    endpoint: EndpointSettings
    sinks: SinksSettings = SinksSettings()
    events: EventsSettings = EventsSettings()
    flight: FlightSettings = FlightSettings()
    outbox: OutboxSettings = OutboxSettings()
    upkeep: UpkeepSettings = UpkeepSettings()
    wikis: dict[str, WikiSettings] = Field(min_length=1)
    #: Changes to the default models, and models of your own: `[models.damaging]` with the fields of `ScoringModel`.
    models: dict[str, dict[str, Any]] = Field(default_factory=dict)
    poll_seconds: float = Field(default=2, ge=0.1, le=300, description="Between looks for work that nobody rang for.")
    drain_seconds: float = Field(default=20, ge=0.1, le=600, description="Time box of one drain task.")
    queue_maxsize: int = Field(default=1000, ge=1, description="Requests for scores on demand that may wait.")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the signature is pydantic-settings'
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (init_settings, env_settings, TomlConfigSettingsSource(settings_cls, toml_file=settings_file()))

    @field_validator("redis_url")
    @classmethod
    def _is_a_redis_url(cls, url: SecretStr) -> SecretStr:
        parts = urlsplit(url.get_secret_value())
        try:
            is_right = parts.scheme in {"redis", "rediss"} and (parts.port is None or parts.port > 0)
        except ValueError:
            # Whose text shows what stands after the colon, which may be a password.
            is_right = False
        if not is_right:
            raise ValueError(
                "not the URL of a Redis; write redis://:password@host:6379/0, a slash in the password as %2F"
            )
        return url

    @field_validator("wikis", mode="before")
    @classmethod
    def _sites_are_known(cls, wikis: Any) -> Any:
        """Fill in what follows from the ids of Wikimedia's wikis."""
        if not isinstance(wikis, dict):
            return wikis
        return {wiki: _with_site(wiki, fields) for wiki, fields in wikis.items()}

    @field_validator("wikis")
    @classmethod
    def _names_are_database_names(cls, wikis: dict[str, WikiSettings]) -> dict[str, WikiSettings]:
        for wiki in wikis:
            if not re.fullmatch("[a-z0-9_]{1,64}", wiki):
                raise ValueError(f"{wiki!r} is no wiki id; use the database name, such as enwiki")
        return wikis

    @model_validator(mode="after")
    def _models_are_known(self) -> "Settings":
        known = self.scoring_models()
        for wiki, settings in self.wikis.items():
            for name in settings.models:
                if name not in known:
                    raise ValueError(
                        f"wikis.{wiki}.models: {name!r} is no model; known are {', '.join(sorted(known))}; "
                        f"add its classes under [models.{name}]"
                    )
                self._server_knows_wiki(wiki, settings, name, known[name].server)
        return self

    @model_validator(mode="after")
    def _formulas_can_be_resolved(self) -> "Settings":
        for wiki, settings in self.wikis.items():
            for model, levels in with_thresholds(settings.thresholds).items():
                for level, threshold in levels.items():
                    if threshold.statistics and self.endpoint.kind != "ores":
                        raise ValueError(
                            f"wikis.{wiki}.thresholds.{model}.{level}: Lift Wing tells no statistics to resolve a "
                            "formula with; write a number from 0 to 1"
                        )
        return self

    @model_validator(mode="after")
    def _a_call_outlives_its_requests(self) -> "Settings":
        if self.flight.call_seconds <= self.endpoint.timeout_seconds:
            raise ValueError(
                f"flight.call_seconds: {self.flight.call_seconds:g} leaves no time to wait for a request's turn; "
                f"make it more than endpoint.timeout_seconds, which is {self.endpoint.timeout_seconds:g}"
            )
        return self

    def _server_knows_wiki(self, wiki: str, settings: WikiSettings, name: str, server: LiftWingServer) -> None:
        if self.endpoint.kind == "ores" and server is not LiftWingServer.REVSCORING:
            raise ValueError(f"wikis.{wiki}.models: ORES has no {name}; set endpoint.kind to lift_wing")
        if server.needs_language and settings.language is None:
            raise ValueError(
                f"wikis.{wiki}.models: {name} finds a wiki by its language and knows Wikipedias only; "
                f"remove it, or set wikis.{wiki}.language"
            )
        if server is LiftWingServer.REVERT_RISK_WIKIDATA and wiki != "wikidatawiki":
            raise ValueError(f"wikis.{wiki}.models: {name} knows wikidatawiki only; remove it")

    def scoring_models(self) -> dict[str, ScoringModel]:
        """Every model by name, the changes of `[models.…]` applied."""
        return with_overrides(self.models)


def _with_site(wiki: Any, fields: Any) -> Any:
    site = site_of(wiki) if isinstance(wiki, str) else None
    if not isinstance(fields, dict) or site is None:
        return fields
    return {"domain": site.domain, "language": site.lift_wing_language} | fields


def settings_file() -> Path | None:
    named = os.environ.get(FILE_VARIABLE)  # noqa: TID251 - this module is the reader
    if named:
        return Path(named)
    return DEFAULT_FILE if DEFAULT_FILE.is_file() else None


def use_settings_file(file: Path) -> None:
    """Make this process and the children it starts from now on read *file*, and nothing else."""
    for variable in [name for name in os.environ if name.startswith("OUTPATROL_")]:  # noqa: TID251
        del os.environ[variable]  # noqa: TID251
    os.environ[FILE_VARIABLE] = str(file)  # noqa: TID251


def load_settings() -> Settings:
    """Read the settings of this process.

    Raises:
        SettingsInvalid: one sentence naming each wrong or missing setting, never its value.
    """
    file = settings_file()
    if file is not None and not file.is_file():
        raise SettingsInvalid(f"the settings file {file} named by {FILE_VARIABLE} is not there; create it or unset it")
    source = str(file) if file else "no outpatrol.toml here"
    try:
        return Settings()
    except ValidationError as error:
        raise SettingsInvalid(f"settings ({source}): {describe(error)}") from error
    except ValueError as error:
        raise SettingsInvalid(f"settings ({source}): {error}; correct the file or the variable") from error


def describe(error: ValidationError) -> str:
    """The problems of *error* in one line: field, what is wrong, and the variable that would set it."""
    problems = []
    for detail in error.errors():
        path = [str(part) for part in detail["loc"]]
        variable = "OUTPATROL_" + "__".join(path).upper()
        message = detail["msg"].removeprefix("Value error, ")
        problems.append(f"{'.'.join(path)}: {message} (in the file, or as {variable})" if path else message)
    return "; ".join(problems)
