"""Each Lift Wing server is asked as it wants to be, and its scores come back as they are."""

import json
import re

import pytest

from tests.endpoint import EmulatedEndpoint
from tests.worker.asking import RISK, ask, ask_raw, ask_versions, ids
from tests.worker.clients.servers import PAGE, REVISION, ServerCase, every_server
from tests.worker.clients.shapes import asked_revisions, ok, outlinks, quality, revert_risk, right
from tests.worker.raw_server import RawServer, Request, http
from worker.domain.failures import Failure
from worker.domain.scores import Answer, NoAnswer, Score, ScoreError, ScoreId
from worker.emulators.scoring.endpoint import probabilities
from worker.emulators.scoring.shapes import quality_score

PAGES = {REVISION: PAGE}
MULTILINGUAL = "revertriskmultilingual"
#: Tells one number, and no probability of a class.
ONE_NUMBER = "articlequalitylanguageagnostic"

#: The Wikipedia that Lift Wing takes a language for, where the wiki id spells it differently.
WIKI_AT_LIFT_WING = {"be_x_oldwiki": "be_taraskwiki", "zh_min_nanwiki": "nanwiki"}


def score_of(server: ServerCase, endpoint: EmulatedEndpoint) -> Score:
    answer = ask("lift_wing", endpoint.url, [server.score_id], pages=PAGES)[server.score_id]
    assert isinstance(answer, Score)
    return answer


def asked(server: ServerCase, **endpoint: object) -> RawServer:
    return ask_raw("lift_wing", [server.score_id], right, pages=PAGES, **endpoint)[1]


@every_server
def test_a_server_is_asked_at_its_path_with_its_body(server: ServerCase) -> None:
    (request,) = asked(server).requests

    assert (request.method, request.target) == ("POST", server.path)
    assert json.loads(request.body) == server.body


@every_server
def test_a_body_is_said_to_be_json(server: ServerCase) -> None:
    (request,) = asked(server).requests

    assert request.headers["content-type"] == "application/json"


@every_server
def test_a_server_is_called_by_its_own_host_where_requests_are_routed_by_it(
    server: ServerCase, endpoint: EmulatedEndpoint
) -> None:
    endpoint.set(host_routing=True)

    ask("lift_wing", endpoint.url, [server.score_id], pages=PAGES, host_routing=True)

    assert [(call["status"], call["host"]) for call in endpoint.calls()] == [(200, server.host)]


@every_server
def test_no_host_but_the_urls_is_sent_unless_asked_for(server: ServerCase) -> None:
    raw = asked(server)

    assert raw.requests[0].headers["host"] == raw.url.removeprefix("http://")


@every_server
def test_a_score_has_the_models_name_and_version_and_the_endpoints_probabilities(
    server: ServerCase, endpoint: EmulatedEndpoint
) -> None:
    score = score_of(server, endpoint)

    wiki = WIKI_AT_LIFT_WING.get(server.wiki, server.wiki)
    expected = probabilities(0, wiki, server.there, REVISION)
    assert (score.model, score.version) == (server.model, server.version)
    assert score.probability == ({"score": quality_score(expected)} if server.model == ONE_NUMBER else expected)


@every_server
def test_a_prediction_is_what_the_probabilities_say(server: ServerCase, endpoint: EmulatedEndpoint) -> None:
    score = score_of(server, endpoint)

    wiki = WIKI_AT_LIFT_WING.get(server.wiki, server.wiki)
    expected = probabilities(0, wiki, server.there, REVISION)
    likeliest = max(expected, key=expected.__getitem__)
    likely = {name for name, probability in expected.items() if probability >= 0.5}
    assert score.prediction == likeliest if isinstance(score.prediction, str) else set(score.prediction) == likely


@pytest.mark.parametrize("model", ["articletopic", "drafttopic", "outlinktopic"])
def test_a_model_of_topics_predicts_several_or_none(model: str, endpoint: EmulatedEndpoint) -> None:
    wanted = ids(range(1, 31), models=[model])

    answers = ask("lift_wing", endpoint.url, wanted, pages={revision: revision for revision in range(1, 31)})

    predictions = [answer.prediction for answer in answers.values() if isinstance(answer, Score)]
    assert len(predictions) == 30
    assert all(isinstance(prediction, tuple) for prediction in predictions)
    assert {0, 1, 2} <= {len(prediction) for prediction in predictions}


def test_a_score_carries_the_version_that_made_it_not_the_one_asked_for(endpoint: EmulatedEndpoint) -> None:
    endpoint.set(versions={"revertrisk-multilingual": "5"})
    wanted = ScoreId("enwiki", MULTILINGUAL, REVISION, "4")

    answer = ask("lift_wing", endpoint.url, [wanted])[wanted]

    assert isinstance(answer, Score)
    assert answer.version == "5"


@pytest.mark.parametrize(
    ("model", "sizes"),
    [(RISK, [20, 20, 5]), ("articlequality_v2", [20, 20, 5]), (MULTILINGUAL, [1] * 45)],
)
def test_no_server_is_asked_about_more_revisions_than_it_takes(model: str, sizes: list[int]) -> None:
    _, raw = ask_raw("lift_wing", ids(range(1, 46), models=[model]), right)

    assert sorted((len(asked_revisions(request)) for request in raw.requests), reverse=True) == sizes


@pytest.mark.parametrize(
    ("given", "kept"),
    [(0.10391570042067477, 0.10391570042067477), (1.0000000000000002, 1.0), (-2.220446049250313e-16, 0)],
)
def test_article_quality_is_the_number_that_the_deployed_server_tells(given: float, kept: float) -> None:
    (answer,) = ask_raw("lift_wing", ids([7], [ONE_NUMBER]), lambda _: ok(quality(7, score=given)))[0].values()

    assert answer == Score(model=ONE_NUMBER, version="1", prediction="Start", probability={"score": kept})


@pytest.mark.parametrize(
    "other", [{"revision_id": 8}, {"wiki_db": "dewiki"}, {"score": 1.5}, {"label": None}, {"label": "A"}]
)
def test_the_quality_of_something_else_is_no_answer(other: dict[str, object]) -> None:
    (answer,) = ask_raw("lift_wing", ids([7], [ONE_NUMBER]), lambda _: ok(quality(7, **other)))[0].values()

    assert isinstance(answer, NoAnswer)


@pytest.mark.parametrize(
    ("sentence", "kind"),
    [
        ("[404] Fetching html failed for the article revision with id: 7. Reason: Not Found", "RevisionNotFound"),
        ("Fetching html failed for the article revision with id: 7. Reason: Not Found", "RevisionNotFound"),
        ("Article with language en and revid 7 has errors when preprocessing", "RevisionNotScorable"),
    ],
)
@pytest.mark.parametrize("model", [ONE_NUMBER, "articlequality_v2"])
def test_a_revision_that_article_quality_can_never_read_is_final_in_spite_of_its_500(
    model: str, sentence: str, kind: str
) -> None:
    def refuses(request: Request) -> bytes:
        if 7 in asked_revisions(request):
            return http(500, json.dumps({"error": sentence}).encode())
        return right(request)

    answers, raw = ask_raw("lift_wing", ids([6, 7, 8], [model]), refuses)

    found = {score_id.revision: answer.type for score_id, answer in answers.items() if isinstance(answer, ScoreError)}
    assert found == {7: kind}
    assert len(raw.requests) <= 3


@pytest.mark.parametrize(
    "sentence",
    [
        "[503] Fetching html failed for the article revision with id: 7. Reason: Service Unavailable",
        "[404] Fetching html failed for the article revision with id: 77. Reason: Not Found",
        "Failed to get article revision with id: 7. Reason: ",
    ],
)
def test_any_other_500_of_article_quality_is_asked_again_later(sentence: str) -> None:
    reply = http(500, json.dumps({"error": sentence}).encode())

    (answer,) = ask_raw("lift_wing", ids([7], [ONE_NUMBER]), lambda _: reply)[0].values()

    assert isinstance(answer, NoAnswer)
    assert answer.failure is Failure.TRANSIENT


def test_a_topic_that_is_more_than_certain_is_certain() -> None:
    document = outlinks()
    document["prediction"]["results"][0]["score"] = 1.0000100136
    pages = {7: 42}

    (answer,) = ask_raw("lift_wing", ids([7], ["outlinktopic"]), lambda _: ok(document), pages=pages)[0].values()

    assert isinstance(answer, Score)
    assert answer.probability["Culture.Sports"] == 1


@pytest.mark.parametrize("wiki_db", ["be-taraskwiki", "be_taraskwiki", "be_x_oldwiki"])
def test_a_wiki_is_told_by_its_language_as_it_is_or_by_its_name(wiki_db: str) -> None:
    wanted = ScoreId("be_x_oldwiki", MULTILINGUAL, 7, "4")

    answer = ask_raw("lift_wing", [wanted], lambda _: ok(revert_risk(7, wiki=wiki_db, version="4")))[0][wanted]

    assert isinstance(answer, Score)


def test_the_old_name_of_article_quality_is_asked_for_by_the_new_one() -> None:
    (answer,) = ask_raw("lift_wing", ids([7], ["wp10"]), right)[0].values()

    assert isinstance(answer, Score)
    assert answer.model == "wp10"


def test_a_batch_is_smaller_where_the_operator_wants_it() -> None:
    _, raw = ask_raw("lift_wing", ids(range(1, 11), models=[RISK]), right, instances_per_request=4)

    assert sorted(len(asked_revisions(request)) for request in raw.requests) == [2, 4, 4]


def test_every_revision_is_asked_about_once() -> None:
    _, raw = ask_raw("lift_wing", ids(range(1, 46), models=[RISK]), right)

    assert sorted(revision for request in raw.requests for revision in asked_revisions(request)) == list(range(1, 46))


def test_all_instances_of_a_batch_are_of_one_language() -> None:
    _, raw = ask_raw("lift_wing", ids(range(1, 21), models=[RISK]), right)

    (request,) = raw.requests
    assert {instance["lang"] for instance in json.loads(request.body)["instances"]} == {"en"}


@pytest.mark.parametrize("kind", ["ores", "lift_wing"])
def test_the_user_agent_names_program_contact_and_libraries(kind: str) -> None:
    _, raw = ask_raw(kind, ids([1], models=["damaging"]), right, contact="admin@example.org")

    assert re.fullmatch(
        r"Outpatrol/[0-9.]+ \(admin@example\.org\) httpx/[0-9.]+ aiohttp/[0-9.]+", raw.requests[0].headers["user-agent"]
    )


def test_the_user_agent_says_where_no_contact_is_set() -> None:
    _, raw = ask_raw("ores", ids([1], models=["damaging"]), right)

    assert " (no contact set) " in raw.requests[0].headers["user-agent"]


@pytest.mark.parametrize("kind", ["ores", "lift_wing"])
def test_the_user_agent_goes_with_a_question_for_versions_too(kind: str, endpoint: EmulatedEndpoint) -> None:
    ask_versions(kind, endpoint.url, ["damaging"])

    assert [call["user_agent"].split("/")[0] for call in endpoint.calls()] == ["Outpatrol"]


def test_an_answer_is_the_same_whatever_else_is_asked_for(endpoint: EmulatedEndpoint) -> None:
    alone: dict[ScoreId, Answer] = {}
    for wanted in ids([7], models=["damaging", RISK]):
        alone |= ask("lift_wing", endpoint.url, [wanted])

    together = ask("lift_wing", endpoint.url, ids(range(1, 21), models=["damaging", RISK]))

    assert alone.items() <= together.items()
