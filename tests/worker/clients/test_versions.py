"""An endpoint tells the versions of its models, each for itself."""

import asyncio
from collections.abc import Callable

import pytest

from tests.endpoint import EmulatedEndpoint
from tests.worker.asking import KINDS, RISK, with_client
from tests.worker.clients.servers import PAGE, REVISION, ServerCase, every_server
from tests.worker.clients.shapes import ok, right, right_document, server_of
from tests.worker.raw_server import Request, http, raw_server
from worker.domain.errors import EndpointUnavailable
from worker.domain.failures import Failure
from worker.domain.scores import Sample

both = pytest.mark.parametrize("kind", KINDS)


def versions_from(kind: str, models: list[str], reply: Callable[[Request], bytes]) -> dict[str, str]:
    async def converse() -> dict[str, str]:
        async with raw_server(reply) as server:
            return await with_client(kind, server.url, lambda client: client.versions("enwiki", models, Sample(7)))

    return asyncio.run(converse())


@every_server
def test_each_lift_wing_server_tells_its_version(server: ServerCase, endpoint: EmulatedEndpoint) -> None:
    found = asyncio.run(
        with_client(
            "lift_wing",
            endpoint.url,
            lambda client: client.versions(server.wiki, [server.model], Sample(REVISION, PAGE)),
        )
    )

    assert found == {server.model: server.version}


@both
@pytest.mark.parametrize(
    ("status", "failure"),
    [(500, Failure.TRANSIENT), (503, Failure.OUTAGE), (504, Failure.LATE), (429, Failure.THROTTLED)],
)
def test_an_endpoint_that_does_not_answer_tells_none_and_why(kind: str, status: int, failure: Failure) -> None:
    with pytest.raises(EndpointUnavailable) as raised:
        versions_from(kind, ["damaging"], lambda _: http(status, b"{}"))

    assert raised.value.failure is failure


def test_ores_that_does_not_know_the_wiki_tells_none() -> None:
    with pytest.raises(EndpointUnavailable, match="No scorers available"):
        versions_from("ores", ["damaging"], lambda _: http(404, b'{"error": {"message": "No scorers available"}}'))


def test_a_revision_that_lift_wing_can_not_score_tells_none() -> None:
    gone = b'{"detail": "Could not make prediction for revisions [7] (en). Reason: revision_missing"}'

    assert versions_from("lift_wing", ["damaging"], lambda _: http(422, gone)) == {}


@pytest.mark.parametrize("status", [400, 404, 500, 503])
def test_a_model_that_is_silent_or_refused_costs_no_other_models_version(status: int) -> None:
    def reply(request: Request) -> bytes:
        return http(status, b"{}") if server_of(request) == "revertrisk-language-agnostic" else right(request)

    assert versions_from("lift_wing", ["damaging", RISK], reply) == {"damaging": "0.5.1"}


@both
def test_what_is_no_version_is_not_told_and_costs_no_other(kind: str) -> None:
    def reply(request: Request) -> bytes:
        document = right_document(request)
        models = document["enwiki"]["models"]
        if "goodfaith" in models:
            models["goodfaith"]["version"] = "x" * 33
        return ok(document)

    assert versions_from(kind, ["damaging", "goodfaith"], reply) == {"damaging": "0.5.1"}
