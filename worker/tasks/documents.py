"""`document`: what the front door answers besides scores, kept under names for which it waits."""

import contextlib
import json
from collections.abc import Callable

from outbox.mediawiki.reading import latest_revision_of, pages_of
from worker.app import app, send
from worker.bootstrap import Services, services
from worker.config.wiki import Wiki
from worker.domain.errors import EndpointUnavailable, InformationUnknown
from worker.domain.thresholds import DAMAGING
from worker.lanes.rings import DOCUMENT
from worker.scores.filtering import filters_of
from worker.scores.stored import stored_scores
from worker.tasks.passing import is_passed_on
from worker.tasks.running import reported
from worker.tasks.score import NO_PLACE_SECONDS, ON_DEMAND
from worker.upkeep.versions import check_model_versions, keep_versions

#: Stands for everything that is known, in place of a path.
EVERYTHING = "*"
#: Seconds for which it is kept that the endpoint has no such information.
UNKNOWN_SECONDS = 60.0
#: Seconds after which rows are read again, so that a gadget sees those of a new edit.
STORED_SECONDS = 2.0
THRESHOLDS_SECONDS = 60.0
#: The levels of which `meta=ores` gives the lower end.
REVIEWED = ("maybebad", "likelybad", "verylikelybad")
#: The namespaces that every MediaWiki has.
ALL_NAMESPACES = frozenset(range(16))


@app.task(name=DOCUMENT)
def document(kind: str, wiki: str, *rest: str) -> None:
    """Make a document about *wiki*; the last of the *rest* is the name under which it is waited for."""
    with reported(DOCUMENT, wiki, kind):
        here = services()
        if is_passed_on(here, wiki):
            return
        with here.turns.bulkheads.place([ON_DEMAND], wiki=wiki) as has_place:
            if has_place:
                make_document(here, kind, wiki, *rest)
            else:
                here.doorbell.later(NO_PLACE_SECONDS, lambda: send(DOCUMENT, kind, wiki, *rest))


def make_document(here: Services, kind: str, wiki: str, *rest: str) -> None:
    """Make it, and keep it under the last of the *rest*.

    Errors pass on, once those who wait for the document know; otherwise they would wait until their time is over.
    """
    try:
        KINDS[kind](here, here.wiki(wiki), *rest)
    except Exception:
        here.documents.keep_failure(rest[-1])
        raise


def _versions(here: Services, wiki: Wiki, _name: str) -> None:
    """The current versions of the models of *wiki*; the endpoint is asked for those that are not known."""
    if keep_versions(wiki, here.documents, even_none=False):
        return
    # The known versions are kept by now; the endpoint may know those of the other models.
    if here.doorbell.is_first(f"{DOCUMENT}:versions:{wiki.id}", here.settings.upkeep.prompted_seconds):
        with contextlib.suppress(EndpointUnavailable):
            here.runner.run(check_model_versions(wiki, here.client, here.settings.upkeep))
    keep_versions(wiki, here.documents)


def _information(here: Services, wiki: Wiki, model: str, paths: str, name: str) -> None:
    """What the endpoint tells about *model* at *paths* (a list in JSON), or why it tells nothing."""
    wanted = [path for path in json.loads(paths) if path != EVERYTHING]
    try:
        information = here.runner.run(here.client.information(wiki.id, model, wanted))
    except InformationUnknown as error:
        here.documents.keep(name, {"unknown": error.path}, seconds=UNKNOWN_SECONDS)
    except EndpointUnavailable as error:
        here.documents.keep_failure(name, {"failed": str(error)})
    else:
        here.documents.keep(name, {"information": information}, seconds=here.settings.upkeep.statistics_seconds)


def _stored(here: Services, wiki: Wiki, revisions: str, name: str) -> None:
    """What is stored of *revisions*, a list in JSON, and the pages they are of."""
    wanted = [int(each) for each in json.loads(revisions)]
    scores, pages = wiki.database.run(
        lambda connection: (stored_scores(connection, wiki, wanted), pages_of(connection, wanted))
    )
    content = {
        str(each): {"scores": scores.get(each, {})} | ({"page": pages[each]} if each in pages else {})
        for each in wanted
    }
    here.documents.keep(name, content, seconds=STORED_SECONDS)


def _latest(here: Services, wiki: Wiki, page: str, name: str) -> None:
    """The newest revision of *page*, `{"page_id"}` or `{"page_title"}` in JSON: of the wiki's tables, or of its API."""
    wanted = json.loads(page)
    title = wanted.get("page_title")
    found = wiki.database.run(
        lambda connection: latest_revision_of(connection, page_id=wanted.get("page_id"), title=title)
    )
    if found is None and title is not None and wiki.id in here.wiki_apis:
        with contextlib.suppress(EndpointUnavailable):
            there = here.runner.run(here.wiki_apis[wiki.id].page(title))
            found = there.latest.id if there is not None else None
    here.documents.keep(name, {} if found is None else {"revision": found}, seconds=STORED_SECONDS)


def _thresholds(here: Services, wiki: Wiki, name: str) -> None:
    """Models, and where the levels of damaging begin, as `meta=ores` gives them.

    Source: mediawiki/extensions/ORES includes/Hooks/Api/ApiQueryORES.php and includes/Hooks/Helpers.php @ e8804727.
    """
    filters = filters_of(wiki)
    levels = filters.levels.get(DAMAGING, {}) if DAMAGING in wiki.models else {}
    namespaces = [model.namespaces or ALL_NAMESPACES for model in wiki.models.values() if model.enabled]
    content = {
        "models": {model: {"version": version} for model, version in filters.versions.items()},
        "excludebots": wiki.settings.bots_are_autopatrolled,
        "damagingthresholds": {
            level: band.low for level in REVIEWED if level in levels and (band := levels[level].band) is not None
        },
        "namespaces": sorted(frozenset().union(*namespaces)),
    }
    here.documents.keep(name, content, seconds=THRESHOLDS_SECONDS)


KINDS: dict[str, Callable[..., None]] = {
    "versions": _versions,
    "information": _information,
    "stored": _stored,
    "latest": _latest,
    "thresholds": _thresholds,
}
