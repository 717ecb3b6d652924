"""The URL of Redis: read once, here, and passed to redis-py and to Celery in a form that means the same to both.

They read the same URL differently: `ssl_cert_reqs=CERT_REQUIRED` is an error for redis-py, `?db=3` is one for Celery's
broker, and `/notanumber` means database 0 to redis-py (redis/redis-py redis/connection.py `parse_url`, celery/kombu
kombu/utils/url.py `parse_url`).
"""

import re
import ssl
from typing import Annotated, Any
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlsplit

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, ValidationError

from worker.config.files import ReadableDirectory, ReadableFile

FORM = "redis://:password@host:6379/0, a slash in the password as %2F"
#: Options of the libraries that have another place here, and which.
ELSEWHERE = {
    "protocol": "both clients find that out by themselves; leave it out",
    "password": "write redis://:password@host:6379/0",
    "username": "write redis://user:password@host:6379/0",
    **dict.fromkeys(
        ("health_check_interval", "socket_timeout", "socket_connect_timeout", "socket_keepalive", "retry_on_timeout"),
        "set redis_timeout_seconds instead",
    ),
}


def _verify_mode(text: Any) -> Any:
    """How strictly the certificate is checked, as redis-py (required) or Celery (CERT_REQUIRED) spells it."""
    modes = {mode.name: mode for mode in ssl.VerifyMode}
    name = f"CERT_{str(text).upper().removeprefix('CERT_')}"
    if name not in modes:
        raise ValueError("write required, optional or none")
    return modes[name]


class Tls(BaseModel):
    """The options for the encryption of `rediss://`, by the names that both libraries use."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    ssl_cert_reqs: Annotated[ssl.VerifyMode, BeforeValidator(_verify_mode)] = ssl.CERT_REQUIRED
    ssl_ca_certs: ReadableFile | None = None
    ssl_ca_path: ReadableDirectory | None = None
    ssl_certfile: ReadableFile | None = None
    ssl_keyfile: ReadableFile | None = None
    ssl_check_hostname: bool = True


#: The options that a URL may have.
KNOWN = ("db", "client_name", *Tls.model_fields)


class RedisUrl(BaseModel):
    """Where Redis is, and how to speak to it."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    host: str = "127.0.0.1"
    port: int = 6379
    db: int = Field(default=0, ge=0)
    user: str = ""
    secret: SecretStr = SecretStr("")
    client_name: str | None = Field(default=None, pattern=r"^[!-~]+$")
    tls: Tls | None = None

    @property
    def address(self) -> str:
        """The URL without options; holds the password."""
        secret = self.secret.get_secret_value()
        who = quote(self.user, safe="") + (f":{quote(secret, safe='')}" if secret else "")
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"redis{'s' if self.tls else ''}://{who}{'@' if who else ''}{host}:{self.port}/{self.db}"

    @property
    def encryption(self) -> dict[str, Any]:
        """What redis-py and kombu call `ssl_…`; empty without encryption."""
        if self.tls is None:
            return {}
        given = self.tls.model_dump(exclude_none=True)
        return {
            name: value if isinstance(value, bool | ssl.VerifyMode) else str(value) for name, value in given.items()
        }

    @property
    def options(self) -> dict[str, Any]:
        """What redis-py needs besides the address."""
        return self.encryption | ({"client_name": self.client_name} if self.client_name else {})


def read_redis_url(url: str) -> RedisUrl:
    """What *url* says.

    Raises:
        ValueError: it is not the URL of a Redis, or asks for what one of the libraries can't do; the sentence shows
            nothing that may be a password.
    """
    parts = _split(url)
    options = _options(parts)
    tls = {name: options.pop(name) for name in list(options) if name.startswith("ssl_")}
    if tls and parts.scheme == "redis":
        raise ValueError(f"?{next(iter(tls))} needs an encrypted connection; write rediss:// or leave it out")
    try:
        return RedisUrl(
            host=unquote(parts.hostname or "127.0.0.1"),
            port=parts.port or 6379,
            user=unquote(parts.username or ""),
            secret=SecretStr(unquote(parts.password or "")),
            tls=Tls(**tls) if parts.scheme == "rediss" else None,
            **options,
        )
    except ValidationError as error:
        wrong = error.errors(include_input=False)[0]
        raise ValueError(f"?{wrong['loc'][-1]}: {wrong['msg'].removeprefix('Value error, ')}") from None


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        is_right = parts.scheme in {"redis", "rediss"} and parts.netloc != "" and not parts.fragment
        # Its own text shows what stands after the colon, which may be a password.
        is_right = is_right and (parts.port is None or parts.port > 0)
    except ValueError:
        is_right = False
    if not is_right:
        raise ValueError(f"not the URL of a Redis; write {FORM}")
    return parts


def _options(parts: SplitResult) -> dict[str, Any]:
    """The options after the question mark, and the database from wherever it stands."""
    options: dict[str, Any] = dict(parse_qsl(parts.query, keep_blank_values=True))
    for name in options:
        if name in ELSEWHERE:
            raise ValueError(f"?{name} is not known here; {ELSEWHERE[name]}")
        if name not in KNOWN:
            shown = f"?{name}" if re.fullmatch("[a-z_]+", name) else "what stands after the question mark"
            raise ValueError(f"{shown} is not known here; leave it out, or write one of {', '.join(KNOWN)}")
    if path := parts.path.removeprefix("/"):
        # Not shown: with a slash in it, it may be part of a password.
        if not re.fullmatch("[0-9]{1,9}", path):
            raise ValueError(f"what stands after the host is no number of a database; write {FORM}")
        if options.setdefault("db", path) != path:
            raise ValueError(f"names two databases; leave out /{path} or ?db=…")
    return options
