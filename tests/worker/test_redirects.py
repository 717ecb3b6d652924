"""An address that answers with a redirect: whoever reads the log or `models check` learns what to write."""

import pytest

from worker.domain.redirects import advice

BASE = "http://scores.example"
PATH = "/v3/scores/enwiki/"


@pytest.mark.parametrize(
    ("location", "says"),
    [
        ("https://scores.example/v3/scores/enwiki/", "write https://scores.example into endpoint.url"),
        ("//other.example/v3/scores/enwiki/", "write http://other.example into endpoint.url"),
        ("/ores/v3/scores/enwiki/", "write http://scores.example/ores into endpoint.url"),
        (
            "https://me:secret@scores.example/v3/scores/enwiki/?token=x",
            "write https://scores.example into endpoint.url",
        ),
        ("/v3/scores/enwiki", "it leads back to the same address"),
        ("", "it leads nowhere; correct endpoint.url"),
        (None, "it leads nowhere; correct endpoint.url"),
        (
            "https://login.example/?next=/v3/scores/enwiki/",
            "it leads to https://login.example/, which is no other base",
        ),
        ("http://[::1", "it leads nowhere"),
        ("http://host:99999999/", "it leads nowhere"),
        ("ftp://scores.example/v3/scores/enwiki/", "it leads nowhere"),
        ("https://scores.example/\x1b[31m" + "x" * 500, "it leads to https://scores.example/?[31mx"),
    ],
)
def test_a_redirect_is_told_with_what_to_write_instead(location: str | None, says: str) -> None:
    text = advice(BASE + PATH, BASE, location, setting="endpoint.url")

    assert says in text
    assert not {"secret", "token"} & set(text.replace("=", " ").replace(":", " ").replace("@", " ").split())
    assert len(text) < 400


@pytest.mark.parametrize("base", ["http://scores.example/", "http://scores.example/ores/"])
def test_a_base_with_a_slash_at_its_end_is_the_same(base: str) -> None:
    asked = base.rstrip("/") + PATH

    text = advice(asked, base, asked.replace("http:", "https:"), setting="endpoint.url")

    assert f"write {base.rstrip('/').replace('http:', 'https:')} into endpoint.url" in text
