"""The URL of Redis is read once: both libraries get what it says, or it is refused in a sentence."""

import re
import ssl
from pathlib import Path
from typing import Any

import pytest
from celery import Celery
from hypothesis import given
from hypothesis import strategies as st
from redis import Redis

from tests.builders import some_settings
from worker.app import configuration
from worker.bootstrap import connect_redis
from worker.config.redis_url import KNOWN, read_redis_url

CA = Path(__file__)


def of_redis_py(url: str) -> dict[str, Any]:
    with connect_redis(some_settings(redis_url=url)) as redis:
        return dict(redis.connection_pool.connection_kwargs)


def of_celery(url: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """What the broker and the result backend connect with."""
    app = Celery(set_as_current=False)
    app.config_from_object(configuration(some_settings(redis_url=url)))
    with app, app.connection() as connection:
        # Making a channel connects; its parameters are known before.
        transport: Any = connection.transport
        channel = transport.Channel
        parameters = channel._connparams(_Unconnected(connection, channel))
        return parameters, app.backend.connparams  # type: ignore[attr-defined]  # untyped


class _Unconnected:
    """What kombu's channel is while it puts together how to connect."""

    def __init__(self, connection: Any, channel: Any) -> None:
        self._channel = channel
        self.connection = type("Transport", (), {"client": connection, "default_port": 6379})
        for name in channel.from_transport_options:
            if isinstance(name, str) and name in connection.transport_options:
                setattr(self, name, connection.transport_options[name])

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._channel, name)
        return found.__get__(self) if callable(found) and not isinstance(found, type) else found


@pytest.mark.parametrize(
    ("url", "wanted"),
    [
        ("redis://db.example:7000/3", {"host": "db.example", "port": 7000, "db": 3}),
        ("REDIS://db.example", {"host": "db.example", "port": 6379, "db": 0}),
        ("redis://db.example?db=3", {"db": 3}),
        ("redis://db.example/3?db=3", {"db": 3}),
        ("redis://db.example/", {"db": 0}),
        ("redis://[::1]:7000", {"host": "::1", "port": 7000}),
        ("redis://patrol:p%2Fw%40%23@db.example", {"username": "patrol", "password": "p/w@#"}),
        ("redis://:p%25w@db.example", {"username": None, "password": "p%w"}),
        ("redis://db.example?client_name=patrol", {"client_name": "patrol"}),
        ("rediss://db.example", {"ssl_cert_reqs": ssl.CERT_REQUIRED}),
        ("rediss://db.example?ssl_cert_reqs=CERT_REQUIRED", {"ssl_cert_reqs": ssl.CERT_REQUIRED}),
        ("rediss://db.example?ssl_cert_reqs=required", {"ssl_cert_reqs": ssl.CERT_REQUIRED}),
        ("rediss://db.example?ssl_cert_reqs=CERT_NONE", {"ssl_cert_reqs": ssl.CERT_NONE}),
        ("rediss://db.example?ssl_cert_reqs=optional", {"ssl_cert_reqs": ssl.CERT_OPTIONAL}),
        ("RedisS://db.example?ssl_check_hostname=false", {"ssl_check_hostname": False}),
        (f"rediss://db.example?ssl_ca_certs={CA}", {"ssl_ca_certs": str(CA)}),
        (f"rediss://db.example?ssl_ca_path={CA.parent}", {"ssl_ca_path": str(CA.parent)}),
        (
            f"rediss://db.example?ssl_certfile={CA}&ssl_keyfile={CA}",
            {"ssl_certfile": str(CA), "ssl_keyfile": str(CA)},
        ),
    ],
)
def test_redis_py_and_both_halves_of_celery_understand_the_same(url: str, wanted: dict[str, Any]) -> None:
    for parameters in (of_redis_py(url), *of_celery(url)):
        assert {name: parameters.get(name) for name in wanted} == wanted


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("redis://db.example?health_check_interval=30", "?health_check_interval is not known here; set redis_timeout"),
        ("redis://db.example?socket_timeout=30", "?socket_timeout is not known here; set redis_timeout_seconds"),
        ("redis://db.example?protocol=3", "?protocol is not known here; both clients find that out by themselves"),
        ("redis://db.example?password=hunter2", "?password is not known here; write redis://:password@"),
        ("redis://db.example?max_connections=1", "?max_connections is not known here; leave it out, or write one of"),
        ("redis://db.example?hunter2", "what stands after the question mark is not known here"),
        ("redis://db.example/notanumber", "what stands after the host is no number of a database"),
        ("redis://db.example/1/2", "what stands after the host is no number of a database"),
        ("redis://db.example/-1", "what stands after the host is no number of a database"),
        ("redis://user/hunter2@db.example", "what stands after the host is no number of a database"),
        ("redis://db.example/1?db=2", "names two databases"),
        ("redis://db.example?db=one", "?db: Input should be a valid integer"),
        ("redis://db.example?client_name=two%20words", "?client_name: "),
        ("redis://db.example?ssl_cert_reqs=none", "?ssl_cert_reqs needs an encrypted connection; write rediss://"),
        ("rediss://db.example?ssl_cert_reqs=perhaps", "?ssl_cert_reqs: write required, optional or none"),
        ("rediss://db.example?ssl_ca_certs=/nowhere/ca.pem", "/nowhere/ca.pem can't be read: No such file"),
        ("rediss://db.example?ssl_ca_path=/nowhere", "/nowhere can't be read: No such file"),
        (f"rediss://db.example?ssl_keyfile={CA.parent}", "can't be read: it is a directory"),
        ("redis:///0", "not the URL of a Redis"),
        ("redis://:hunter2#x@db.example", "not the URL of a Redis"),
        ("unix:///run/redis.sock", "not the URL of a Redis"),
        ("sentinel://db.example", "not the URL of a Redis"),
    ],
)
def test_what_one_of_them_would_not_do_is_refused_in_a_sentence(url: str, words: str) -> None:
    with pytest.raises(ValueError, match=re.escape(words)) as caught:
        read_redis_url(url)

    assert "hunter2" not in str(caught.value)
    assert "\n" not in str(caught.value)


@given(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
    st.integers(1, 65535),
    st.integers(0, 999_999_999),
    st.booleans(),
)
def test_what_was_read_is_written_so_that_it_is_read_again_in_the_same_sense(
    user: str, secret: str, port: int, db: int, is_encrypted: bool
) -> None:
    once = read_redis_url(f"redis{'s' if is_encrypted else ''}://db.example:{port}/{db}")
    given_url = once.model_copy(update={"user": user, "secret": type(once.secret)(secret)})

    again = read_redis_url(given_url.address)

    assert again == given_url
    with Redis.from_url(again.address) as redis:
        parameters = redis.connection_pool.connection_kwargs
    assert (parameters.get("username") or "", parameters.get("password") or "") == (user, secret)


@given(st.text())
def test_whatever_is_written_there_is_read_or_refused_in_one_line(url: str) -> None:
    try:
        said = read_redis_url(f"redis://{url}").address
    except ValueError as error:
        said = str(error)

    assert said
    assert "\n" not in said


def test_every_option_that_is_known_is_named_where_another_is_refused() -> None:
    with pytest.raises(ValueError, match="is not known") as caught:
        read_redis_url("redis://db.example?nothing=1")

    assert ", ".join(KNOWN) in str(caught.value)
