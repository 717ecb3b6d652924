"""Several endpoints: each score is asked for where its model is, and each endpoint in the way its section says."""

import asyncio
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from structlog.testing import capture_logs

from tests.builders import some_settings
from tests.worker.asking import RISK, Unlimited
from tests.worker.clients.shapes import right
from tests.worker.raw_server import Request, http, raw_server, raw_server_beside
from worker.bootstrap import build_services
from worker.config.settings_sections import EndpointSettings
from worker.domain.errors import SettingsInvalid
from worker.domain.scores import Answer, NoAnswer, Sample, Score, ScoreId
from worker.endpoints.client import Endpoint
from worker.endpoints.kinds import KINDS
from worker.endpoints.ores import OresClient
from worker.endpoints.pacer import Pacer
from worker.settings import Settings, describe

ONE = ScoreId("enwiki", "damaging", 1, "0.5.1")
RISKY = ScoreId("enwiki", RISK, 1, "3")


def ask_once(base: str | None = None, **settings: Any) -> tuple[Answer, list[Request]]:
    """Ask an endpoint that answers as ORES does; returns the answer and the requests that it got."""

    async def ask() -> tuple[Answer, list[Request]]:
        async with raw_server(right) as server:
            section = EndpointSettings(**({"url": base or server.url} | settings_at(server.url, settings)))
            client = OresClient(Endpoint(section, Pacer(server.url, Unlimited(), patience=5)))
            try:
                return (await client.score([ONE]))[ONE], server.requests
            finally:
                await client.close()

    return asyncio.run(ask())


def settings_at(url: str, settings: dict[str, Any]) -> dict[str, Any]:
    return {name: url if value == "HERE" else value for name, value in settings.items()}


def problem(**sections: Any) -> str:
    wikis = {"enwiki": {"database_url": "sqlite:///enwiki.db"}}
    with pytest.raises(ValidationError) as raised:
        Settings.model_validate({"wikis": wikis, **sections})
    return describe(raised.value)


def test_each_score_is_asked_for_at_the_endpoint_that_its_model_names() -> None:
    with raw_server_beside(right) as ores, raw_server_beside(right) as lift_wing:
        settings = some_settings(
            scoring_url=ores.url,
            endpoints={"risk": {"kind": "lift_wing", "url": lift_wing.url}},
            models=("damaging", RISK),
            scoring_models={RISK: {"endpoint": "risk"}},
        )
        with closing(build_services(settings, send=lambda *_: None)) as services:
            answers = services.runner.run(services.client.score([ONE, RISKY]))

    assert {score_id: type(answer) for score_id, answer in answers.items()} == {ONE: Score, RISKY: Score}
    assert [request.method for request in ores.requests] == ["GET"]
    assert [request.method for request in lift_wing.requests] == ["POST"]


def test_an_endpoint_that_is_gone_costs_no_score_and_no_version_of_another() -> None:
    with raw_server_beside(right) as ores:
        settings = some_settings(
            scoring_url=ores.url,
            endpoints={"risk": {"kind": "lift_wing", "url": "http://127.0.0.1:1"}},
            models=("damaging", RISK),
            scoring_models={RISK: {"endpoint": "risk"}},
        )
        with closing(build_services(settings, send=lambda *_: None)) as services:
            answers = services.runner.run(services.client.score([ONE, RISKY]))
            with capture_logs() as logs:
                versions = services.runner.run(services.client.versions("enwiki", ["damaging", RISK], Sample(1)))

    assert {score_id: type(answer) for score_id, answer in answers.items()} == {ONE: Score, RISKY: NoAnswer}
    assert "damaging" in versions
    warnings = [each["error"] for each in logs if each["event"] == "endpoint_unavailable"]
    assert [("http://127.0.0.1:1" in each) for each in warnings] == [True]


@pytest.mark.parametrize(
    ("reply", "cure"),
    [
        (http(404, b""), "; correct endpoints.risk.url and endpoints.risk.kind"),
        (http(401, b""), "; renew the token in endpoints.risk.token_file"),
        (http(301, b""), "; it leads nowhere; correct endpoints.risk.url"),
        (http(200, b"<html>"), "; correct endpoints.risk.url and endpoints.risk.kind"),
    ],
)
def test_the_cure_of_a_refusal_names_the_section_of_its_endpoint(reply: bytes, cure: str) -> None:
    with raw_server_beside(lambda _: reply) as lift_wing:
        settings = some_settings(
            endpoints={"risk": {"kind": "lift_wing", "url": lift_wing.url}},
            models=(RISK,),
            scoring_models={RISK: {"endpoint": "risk"}},
        )
        with closing(build_services(settings, send=lambda *_: None)) as services:
            answers = services.runner.run(services.client.score([RISKY]))

    answer = answers[RISKY]
    assert isinstance(answer, NoAnswer)
    assert cure in answer.error


def test_an_endpoint_can_be_the_only_one_and_have_a_name() -> None:
    settings = Settings.model_validate(
        {
            "endpoints": {"ores": {"url": "http://127.0.0.1:1"}},
            "models": {name: {"endpoint": "ores"} for name in ("damaging", "goodfaith")},
            "wikis": {"enwiki": {"database_url": "sqlite:///enwiki.db"}},
        }
    )

    assert list(settings.endpoints_by_name) == ["ores"]


def test_headers_of_the_section_are_sent_and_shown_nowhere() -> None:
    answer, (request,) = ask_once(headers={"X-Client": "hunter2"})

    assert isinstance(answer, Score)
    assert request.headers["x-client"] == "hunter2"
    assert "hunter2" not in repr(EndpointSettings(url="http://127.0.0.1:1", headers={"X-Client": "hunter2"}))


def test_a_token_in_a_file_is_sent_with_every_request(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("abc.def\n")

    _, (request,) = ask_once(token_file=file)

    assert request.headers["authorization"] == "Bearer abc.def"


@pytest.mark.parametrize("content", ["", "two words", "x" * 20_000, "caf\xe9"])
def test_a_file_without_a_token_is_an_outage_that_names_the_file(tmp_path: Path, content: str) -> None:
    file = tmp_path / "token"
    file.write_text(content)

    answer, requests = ask_once(token_file=file)

    assert isinstance(answer, NoAnswer)
    assert str(file) in answer.error
    assert requests == []


def test_a_token_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    answer, _ = ask_once(token_file=tmp_path / "none")

    assert isinstance(answer, NoAnswer)
    assert f"{tmp_path}/none can't be read: No such file or directory" in answer.error


def test_requests_go_through_the_proxy() -> None:
    answer, (request,) = ask_once(base="http://scores.invalid", proxy="HERE")

    assert isinstance(answer, Score)
    assert request.target.startswith("http://scores.invalid/v3/scores/enwiki/")


def test_a_file_that_holds_no_certificates_is_named(tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    file.write_text("nothing")

    with pytest.raises(SettingsInvalid, match=f"ca_file: {file} holds no certificates"):
        ask_once(ca_file=file)


def test_an_endpoint_that_a_model_names_and_nobody_set_is_named() -> None:
    sentence = problem(endpoint={"url": "http://127.0.0.1:1"}, models={"damaging": {"endpoint": "elsewhere"}})

    assert "models.damaging.endpoint: there is no endpoint 'elsewhere'; add [endpoints.elsewhere]" in sentence


def test_settings_without_any_endpoint_are_refused() -> None:
    assert "there is none to ask for scores; add [endpoint]" in problem()


def test_a_kind_that_does_not_exist_is_named_with_those_that_do() -> None:
    sentence = problem(endpoints={"new": {"url": "http://127.0.0.1:1", "kind": "oracle"}})

    assert f"endpoints.new.kind: 'oracle' is no kind; write one of {', '.join(KINDS)}" in sentence
