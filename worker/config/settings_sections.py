"""The sections of the settings file: their fields, and which values are valid. Pure."""

import re
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

from worker.config.files import ReadableFile
from worker.domain.thresholds import LevelSetting, Threshold, with_thresholds

Network = IPv4Network | IPv6Network
LOOPBACK = (IPv4Network("127.0.0.0/8"), IPv6Network("::1/128"))
#: The path of articles on Wikimedia's wikis.
USUAL_ARTICLE_PATH = "/wiki/$1"
#: What HTTP allows, and httpx and aiohttp can write. Source: RFC 9110 sections 5.1 and 5.5.
HEADER_NAME = "[!#$%&'*+.^_`|~0-9A-Za-z-]+"
HEADER_VALUE = r"([!-~]([\t -~]*[!-~])?)?"
#: Headers that frame a request: with another value than ours the next one would be read as a part of it.
OUR_HEADERS = {"connection", "content-length", "transfer-encoding"}


class Section(BaseModel):
    """A section of the settings file: immutable, and a field that it does not know is refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class SinkSection(Section):
    """Where events go."""

    @property
    def longest_send_seconds(self) -> float:
        """Seconds that one sending may take; 0 if only the machine bounds it."""
        return 0.0


def without_password(url: str) -> str:
    """*url*; one with a password is refused, since errors in logs and dead letters would show it."""
    if "@" in urlsplit(url).netloc:
        raise ValueError("holds a user or a password, which logs would show; let a proxy in front of it log in")
    return url


class EndpointSettings(Section):
    """Where scores come from, and how much all workers together may ask of it."""

    kind: str = Field(default="ores", description="Which API the endpoint speaks: ores or lift_wing.")
    url: str = Field(pattern=r"^https?://", description="Base URL, without /v3/scores or /v1/models.")
    contact: str | None = Field(
        default=None,
        pattern=r"^(https?://[!-'*-~]+|[!-'*-?A-~]+@[!-'*-~]+)$",
        description="Address or web page of the operator, sent in the User-Agent.",
    )
    timeout_seconds: float = Field(default=15, gt=0, le=120, description="For one request, connecting included.")
    requests_per_second: float = Field(default=100, ge=0.1, le=1_000_000, description="Limit of all workers together.")
    #: As many as a hundred a second need where each takes the 0.6 s of a Lift Wing (T409388).
    concurrency: int = Field(default=64, ge=1, le=4096, description="Requests under way at once, of all workers.")
    slow_seconds: float = Field(default=5, gt=0, description="Replies slower than this on average lower the rate.")
    scores_per_request: int = Field(default=50, ge=1, le=50, description="Revisions × models in an ORES request.")
    instances_per_request: int = Field(default=20, ge=1, le=20, description="Revisions in a Lift Wing request.")
    host_routing: bool = Field(default=False, description="Send each Lift Wing server's name as Host header.")
    #: Sent with every request; masked wherever settings are shown.
    headers: dict[str, SecretStr] = Field(default_factory=dict)
    token_file: Path | None = Field(default=None, description="Holds a bearer token; read again when it changes.")
    proxy: str | None = Field(default=None, pattern=r"^https?://", description="Requests go through it.")
    ca_file: ReadableFile | None = Field(default=None, description="Certificates to check the endpoint's by, PEM.")

    @field_validator("url", "proxy")
    @classmethod
    def _holds_no_password(cls, url: str | None) -> str | None:
        return url and without_password(url)

    @field_validator("headers")
    @classmethod
    def _headers_can_be_sent(cls, headers: dict[str, SecretStr]) -> dict[str, SecretStr]:
        for name, value in headers.items():
            if not re.fullmatch(HEADER_NAME, name):
                raise ValueError(f"{name!r} is no name of a header; write letters, digits and hyphens")
            if name.lower() in OUR_HEADERS:
                raise ValueError(f"{name} says where a request ends, which only we know; leave it out")
            if not re.fullmatch(HEADER_VALUE, value.get_secret_value()):
                raise ValueError(f"the value of {name} can't be sent; write ASCII characters in one line")
        return headers

    @model_validator(mode="after")
    def _wikimedia_knows_whom_to_ask(self) -> "EndpointSettings":
        host = urlsplit(self.url).hostname or ""
        if self.contact is None and host.endswith((".wikimedia.org", ".wmnet")):
            raise ValueError(
                f"{host} requires a contact; set endpoint.contact to an e-mail address or a web page of yours"
            )
        return self


class HttpSettings(Section):
    """How all requests go out; what is not set here follows the environment (`worker/config/http_routes.py`)."""

    proxy: str | None = Field(
        default=None, pattern=r"^(https?://.+)?$", description="Requests go through it; empty for none."
    )
    no_proxy: tuple[str, ...] = Field(
        default=(), description="Hosts, domains and networks that are asked directly, in addition to those of NO_PROXY."
    )
    ca_file: Path | None = Field(default=None, description="Certificates to check those of servers by, PEM.")

    @field_validator("proxy")
    @classmethod
    def _holds_no_password(cls, url: str | None) -> str | None:
        return url and without_password(url)


class EventsSettings(Section):
    """What is announced of an edit, on which streams."""

    stream: str = Field(default="mediawiki.revision-score", min_length=1, description="One score event an edit.")
    stream_of_model: str | None = Field(
        default=None,
        min_length=1,
        description="Instead, one score event a model, on this plus the model's name, as in mediawiki.revision_score_.",
    )
    #: Model to the stream on which its predictions are announced in addition.
    prediction_streams: dict[str, Annotated[str, Field(min_length=1)]] = Field(default_factory=dict)
    prediction_schema: Literal["1.1.0", "1.3.0"] = Field(
        default="1.3.0", description="Version of page/prediction_classification_change."
    )
    waits_for_page_ids: bool = Field(
        default=False,
        description="An edit without a known page is tried later; else its events go without the page id.",
    )
    wait_seconds: float = Field(
        default=300,
        ge=0,
        description="How long the event of an edit waits for the last models, once others have answered.",
    )
    ledger_days: float = Field(default=7, gt=0, description="How long the ledger keeps which events were sent.")


class FlightSettings(Section):
    """De-duplication of scoring calls."""

    result_ttl_seconds: int = Field(default=21600, ge=1, description="How long a score can be shared.")
    error_ttl_seconds: int = Field(default=300, ge=1, description="How long a final error can be shared.")
    call_seconds: float = Field(default=30, gt=0, le=600, description="Deadline of the calls for one batch.")
    lease_margin_seconds: float = Field(default=5, gt=0, description="How much longer than that a lease lasts.")
    patience_seconds: float = Field(
        default=5, ge=0, le=600, description="How long to wait for scores that others compute."
    )
    late_seconds: float = Field(
        default=2,
        gt=0,
        le=600,
        description="How long an edit with some of its scores waits for the others; they are stored when they come.",
    )

    @property
    def lease_seconds(self) -> float:
        return self.call_seconds + self.lease_margin_seconds


class DatabaseSettings(Section):
    """How long databases are waited for."""

    timeout_seconds: float = Field(
        default=10,
        ge=0.5,
        le=600,
        description="For connecting, and for each statement; a server that takes longer is not asked until it answers.",
    )


class WorkerSettings(Section):
    """How many worker processes there are, how each uses its threads, and when it ends."""

    processes: int | None = Field(
        default=None, ge=1, le=1024, description="Of `outpatrol worker`; one a core if unset."
    )
    threads: int = Field(default=32, ge=4, le=512, description="Turns and scores on demand that may run at once.")
    computing: int = Field(default=8, ge=1, le=512, description="Of these, those that compute and do not wait.")
    rest_seconds: float = Field(
        default=0.8,
        ge=0,
        le=10,
        description="From a ring to its turn, so that edits are served in batches; a quarter of it for a lone edit.",
    )

    shutdown_seconds: float = Field(
        default=25,
        ge=0.1,
        le=3600,
        description="For work under way when a process is to end; then it is given back.",
    )

    silent_seconds: float = Field(
        default=20,
        ge=0.5,
        le=3600,
        description="A process whose event loop does nothing for this long is stuck and ends.",
    )
    turn_seconds: float = Field(
        default=300, ge=1, le=86_400, description="A process one of whose tasks runs for longer is stuck and ends."
    )

    @property
    def places(self) -> int:
        """Turns that may hold one endpoint or sink, and transactions on one server: a quarter of the threads."""
        return max(1, self.threads // 4)


class UpkeepSettings(Section):
    """What is done now and then: looking for new model versions, purging, expiring."""

    task_seconds: float = Field(default=20, ge=0.1, le=600, description="How long one task may work.")
    check_seconds: float = Field(default=600, ge=1, description="Between looks for new model versions.")
    prompted_seconds: float = Field(
        default=60, ge=0.1, description="At least between two looks prompted by replies with a new version."
    )
    settle_seconds: float = Field(default=300, ge=0, description="How long a new version is seen before it is current.")
    majority: float = Field(
        default=0.8, gt=0.5, le=1, description="Share of the replies that must carry it during that time."
    )
    replies: int = Field(default=5, ge=1, le=50, description="Replies in one look; four times as many if they differ.")
    rescore: bool = Field(default=False, description="Score what is in recentchanges again with a new version.")
    statistics_seconds: float = Field(default=86_400, ge=60, description="Between looks at what formulas resolve to.")
    purge_seconds: float = Field(default=86_400, ge=1, description="Between purges of what no reader can see.")
    purge_batch_size: int = Field(default=1000, ge=1, le=10_000, description="Rows removed in one transaction.")
    expire_seconds: float = Field(default=3600, ge=1, description="Between clean-ups of recentchanges.")
    recent_changes_days: float = Field(default=90, gt=0, description="Age at which a change leaves recentchanges.")


class WebSettings(Section):
    """The front door, `outpatrol web`."""

    host: str = Field(default="127.0.0.1", min_length=1, description="Address it listens on.")
    port: int = Field(default=8090, ge=0, le=65_535, description="Port it listens on; 0 takes a free one.")
    timeout_seconds: float = Field(
        default=15, ge=0.1, le=300, description="For one request; scores that take longer become errors."
    )
    body_seconds: float = Field(default=5, ge=0.1, le=300, description="For the body of a request to come.")
    body_bytes: int = Field(default=1_048_576, ge=1024, le=67_108_864, description="A longer body is refused.")
    requests_per_client: int = Field(
        default=4, ge=1, le=10_000, description="Requests of one client that are worked on at once."
    )
    waiting_per_client: int = Field(
        default=50, ge=0, le=100_000, description="Further ones that wait for that; more are refused with 429."
    )
    unlimited_clients: tuple[Network, ...] = Field(
        default=LOOPBACK, description="Networks whose clients are not limited; by default this machine."
    )
    trusted_proxies: tuple[Network, ...] = Field(
        default=(), description="Networks whose headers X-Client-IP and X-Forwarded-For are believed."
    )


class WikiApiSettings(Section):
    """How the wikis' own APIs are asked, each by its `api_url`; the limits are those of one wiki, of all workers."""

    timeout_seconds: float = Field(default=10, gt=0, le=120, description="For one request, connecting included.")
    requests_per_second: float = Field(default=5, ge=0.1, le=10_000, description="Limit of all workers together.")
    concurrency: int = Field(default=2, ge=1, le=256, description="Requests under way at once, of all workers.")
    maxlag_seconds: int = Field(default=5, ge=1, le=3600, description="A wiki whose replicas lag more is not asked.")
    patience_seconds: float = Field(default=5, gt=0, le=120, description="How long a request waits for its turn.")


class WikiSettings(Section):
    """One wiki."""

    database_url: SecretStr
    emulated: bool = Field(
        default=False, description="The wiki's own tables are made and written by Outpatrol; false: they are only read."
    )
    attached: bool = Field(
        default=False, description="Edits are promised though the wiki knows nothing of us; `migrate` sees to it."
    )
    attached_by: Literal["trigger", "poll"] = Field(
        default="trigger",
        description="With the edit, by a trigger on the table revision; or after it, by a look at recentchanges.",
    )
    domain: str = Field(min_length=1, description="en.wikipedia.org; follows from the id of a Wikimedia wiki.")
    article_path: str = Field(
        default=USUAL_ARTICLE_PATH,
        pattern=r"^/[!-~]*\$1[!-~]*$",
        description="Path of articles, as $wgArticlePath; used for the addresses in events.",
    )
    language: str | None = Field(
        default=None,
        min_length=1,
        description="Language code by which Lift Wing knows a Wikipedia; also follows from its id.",
    )
    api_url: str | None = Field(
        default=None,
        pattern=r"^https?://",
        description="Where the wiki's api.php and rest.php are; looked up there: what neither stream nor tables say.",
    )
    models: tuple[str, ...] = Field(default=("damaging", "goodfaith"), description="Scoring models, by name.")
    #: Model to class to number, in place of the model's own classes: wikis have their own scales for articles.
    classes: dict[str, dict[str, int]] = Field(default_factory=dict)
    bots_are_autopatrolled: bool = Field(default=True, description="Leave no rows for bots' edits.")
    autopatrolled_groups: tuple[str, ...] | None = Field(
        default=None,
        description="Groups with the right autopatrol; by default bot, sysop, autopatrolled, and Wikimedia's own.",
    )
    #: Model to level to band, on top of `worker.domain.thresholds.DEFAULT_THRESHOLDS`; false removes a level.
    thresholds: dict[str, dict[str, LevelSetting]] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _is_not_both(self) -> "WikiSettings":
        if self.attached and self.emulated:
            raise ValueError(
                "is emulated and attached: an emulated wiki promises its edits itself, and attached is for one that "
                "exists; remove one of the two"
            )
        return self

    @property
    def has_trigger(self) -> bool:
        """Whether a trigger promises the wiki's edits."""
        return self.attached and self.attached_by == "trigger"

    @property
    def is_followed(self) -> bool:
        """Whether the poll promises the wiki's edits, as recentchanges shows them."""
        return self.attached and self.attached_by == "poll"

    @field_validator("api_url")
    @classmethod
    def _is_a_script_path(cls, url: str | None) -> str | None:
        if url is None:
            return None
        try:
            parts = urlsplit(url)
            is_right = bool(parts.hostname) and parts.port != 0 and not parts.query and not parts.fragment
        except ValueError:
            is_right = False
        if not is_right:
            raise ValueError("not where a wiki's api.php is; write https://host/w, without any ?")
        return without_password(url.rstrip("/").removesuffix("/api.php").removesuffix("/rest.php"))

    @field_validator("thresholds")
    @classmethod
    def _filters_have_those_levels(
        cls, thresholds: dict[str, dict[str, Threshold | Literal[False]]]
    ) -> dict[str, dict[str, Threshold | Literal[False]]]:
        with_thresholds(thresholds)
        return thresholds
