"""Lift Wing's server of topics, which is asked for pages: what a request asks for, and the document it gets. Pure.

Source: machinelearning/liftwing/inference-services src/models/outlink_topic_model and python/preprocess_utils.py,
main @ bce944c0.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from worker.domain.json_text import JsonObject
from worker.domain.scores import Score
from worker.web.asking import RouteContext
from worker.web.predicting import PAGE_CHANGE, REVISION_CREATE, InvalidInput, ModelServer, wiki_of_language

#: Topics of at least this probability are given, unless the request says otherwise.
THRESHOLD = 0.5
LONGEST_TITLE = 255


@dataclass(frozen=True, slots=True)
class PageQuestion:
    """The topics of one page."""

    wiki: str
    #: `{"page_id"}` or `{"page_title"}`.
    page: Mapping[str, Any]
    #: The revision; the newest one if none is named.
    revision: int | None
    threshold: float
    #: The page's address, as the server writes it.
    article: str
    #: Its name in errors.
    called: str

    @property
    def key(self) -> str:
        return json.dumps(self.page, sort_keys=True)


def read_page(server: ModelServer, inputs: Any, context: RouteContext) -> PageQuestion:
    """What *inputs* ask for.

    Raises:
        InvalidInput: they ask nothing that could be answered.
    """
    if not isinstance(inputs, dict):
        raise InvalidInput("The body must be a JSON object.")
    if "features_str" in inputs:
        raise InvalidInput("features_str is not answered here: a score is that of a saved revision.")
    threshold = _threshold(inputs)
    if isinstance(event := inputs.get("event"), dict):
        inputs = _of_event(event)
    wiki, language = _wiki(server, inputs, context)
    page, revision = _page(inputs), inputs.get("revision_id")
    if revision is not None:
        _integer("revision_id", revision)
    title, site = page.get("page_title"), f"{language}.wikipedia.org"
    article = f"https://{site}/wiki?curid={page['page_id']}" if title is None else f"https://{site}/wiki/{title}"
    called = f"page {page['page_id']}" if title is None else title
    return PageQuestion(wiki, page, revision, threshold, article, f"{called} on {site}")


def topics(question: PageQuestion, score: Score) -> JsonObject:
    """The likely topics, the likeliest first."""
    best_first = sorted(score.probability.items(), key=lambda each: each[1], reverse=True)
    results = [{"topic": topic, "score": each} for topic, each in best_first if each >= question.threshold]
    return {"prediction": {"article": question.article, "results": results}}


def not_fetched(called: str, code: str) -> str:
    """What the server says of a page or revision that the wiki does not have, in its own words."""
    return f"Cannot fetch {called}: MediaWiki API error '{code}'."


def _threshold(inputs: Mapping[str, Any]) -> float:
    threshold = inputs.get("threshold", THRESHOLD)
    if not isinstance(threshold, float):
        raise InvalidInput('Expected "threshold" to be a float')
    return 0.0 if inputs.get("debug") else threshold


def _of_event(event: Mapping[str, Any]) -> dict[str, Any]:
    schema = str(event.get("$schema"))
    if schema.startswith(PAGE_CHANGE):
        page, revision = event.get("page"), event.get("revision")
        number = revision.get("rev_id") if isinstance(revision, dict) else None
        inputs = {"page_id": page.get("page_id") if isinstance(page, dict) else None, "revision_id": number}
        return inputs | {"wiki_id": event.get("wiki_id")}
    if schema.startswith(REVISION_CREATE):
        return {"page_id": event.get("page_id"), "revision_id": event.get("rev_id"), "wiki_id": event.get("database")}
    raise InvalidInput(f"Unsupported event of schema {schema[:100]}, the page_id value cannot be determined.")


def _wiki(server: ModelServer, inputs: Mapping[str, Any], context: RouteContext) -> tuple[str, str]:
    """The wiki, and the code of its language."""
    if "lang" in inputs or "wiki_id" not in inputs:
        language = inputs.get("lang")
        if not isinstance(language, str):
            raise InvalidInput(f'{"Expected" if "lang" in inputs else "Missing"} "lang", a language code such as en.')
        return wiki_of_language(server, language, context), language
    wiki = inputs["wiki_id"]
    known = context.languages.get(wiki) if isinstance(wiki, str) else None
    if known is None or server.model not in context.wikis.get(wiki, {}):
        raise InvalidInput(f"Unknown wiki_id: {str(wiki)[:100]}")
    return wiki, known


def _page(inputs: Mapping[str, Any]) -> dict[str, Any]:
    title, page = inputs.get("page_title"), inputs.get("page_id")
    if title and page:
        raise InvalidInput("Detected both `page_title` and `page_id` in the request. Please pass only one of those.")
    if title:
        if not isinstance(title, str) or len(title.encode()) > LONGEST_TITLE:
            raise InvalidInput('Expected "page_title" to be a string.')
        return {"page_title": title}
    if not page:
        raise InvalidInput("You must pass either `page_title` or `page_id`.")
    _integer("page_id", page)
    return {"page_id": page}


def _integer(name: str, value: Any) -> None:
    if not isinstance(value, int) or isinstance(value, bool):
        raise InvalidInput(f'Expected "{name}" to be a integer.')
