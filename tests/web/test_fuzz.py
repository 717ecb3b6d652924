"""Whatever is asked along ORES' grammar, and beside it, is answered by a document, and never by an error of ours."""

import json
from typing import Any
from urllib.parse import parse_qsl, quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.examples import examples
from tests.web.conftest import OpenFront
from tests.web.fronts import Front
from worker.web.openapi import specification
from worker.web.questions import Parameters
from worker.web.refusals import CODES

SHARES_A_FRONT = settings(
    max_examples=examples(400), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
#: Those that are right, those that are nearly, and any.
wikis = st.sampled_from(["enwiki", "frwiki", "nowiki", ""]) | st.text(max_size=8)
models = st.sampled_from(["damaging", "goodfaith", "magic", ""]) | st.text(max_size=8)
revisions = st.integers(1, 5).map(str) | st.integers(-5, 2**70).map(str) | st.text(max_size=6)


def several(values: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.lists(values, max_size=4).map("|".join)


parameters = st.fixed_dictionaries(
    {},
    optional={
        "models": several(models),
        "revids": several(revisions),
        "model_info": several(st.sampled_from(["version", "type", "statistics.roc_auc", "foo", '"', "."])),
        "features": st.sampled_from(["", "true"]),
        "precache": st.just(""),
        "format": st.sampled_from(["json", "xml", ""]),
        "callback": st.sampled_from(["done", "alert(1)", ""]),
        "inject": st.just("{}"),
        "event": st.text(max_size=10),
        "spec": st.just(""),
    },
)
paths = st.lists(
    st.sampled_from(["v1", "v2", "v3", "scores", "precache", "spec", "ui", "w", "api.php", "models"])
    | wikis
    | models
    | revisions,
    max_size=6,
)
shaped = st.tuples(st.sampled_from(["v1", "v2", "v3"]), st.just("scores"), wikis, revisions | models, models).map(list)
JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@pytest.fixture
def front(open_front: OpenFront) -> Front:
    return open_front(web={"timeout_seconds": 60})


def check(reply: Any) -> None:
    """A reply that was promised, whose errors are ORES' documents or Lift Wing's."""
    if reply.status_code == 303:
        # The form of /ui leads to the scores that it asks for.
        assert reply.headers["location"].startswith("/v3/scores/")
        return
    assert reply.status_code in {200, 204} | CODES.keys() - {500, 503, 504}, reply.text
    if reply.status_code >= 400 and not reply.headers["content-type"].startswith("application/javascript"):
        error = reply.json()
        if "error" in error and isinstance(error["error"], dict):
            assert error["error"]["code"] == CODES[reply.status_code]
            assert isinstance(error["error"]["message"], str)
        else:
            assert {"error", "detail"} & error.keys()
    assert reply.headers["access-control-allow-origin"] == "*"


@SHARES_A_FRONT
@given(parts=shaped | paths, params=parameters, method=st.sampled_from(["GET", "GET", "POST", "PUT", "HEAD"]))
def test_every_request_is_answered(front: Front, parts: list[str], params: dict[str, str], method: str) -> None:
    path = "/" + "/".join(quote(part, safe="") for part in parts if part)
    if method == "POST":
        reply = front.post(path, data=params)
    else:
        reply = front.run(front.http.request(method, path, params=params))
    if method == "HEAD":
        assert reply.content == b""
        return
    check(reply)


@SHARES_A_FRONT
@given(
    path=st.sampled_from(["/v3/precache", "/v1/models/enwiki-damaging:predict", "/v1/models/magic:predict"]),
    body=JSON
    | st.fixed_dictionaries(
        {
            "rev_id": st.integers(0, 5) | JSON,
            "extended_output": JSON,
            "database": wikis | JSON,
            "meta": st.just({"stream": "mediawiki.revision-create"}) | JSON,
        },
        optional={
            "performer": JSON,
            "page_namespace": JSON,
            "rev_parent_id": JSON,
            "event": JSON,
            "instances": JSON,
            "lang": JSON,
        },
    ),
)
def test_every_body_is_answered(front: Front, path: str, body: Any) -> None:
    check(front.post(path, content=json.dumps(body)))


@given(st.text(alphabet="ab&=|%+ ;1\x00é", max_size=20))
def test_a_query_is_read_in_one_way(text: str) -> None:
    expected: dict[str, str] = {}
    for name, value in parse_qsl(text, keep_blank_values=True, errors="replace"):
        expected.setdefault(name, value)

    assert dict(Parameters(text.encode()).of_query) == expected


@pytest.mark.parametrize("number", [1, 2, 3])
def test_every_address_of_the_specification_is_there(front: Front, number: int) -> None:
    document = specification(number, {"enwiki": front.workers.services.wiki("enwiki").models})

    for path, methods in document["paths"].items():
        for method in methods:
            real = path.replace("{context}", "enwiki").replace("{revid}", "1").replace("{model}", "damaging")
            reply = front.run(front.http.request(method.upper(), real))
            assert str(reply.status_code) in methods[method]["responses"], (method, path, reply.text)
            assert reply.status_code not in {404, 405}
