"""Requests as those who spoke ORES send them, and what they make of the replies."""

import json
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.endpoint import EmulatedEndpoint
from tests.web.documents import VERSION, score, scores
from tests.web.fronts import BASE, Front
from tests.web.test_precache import an_event


def extension_asks(front: Front, **params: Any) -> Any:
    """`ORESService::request`: mediawiki-extensions-ORES includes/ORESService.php @ e8804727."""
    reply = front.get(
        f"/v3/scores/enwiki/?{urlencode(params | {'format': 'json'})}",
        headers={"User-Agent": "MediaWiki/1.47.0", "X-Forwarded-For": "198.51.100.1"},
    )
    assert reply.status_code == 200
    data = reply.json()
    assert data
    assert not data.get("error")
    return data


def test_the_job_of_extension_ores_gets_scores_and_versions(front: Front, endpoint: EmulatedEndpoint) -> None:
    """`ScoreFetcher::getScores`, and what `ScoreParser::processRevision` needs of it."""
    endpoint.set(missing_revisions=[7])
    wire = extension_asks(front, models="damaging|goodfaith", revids="5|7", precache=1)["enwiki"]

    assert {name: model["version"] for name, model in wire["models"].items()} == {
        "damaging": VERSION,
        "goodfaith": VERSION,
    }
    entry = wire["scores"]["5"]["damaging"]["score"]
    assert isinstance(entry["prediction"], bool)
    assert entry["probability"].keys() == {"true", "false"}
    assert {each["error"]["type"] for each in wire["scores"]["7"].values()} == {"RevisionNotFound"}


def test_the_seeding_of_ores_model_gets_versions(front: Front) -> None:
    """`PopulatedSqlModelLookup::initializeModels` asks without any revision."""
    wire = extension_asks(front)

    assert {name: model["version"] for name, model in wire["enwiki"]["models"].items()} == {
        "damaging": VERSION,
        "goodfaith": VERSION,
    }


def test_the_thresholds_of_extension_ores_come_in_the_order_of_the_question(front: Front) -> None:
    """`ThresholdLookup::fetchThresholdsFromApi`."""
    asked = ["maximum filter_rate @ recall >= 0.9", "maximum filter_rate @ precision >= 0.6"]
    formulas = "|".join(f'statistics.thresholds.true."{formula}"' for formula in asked)
    wire = extension_asks(front, models="damaging", model_info=formulas)
    found = wire["enwiki"]["models"]["damaging"]["statistics"]["thresholds"]["true"]

    assert len(found) == len(asked)
    alone = [
        extension_asks(front, models="damaging", model_info=f'statistics.thresholds.true."{formula}"')
        for formula in asked
    ]
    assert found == [each["enwiki"]["models"]["damaging"]["statistics"]["thresholds"]["true"][0] for each in alone]


def score_event(event: dict[str, Any], body: Any) -> dict[str, Any]:
    """What change-propagation makes of a reply: wikimedia/change-propagation sys/ores_updates.js @ 16c2430."""
    domain = body[event["database"]]
    parts: dict[str, Any] = {}
    for name, entry in domain["scores"][str(event["rev_id"])].items():
        made = {"model_name": name, "model_version": domain["models"][name]["version"]}
        if "error" in entry:
            parts.setdefault("errors", {})[name] = made | entry["error"]
            continue
        prediction = entry["score"]["prediction"]
        predictions = prediction if isinstance(prediction, list) else [prediction]
        made["prediction"] = [str(each).lower() for each in predictions]
        parts.setdefault("scores", {})[name] = made | {"probability": dict(entry["score"]["probability"])}
    return parts


@pytest.mark.parametrize("missing", [False, True])
def test_change_propagation_can_make_its_event_of_the_reply(
    front: Front, endpoint: EmulatedEndpoint, missing: bool
) -> None:
    event = an_event()
    endpoint.set(missing_revisions=[event["rev_id"]] if missing else [])
    reply = front.post("/v3/precache", json=event)

    made = score_event(event, reply.json())

    assert made.keys() == {"errors" if missing else "scores"}
    for name, entry in made.get("scores", {}).items():
        expected = score(name, event["rev_id"])
        assert entry["prediction"] == [str(expected["prediction"]).lower()]
        assert entry["probability"] == expected["probability"]
        assert entry["model_version"] == VERSION


def test_a_gadget_of_jquery_gets_fifty_scores_through_a_function_of_its_own(front: Front) -> None:
    """`$.ajax` with `dataType: "jsonp"`: the name of a function that is made up, and a parameter against caches."""
    revisions = [42_048_975 + each for each in range(50)]
    name = "jQuery1112009417782616493897_1429733035682"
    reply = front.get(
        f"/scores/enwiki/?callback={name}&models=damaging&revids={'|'.join(map(str, revisions))}&_=1429733035685"
    )

    assert reply.headers["content-type"].startswith("application/javascript")
    assert reply.text.startswith(f"{name}(")
    found = json.loads(reply.text.removeprefix(f"{name}(").removesuffix(");"))
    assert found == {str(each): {"damaging": score("damaging", each)} for each in revisions}


@pytest.mark.parametrize("base", ["/", "//", "///"])
def test_who_has_a_slash_at_the_end_of_the_address_gets_scores(front: Front, base: str) -> None:
    """`oresapi.Session("https://ores.example.org/")` asks for `//v3/scores/…`."""
    assert front.json(f"{BASE}{base}v3/scores/enwiki/5/damaging")["enwiki"]["scores"] == scores(5, models=("damaging",))


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/v3/scores/enwiki/undefined/damaging", 404),
        ("/v3/scores/enwiki/?revids=undefined", 400),
        ("/v3/scores/enwiki/?revids=NaN", 400),
        ("/v3/scores/enwiki/?revids=1|null", 400),
        ("/v3/scores/enwiki/?revids=", 400),
        ("/v3/scores/undefined/?revids=5", 404),
        ("/v3/scores/en.wikipedia.org/5", 404),
    ],
)
def test_a_script_that_lost_its_variables_is_told_so(front: Front, path: str, status: int) -> None:
    reply = front.get(path)

    assert reply.status_code == status
    assert reply.json()["error"]["message"]


def test_a_gadget_gets_a_score_from_another_sites_page(front: Front) -> None:
    """`ext.ores.api`: mediawiki-extensions-ORES modules/ext.ores.api.js, in a browser."""
    reply = front.get(
        "/v3/scores/enwiki?models=damaging|goodfaith&revids=5", headers={"Origin": "https://en.wikipedia.org"}
    )

    assert reply.headers["access-control-allow-origin"] == "*"
    assert reply.json()["enwiki"]["scores"]["5"]["damaging"]["score"] == score("damaging", 5)
