"""Every setting, from `outpatrol.toml` and `OUTPATROL_…` variables. The only reader of the environment."""

import os
import re
from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

from pydantic import Field, SecretStr, ValidationError, create_model, field_validator, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource

from outbox.places import place_of
from outbox.settings import OutboxSettings
from worker.config.http_routes import HttpRoutes
from worker.config.redis_url import RedisUrl, read_redis_url
from worker.config.settings_sections import (
    DatabaseSettings,
    EndpointSettings,
    EventsSettings,
    FlightSettings,
    HttpSettings,
    Section,
    SinkSection,
    UpkeepSettings,
    WebSettings,
    WikiApiSettings,
    WikiSettings,
    WorkerSettings,
)
from worker.config.variables import LEVEL, PREFIX, unknown_variables
from worker.config.wikimedia_sites import site_of
from worker.domain.errors import SettingsInvalid
from worker.domain.models import (
    DEFAULT_ENDPOINT,
    LiftWingServer,
    ScoringModel,
    announced_name,
    with_classes,
    with_overrides,
)
from worker.domain.thresholds import with_thresholds
from worker.endpoints.kinds import KINDS
from worker.events.file_sink import FILE
from worker.events.kinds import SINKS

#: Names the settings file; without it `outpatrol.toml` in the current directory is read if it is there.
FILE_VARIABLE = f"{PREFIX}CONFIG"
DEFAULT_FILE = Path("outpatrol.toml")


class _Sinks(Section):
    """Where events go; each sink has a lane of its own. None named: files."""

    @model_validator(mode="after")
    def _there_is_one(self) -> Self:
        if not self.named:
            object.__setattr__(self, FILE.name, FILE.section())
        return self

    @property
    def named(self) -> dict[str, SinkSection]:
        """The sections of the sinks that events go to, by name."""
        return {name: section for name in SINKS if (section := getattr(self, name)) is not None}


if TYPE_CHECKING:
    SinksSettings = _Sinks
else:
    #: With a section for each kind of sink.
    SinksSettings = create_model(
        "SinksSettings", __base__=_Sinks, **{name: (kind.section | None, None) for name, kind in SINKS.items()}
    )


class Settings(BaseSettings):
    """All settings; immutable once read."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_nested_delimiter=LEVEL,
        frozen=True,
        extra="forbid",
        hide_input_in_errors=True,
        nested_model_default_partial_update=True,
    )

    redis_url: SecretStr = SecretStr("redis://127.0.0.1:6379/0")
    redis_prefix: str = Field(
        default="",
        pattern=r"^([A-Za-z0-9_.:-]*[_.:-])?$",
        max_length=64,
        description="Before each key and queue in Redis, such as patrol: or patrol-; keeps two deployments apart.",
    )
    redis_timeout_seconds: float = Field(
        default=3, ge=0.1, le=60, description="A command to Redis that has no whole reply by then is given up."
    )
    #: The endpoint of all models that name no other, and the others by name.
    endpoint: EndpointSettings | None = None
    endpoints: dict[str, EndpointSettings] = Field(default_factory=dict)
    # No default value, since settings would only change a part of it: naming one sink must not leave the files on.
    sinks: SinksSettings = Field(default_factory=SinksSettings)
    http: HttpSettings = HttpSettings()
    wiki_api: WikiApiSettings = WikiApiSettings()
    events: EventsSettings = EventsSettings()
    flight: FlightSettings = FlightSettings()
    outbox: OutboxSettings = OutboxSettings()
    upkeep: UpkeepSettings = UpkeepSettings()
    worker: WorkerSettings = WorkerSettings()
    database: DatabaseSettings = DatabaseSettings()
    web: WebSettings = WebSettings()
    wikis: dict[str, WikiSettings] = Field(min_length=1)
    #: Changes to the default models, and models of one's own: `[models.damaging]` with the fields of `ScoringModel`.
    models: dict[str, dict[str, Any]] = Field(default_factory=dict)
    poll_seconds: float = Field(default=10, ge=0.1, le=300, description="Between looks for work for which nobody rang.")
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
        read_redis_url(url.get_secret_value())
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
    def _wikis_are_apart(self) -> Self:
        """Refuse two wikis in one database or with one domain: each would be scored and announced as the other."""
        places: dict[Hashable, str] = {}
        domains: dict[str, str] = {}
        for wiki, settings in self.wikis.items():
            other = places.setdefault(place_of(settings.database_url.get_secret_value()), wiki)
            if other != wiki:
                raise ValueError(
                    f"wikis.{wiki}.database_url: leads to the database of {other}, so that each would be scored and "
                    "announced as the other; give each wiki a database of its own"
                )
            other = domains.setdefault(settings.domain.casefold(), wiki)
            # Other wikis may share a domain; each of Wikimedia's has its own.
            if other != wiki and (site_of(wiki) or site_of(other)):
                raise ValueError(
                    f"wikis.{wiki}.domain: {settings.domain} is the domain of {other} already, so that each would be "
                    "announced as the other; correct one of them"
                )
        return self

    @model_validator(mode="after")
    def _endpoints_are_of_known_kinds(self) -> Self:
        if not self.endpoints_by_name:
            raise ValueError("endpoint: there is none to ask for scores; add [endpoint] with its kind and url")
        for name, endpoint in self.endpoints_by_name.items():
            where = section_of(name)
            if endpoint.kind not in KINDS:
                raise ValueError(
                    f"{where}.kind: {endpoint.kind!r} is no kind; write one of {', '.join(KINDS)} "
                    f"(in the file, or as {_variable([*where.split('.'), 'kind'])})"
                )
            if self.flight.call_seconds <= endpoint.timeout_seconds:
                raise ValueError(
                    f"flight.call_seconds: {self.flight.call_seconds:g} leaves no time to wait for a request's turn; "
                    f"make it more than {where}.timeout_seconds, which is {endpoint.timeout_seconds:g}"
                )
        return self

    @model_validator(mode="after")
    def _sendings_end_before_the_process(self) -> Self:
        """A turn that runs too long counts as stuck, and its process ends."""
        for name, section in self.sinks.named.items():
            # It may follow a scoring turn in the same task.
            longest = section.longest_send_seconds + self.flight.call_seconds
            if longest >= self.worker.turn_seconds:
                raise ValueError(
                    f"sinks.{name}.timeout_seconds: a turn with its sending may take {longest:g} s then, and "
                    f"worker.turn_seconds, which is {self.worker.turn_seconds:g}, ends the process before; lower the "
                    "one or raise the other"
                )
        return self

    @model_validator(mode="after")
    def _models_are_known(self) -> Self:
        known = self.scoring_models()
        for wiki, settings in self.wikis.items():
            for name in settings.models:
                if name not in known:
                    raise ValueError(
                        f"wikis.{wiki}.models: {name!r} is no model; known are {', '.join(sorted(known))}; "
                        f"add its classes under [models.{name}]"
                    )
                self._endpoint_has_model(wiki, settings, name, known[name])
            self._announced_names_differ(wiki, settings, known)
            self._formulas_can_be_resolved(wiki, settings, known)
            self.models_of(wiki, known)
        return self

    @property
    def redis(self) -> RedisUrl:
        """Where Redis is, in the form that each library needs."""
        return read_redis_url(self.redis_url.get_secret_value())

    @property
    def endpoints_by_name(self) -> dict[str, EndpointSettings]:
        """All endpoints; the one of the section `[endpoint]` is called `default`."""
        return self.endpoints if self.endpoint is None else {DEFAULT_ENDPOINT: self.endpoint, **self.endpoints}

    @property
    def routes(self) -> HttpRoutes:
        """How requests go out: by `[http]`, then by the environment as it is now."""
        return HttpRoutes(self.http, dict(os.environ))  # noqa: TID251 - this module is the reader

    @property
    def contact(self) -> str | None:
        """How operators of the servers that we ask can reach us."""
        return next((each.contact for each in self.endpoints_by_name.values() if each.contact), None)

    @model_validator(mode="after")
    def _wikimedia_knows_who_asks_its_wikis(self) -> Self:
        for wiki, settings in self.wikis.items():
            if settings.api_url is not None and self.contact is None and site_of(wiki) is not None:
                raise ValueError(
                    f"wikis.{wiki}.api_url: Wikimedia requires a contact; set endpoint.contact to an e-mail "
                    "address or a web page of yours"
                )
        return self

    def wiki_api_of(self, wiki: str) -> EndpointSettings | None:
        """How the API of *wiki* is asked; None if its address is not set."""
        url, api = self.wikis[wiki].api_url, self.wiki_api
        if url is None:
            return None
        return EndpointSettings(
            url=url,
            contact=self.contact,
            timeout_seconds=api.timeout_seconds,
            requests_per_second=api.requests_per_second,
            concurrency=api.concurrency,
            slow_seconds=api.timeout_seconds,
        )

    def _endpoint_has_model(self, wiki: str, settings: WikiSettings, name: str, model: ScoringModel) -> None:
        endpoint, server = self.endpoints_by_name.get(model.endpoint), model.server
        if endpoint is None:
            raise ValueError(
                f"models.{name}.endpoint: there is no endpoint {model.endpoint!r}; "
                f"add [{section_of(model.endpoint)}], or name one of {', '.join(self.endpoints_by_name)}"
            )
        kind = KINDS[endpoint.kind]
        if server not in kind.servers:
            where = section_of(model.endpoint)
            raise ValueError(f"wikis.{wiki}.models: {kind.title} has no {name}; set {where}.kind to lift_wing")
        if server.needs_language and settings.language is None:
            raise ValueError(
                f"wikis.{wiki}.models: {name} finds a wiki by its language and knows Wikipedias only; "
                f"remove it, or set wikis.{wiki}.language"
            )
        if server is LiftWingServer.REVERT_RISK_WIKIDATA and wiki != "wikidatawiki":
            raise ValueError(f"wikis.{wiki}.models: {name} knows wikidatawiki only; remove it")

    def _announced_names_differ(self, wiki: str, settings: WikiSettings, known: Mapping[str, ScoringModel]) -> None:
        """Refuse two models that are announced under one name: an event can hold only one of them."""
        names: dict[str, str] = {}
        for model in settings.models:
            other = names.setdefault(announced_name(model, known), model)
            if other != model:
                raise ValueError(
                    f"wikis.{wiki}.models: {other} and {model} are both announced as {announced_name(model, known)}; "
                    f"set another models.{model}.announced_as, or remove one of them"
                )

    def _formulas_can_be_resolved(self, wiki: str, settings: WikiSettings, models: Mapping[str, ScoringModel]) -> None:
        for model, levels in with_thresholds(settings.thresholds).items():
            endpoint = self.endpoints_by_name.get(models[model].endpoint)
            for level, threshold in levels.items():
                if threshold.statistics and endpoint is not None and not KINDS[endpoint.kind].tells_statistics:
                    raise ValueError(
                        f"wikis.{wiki}.thresholds.{model}.{level}: {KINDS[endpoint.kind].title} has no statistics to "
                        "resolve a formula with; write a number from 0 to 1"
                    )

    def models_by_wiki(self) -> dict[str, dict[str, ScoringModel]]:
        """The models of each wiki that are on, by name, in the order of the settings."""
        models = self.scoring_models()
        return {
            wiki: {name: models[name] for name in settings.models if models[name].enabled}
            for wiki, settings in self.wikis.items()
        }

    def models_with_features(self) -> frozenset[str]:
        """The models whose endpoints can send the features of a score along with it."""
        kinds = {name: KINDS[endpoint.kind] for name, endpoint in self.endpoints_by_name.items()}
        return frozenset(
            name
            for name, model in self.scoring_models().items()
            if model.endpoint in kinds and kinds[model.endpoint].gives_features
        )

    def scoring_models(self) -> dict[str, ScoringModel]:
        """Every model by name, the changes of `[models.…]` applied."""
        return with_overrides(self.models)

    def models_of(self, wiki: str, known: Mapping[str, ScoringModel]) -> dict[str, ScoringModel]:
        """The models of *wiki* by name, in the order of its settings and with the classes that it has.

        *known* are all `scoring_models`.
        """
        settings = self.wikis[wiki]
        models = {name: known[name] for name in settings.models}
        for name, classes in settings.classes.items():
            where = f"wikis.{wiki}.classes.{name}"
            if name not in models:
                raise ValueError(f"{where}: {wiki} has no such model; add it to wikis.{wiki}.models, or remove this")
            try:
                models[name] = with_classes(models[name], classes)
            except ValueError as error:
                raise ValueError(f"{where}: {error}") from error
        return models


def section_of(endpoint: str) -> str:
    """The section of the settings file for the endpoint of that name."""
    return "endpoint" if endpoint == DEFAULT_ENDPOINT else f"endpoints.{endpoint}"


def _with_site(wiki: Any, fields: Any) -> Any:
    site = site_of(wiki) if isinstance(wiki, str) else None
    if not isinstance(fields, dict) or site is None:
        return fields
    return {"domain": site.domain, "language": site.lift_wing_language} | fields


def settings_file() -> Path | None:
    """The file that the settings are read from; None if there is none."""
    named = os.environ.get(FILE_VARIABLE)  # noqa: TID251 - this module is the reader
    if named:
        return Path(named)
    return DEFAULT_FILE if DEFAULT_FILE.is_file() else None


def use_settings_file(file: Path) -> None:
    """Make this process and the children it starts from now on read *file*, and nothing else."""
    for variable in [name for name in os.environ if name.startswith(PREFIX)]:  # noqa: TID251
        del os.environ[variable]  # noqa: TID251
    os.environ[FILE_VARIABLE] = str(file)  # noqa: TID251


def load_settings() -> Settings:
    """Read the settings of this process.

    Raises:
        SettingsInvalid: one sentence naming each wrong or missing setting, never its value.
    """
    file = settings_file()
    if file is not None and not file.is_file():
        why = "is a directory" if file.is_dir() else "is not there"
        raise SettingsInvalid(f"the settings file {file} named by {FILE_VARIABLE} {why}; create it or unset it")
    if unknown := unknown_variables(os.environ, Settings.model_fields):  # noqa: TID251
        raise SettingsInvalid(f"settings (environment): {'; '.join(unknown)}")
    source = str(file) if file else "no outpatrol.toml here"
    try:
        return Settings()
    except ValidationError as error:
        raise SettingsInvalid(f"settings ({source}): {describe(error)}") from error
    except OSError as error:
        raise SettingsInvalid(
            f"settings ({source}): the file can't be read: {error.strerror}; give us the right to it"
        ) from error
    except ValueError as error:
        raise SettingsInvalid(f"settings ({source}): {error}; correct the file or the variable") from error


def _variable(path: Sequence[str]) -> str:
    return PREFIX + LEVEL.join(path).upper()


def describe(error: ValidationError) -> str:
    """The problems of *error* in one line: field, what is wrong, and the variable that would set it."""
    problems = []
    for detail in error.errors():
        path = [str(part) for part in detail["loc"]]
        message = detail["msg"].removeprefix("Value error, ")
        problems.append(f"{'.'.join(path)}: {message} (in the file, or as {_variable(path)})" if path else message)
    return "; ".join(problems)
