"""The form of replies: for people and for programs, for other sites' pages, never from a cache."""

import json

import pytest

from tests.web.fronts import Front

PATH = "/v3/scores/enwiki/5/damaging"
ERROR = "/v3/scores/nowiki"


@pytest.mark.parametrize("path", [PATH, ERROR])
def test_a_reply_is_written_for_people_unless_it_is_asked_for_in_one_line(front: Front, path: str) -> None:
    pretty, plain = front.get(path).text, front.get(f"{path}?format=json").text

    assert "\n  " in pretty
    assert plain.count("\n") == 1
    assert json.loads(pretty) == json.loads(plain)


@pytest.mark.parametrize("path", [PATH, ERROR, "/v3/precache/", "/nothing", "/", "/ui"])
def test_no_reply_is_cached_and_all_sites_may_read_it(front: Front, path: str) -> None:
    headers = front.get(path).headers

    assert headers["cache-control"] == "no-store, no-cache, max-age=0"
    assert headers["pragma"] == "no-cache"
    assert headers["expires"] == "Thu, 01 Jan 1970 00:00:00 GMT"
    assert headers["access-control-allow-origin"] == "*"


@pytest.mark.parametrize("path", [PATH, ERROR])
def test_a_reply_is_handed_to_the_function_that_is_named(front: Front, path: str) -> None:
    reply = front.get(f"{path}?callback=jQuery1_2.done")

    assert reply.headers["content-type"].startswith("application/javascript")
    assert reply.text.startswith("jQuery1_2.done({")
    assert reply.text.endswith("});")
    assert json.loads(reply.text.removeprefix("jQuery1_2.done(").removesuffix(");")) == front.get(path).json()


@pytest.mark.parametrize("callback", ["alert(1)//", "a b", "<script>", "1x", "x" * 200])
def test_a_function_without_a_proper_name_is_a_bad_request(front: Front, callback: str) -> None:
    reply = front.get(PATH, params={"callback": callback})

    assert reply.status_code == 400
    assert reply.headers["content-type"] == "application/json"


def test_a_browser_may_ask_whether_it_may_post(front: Front) -> None:
    reply = front.run(front.http.options(PATH))

    assert reply.status_code == 204
    assert "POST" in reply.headers["access-control-allow-methods"]
    assert reply.headers["access-control-allow-origin"] == "*"


def test_the_head_of_a_reply_can_be_had_alone(front: Front) -> None:
    reply = front.run(front.http.head(PATH))

    assert (reply.status_code, reply.content) == (200, b"")


@pytest.mark.parametrize("path", ["/nothing", "/v3/scores/enwiki/abc", "/v3/scores/enwiki/5/damaging/x", "/v4/scores"])
def test_where_nothing_is_nothing_is_found(front: Front, path: str) -> None:
    assert front.error(path) == (404, "not found", "Nothing found at this location.")


@pytest.mark.parametrize(("method", "path"), [("GET", "/v3/precache"), ("DELETE", PATH), ("POST", "/v3/scores")])
def test_another_method_is_not_allowed(front: Front, method: str, path: str) -> None:
    reply = front.run(front.http.request(method, path))

    assert reply.status_code == 405
    assert reply.json()["error"]["code"] == "method not allowed"


@pytest.mark.parametrize("path", ["/", "/ui/", "/ui.js", "/versions/", "/v1/", "/v2/", "/v3/"])
def test_there_are_pages_for_people(front: Front, path: str) -> None:
    reply = front.get(path)

    assert reply.status_code == 200
    assert reply.headers["content-type"].startswith("text/")


@pytest.mark.parametrize("path", ["/v1/?spec", "/v2/?spec", "/v3/?spec", "/v1/spec", "/v2/spec/", "/v3/spec/"])
def test_there_is_a_specification_of_each_version(front: Front, path: str) -> None:
    document = front.json(path)

    assert document["openapi"] == "3.1.0"
    assert any(f"/{path[1:3]}/scores/{{context}}/" in each for each in document["paths"])


def test_the_form_to_score_by_hand_works_without_its_script(front: Front) -> None:
    reply = front.run(
        front.http.get("/ui?wiki=enwiki&models=damaging&models=goodfaith&revids=5,+7", follow_redirects=True)
    )

    assert reply.json() == front.json("/v3/scores/enwiki/?models=damaging|goodfaith&revids=5|7")
