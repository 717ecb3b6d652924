"""One rule for all our HTTP: settings before the environment, and what can't be honoured is a sentence at start."""

import ssl
from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import certifi
import pytest

from tests.builders import some_settings
from tests.worker.asking import ids
from tests.worker.clients.shapes import right
from tests.worker.raw_server import Request, http, raw_server_beside
from tests.worker.sinks.posting import a_score
from worker.bootstrap import build_services
from worker.config.http_routes import HttpRoutes, Route
from worker.config.settings_sections import HttpSettings
from worker.domain.errors import SettingsInvalid
from worker.domain.scores import Score

URL = "http://scores.example:8080/v3"
PROXY = "http://proxy.example:3128"


def proxy_to(url: str, environment: Mapping[str, str], **settings: object) -> str | None:
    return HttpRoutes(HttpSettings.model_validate(settings), environment).to(url).proxy


@pytest.mark.parametrize(
    ("url", "environment", "proxy"),
    [
        (URL, {}, None),
        (URL, {"HTTP_PROXY": PROXY}, PROXY),
        (URL, {"http_proxy": "proxy.example:3128"}, PROXY),
        (URL, {"http_proxy": PROXY, "HTTP_PROXY": "http://other.example"}, PROXY),
        (URL, {"http_proxy": "", "HTTP_PROXY": PROXY}, None),
        (URL, {"HTTPS_PROXY": PROXY}, None),
        (URL, {"ALL_PROXY": PROXY}, PROXY),
        (URL, {"ALL_PROXY": "socks5://proxy.example:1080", "HTTP_PROXY": PROXY}, PROXY),
        ("https://scores.example", {"https_proxy": PROXY, "http_proxy": "http://other.example"}, PROXY),
        (URL, {"HTTP_PROXY": "http://me:secret@proxy.example:3128"}, "http://me:secret@proxy.example:3128"),
        ("http://127.0.0.1:8080", {"HTTP_PROXY": PROXY}, None),
        ("http://localhost:8080", {"ALL_PROXY": PROXY}, None),
        ("http://[::1]:8080", {"ALL_PROXY": PROXY}, None),
    ],
)
def test_a_proxy_of_the_environment_is_used_by_the_scheme_of_the_url(
    url: str, environment: dict[str, str], proxy: str | None
) -> None:
    assert proxy_to(url, environment) == proxy


@pytest.mark.parametrize(
    ("url", "entry", "is_direct"),
    [
        (URL, "*", True),
        (URL, "scores.example", True),
        (URL, "SCORES.example.", True),
        (URL, "example", True),
        (URL, ".example", True),
        (URL, "*.example", True),
        (URL, "cores.example", False),
        (URL, "a.scores.example", False),
        (URL, "scores.example:8080", True),
        (URL, "scores.example:80", False),
        ("http://scores.example", "scores.example:80", True),
        (URL, "http://scores.example", True),
        (URL, "", False),
        (URL, "[::1]", False),
        (URL, "fd07:b51a:cc66:f0::/64", False),
        ("http://[fd07:b51a:cc66:f0::7]", "fd07:b51a:cc66:f0::/64", True),
        ("http://[fd07::7]", "[fd07::7]", True),
        ("http://[fd07::7]:81", "[fd07::7]:81", True),
        ("http://[fd07::7]:81", "[fd07::7]:80", False),
        ("http://10.2.1.54", "10.2.0.0/16", True),
        ("http://10.3.1.54", "10.2.0.0/16", False),
        ("http://10.2.1.54", "10.2.1.54", True),
        ("http://10.2.1.54:81", "10.2.1.54:81", True),
        ("http://110.2.1.54", "10.2.1.54", False),
        (URL, "?:\x00[", False),
    ],
)
def test_whom_no_proxy_means(url: str, entry: str, is_direct: bool) -> None:
    for environment in (
        {"ALL_PROXY": PROXY, "NO_PROXY": f"first.test, {entry}"},
        {"all_proxy": PROXY, "no_proxy": entry},
    ):
        assert proxy_to(url, environment) == (None if is_direct else PROXY)


@pytest.mark.parametrize(
    ("settings", "proxy"),
    [
        ({"proxy": "http://ours.example"}, "http://ours.example"),
        ({"proxy": ""}, None),
        ({"no_proxy": ["example"]}, None),
        ({"proxy": "http://ours.example", "no_proxy": ["example"]}, None),
        ({"proxy": "http://ours.example", "no_proxy": ["elsewhere"]}, "http://ours.example"),
    ],
)
def test_a_setting_comes_before_the_environment(settings: dict[str, object], proxy: str | None) -> None:
    assert proxy_to(URL, {"HTTP_PROXY": PROXY}, **settings) == proxy


def test_a_proxy_of_the_section_comes_before_all_others() -> None:
    routes = HttpRoutes(HttpSettings(proxy="http://ours.example", no_proxy=("*",)), {"HTTP_PROXY": PROXY})

    assert routes.to(URL, proxy="http://its.example").proxy == "http://its.example"


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("socks5://me:secret@proxy.example:1080", "a socks5 proxy"),
        ("socks5h://proxy.example", "a socks5h proxy"),
        ("http://", "no URL of a proxy"),
        ("http://proxy.example:secret", "no URL of a proxy"),
        ("http://[::1", "no URL of a proxy"),
    ],
)
def test_a_proxy_that_cannot_be_used_is_named_by_its_variable_and_not_by_its_value(value: str, kind: str) -> None:
    with pytest.raises(SettingsInvalid, match=f"^ALL_PROXY names {kind}, which can't be used; write ") as caught:
        proxy_to(URL, {"ALL_PROXY": value})

    assert "secret" not in str(caught.value)


def test_a_password_of_a_proxy_is_shown_nowhere() -> None:
    routes = HttpRoutes(HttpSettings(), {"HTTP_PROXY": "http://me:secret@proxy.example:3128"})

    assert "secret" not in f"{routes!r} {routes.to(URL)!r}"


@pytest.mark.parametrize("other", [{"NO_PROXY": "scores.example"}, {"HTTP_PROXY": PROXY}])
def test_a_proxy_that_nobody_needs_is_no_problem(other: dict[str, str]) -> None:
    assert proxy_to(URL, {"ALL_PROXY": "socks5://proxy.example", **other}) in {None, PROXY}


@pytest.mark.parametrize("setting", ["endpoint.ca_file", "http.ca_file", "SSL_CERT_FILE"])
@pytest.mark.parametrize("content", [None, "nothing"])
def test_a_file_without_certificates_is_named_with_who_names_it(
    tmp_path: Path, setting: str, content: str | None
) -> None:
    file = tmp_path / "ca.pem"
    if content is not None:
        file.write_text(content)
    there = HttpRoutes(
        HttpSettings(ca_file=file if setting == "http.ca_file" else None),
        {"SSL_CERT_FILE": str(file if setting == "SSL_CERT_FILE" else certifi.where())},
    )
    route = there.to(URL, section="endpoint", ca_file=file if setting == "endpoint.ca_file" else None)

    with pytest.raises(SettingsInvalid, match=f"^{setting}: {file} holds no certificates"):
        route.tls()


def test_a_directory_of_certificates_that_is_not_there_is_named(tmp_path: Path) -> None:
    route = HttpRoutes(HttpSettings(), {"SSL_CERT_DIR": str(tmp_path / "none")}).to(URL)

    with pytest.raises(SettingsInvalid, match=f"^SSL_CERT_DIR: {tmp_path}/none is no directory"):
        route.tls()


def test_a_log_of_keys_that_cannot_be_written_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSLKEYLOGFILE", str(tmp_path / "none" / "keys"))

    with pytest.raises(SettingsInvalid, match=f"^SSLKEYLOGFILE: {tmp_path}/none/keys can't be written to"):
        Route().tls()


def test_certificates_are_checked_unless_told_otherwise() -> None:
    context = Route().tls()

    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
    assert context.get_ca_certs()


@pytest.mark.parametrize(
    ("variable", "value", "sentence"),
    [
        ("ALL_PROXY", "socks5://proxy.example:1080", "ALL_PROXY names a socks5 proxy"),
        ("SSL_CERT_FILE", "/nowhere/ca.pem", "SSL_CERT_FILE: /nowhere/ca.pem holds no certificates"),
    ],
)
@pytest.mark.parametrize("sinks", [{}, {"eventgate": {"url": "http://events.example"}}])
def test_services_are_not_built_with_what_cannot_be_honoured(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, sentence: str, sinks: dict[str, object]
) -> None:
    monkeypatch.setenv(variable, value)

    with pytest.raises(SettingsInvalid, match=sentence):
        build_services(some_settings(scoring_url=URL, sinks=sinks), send=lambda *_: None)


@pytest.mark.parametrize("entry", ["[::1]", "fe80::/10", "*"])
def test_services_are_built_whatever_no_proxy_says(monkeypatch: pytest.MonkeyPatch, entry: str) -> None:
    monkeypatch.setenv("NO_PROXY", entry)
    settings = some_settings(scoring_url=URL, sinks={"eventgate": {"url": "http://events.example"}})

    with closing(build_services(settings, send=lambda *_: None)) as services:
        assert list(services.sinks) == ["eventgate"]


def test_scores_events_and_streams_go_through_one_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    def answer(request: Request) -> bytes:
        path = request.target.removeprefix("http://scores.invalid").removeprefix("http://events.invalid")
        return right(replace(request, target=path)) if path.startswith("/v3/") else http(201, b"")

    with raw_server_beside(answer) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        settings = some_settings(
            scoring_url="http://scores.invalid", sinks={"eventgate": {"url": "http://events.invalid"}}
        )
        with closing(build_services(settings, send=lambda *_: None)) as services:
            answers = services.runner.run(services.client.score(ids([1], ["damaging"])))
            failures = services.sinks["eventgate"].send([a_score(1)])

    assert [type(each) for each in answers.values()] == [Score]
    assert failures == {}
    assert [request.target.split("?")[0] for request in proxy.requests] == [
        "http://scores.invalid/v3/scores/enwiki/",
        "http://events.invalid/v1/events",
    ]
