"""Titles that MediaWiki forbids, each with its name for the reason, and those that look like it and are real."""

import gzip
import json

import pytest

from worker.demo.surroundings import SAMPLE
from worker.incoming.titles import why_forbidden

FORBIDDEN = {
    "title-invalid-characters": [
        "A\x1bB",
        "A\nB",
        "A\x7fB",
        "A#B",
        "A<B",
        "A|B",
        "A[B]",
        "{A}",
        "100%25",
        "&amp;",
        "&é;",
        "A\tB",
    ],
    "title-invalid-utf8": ["A\ufffdB"],
    "title-invalid-empty": ["_", " "],
    "title-invalid-relative": [".", "..", "./A", "../A", "A/./B", "A/../B", "A/.", "A/.."],
    "title-invalid-magic-tilde": ["A~~~B"],
    "title-invalid-too-long": ["é" * 128],
    "title-invalid-leading-colon": [":A"],
}
ALLOWED = ["A B", "AC/DC", "...And Justice", ".NET", "A/.../B", "100%", "50% off", "R&B", "AT&T", "~~", "Q&A", "A+B",
           "é" * 127, "C\x9b", "\u202eA", "Ça; là", "!\"$'()*,-.:;=?@\\\\^_`~"]  # fmt: skip


@pytest.mark.parametrize(
    ("reason", "title"), [(reason, title) for reason, titles in FORBIDDEN.items() for title in titles]
)
def test_a_forbidden_title_has_mediawikis_name_for_the_reason(reason: str, title: str) -> None:
    assert why_forbidden(title, 0) == reason
    assert why_forbidden(f"Talk:{title}", 1) == reason


@pytest.mark.parametrize("title", ALLOWED)
def test_a_title_that_only_looks_like_it_is_allowed(title: str) -> None:
    assert why_forbidden(title, 0) is None
    assert why_forbidden(f"Talk:{title}", 1) is None


@pytest.mark.parametrize(
    ("title", "namespace"), [("Talk:" + "A" * 255, 1), ("User:::1", 2), ("Benutzerin Diskussion:" + "A" * 255, 3)]
)
def test_the_prefix_of_a_namespace_is_not_part_of_the_name(title: str, namespace: int) -> None:
    assert why_forbidden(title, namespace) is None


def test_no_title_of_the_sample_is_forbidden() -> None:
    with gzip.open(SAMPLE, "rt", encoding="utf-8") as lines:
        events = [json.loads(line) for line in lines]

    assert [event["title"] for event in events if why_forbidden(event["title"], event.get("namespace", 0))] == []
