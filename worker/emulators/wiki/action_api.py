"""The action API of the emulated wiki: `action=query`, its pages, and its errors in replies of status 200. Pure.

Source: mediawiki/core includes/Api/ApiMain.php @ 62ceaf8, ApiPageSet.php, ApiQueryRevisions.php and
ApiQuerySiteinfo.php, formatversion 2; the reply to siteinfo as a MediaWiki 1.39.17 gave it.
"""

from collections.abc import Mapping, Sequence

from worker.emulators.documents import Document
from worker.emulators.wiki.pages import Pages, WikiPage, namespace_of, spelt
from worker.emulators.wiki.settings import EmulatedWikiSettings

SEPARATOR = "\x1f"
DOCREF = "See https://wiki.invalid/w/api.php for API usage."


class ApiRefusal(Exception):
    """An error of the action API, and the headers that go with it."""

    def __init__(self, code: str, info: str, headers: Mapping[str, str] | None = None, **more: object) -> None:
        super().__init__(code)
        self.headers = {"MediaWiki-API-Error": code, **(headers or {})}
        self.document: Document = {"error": {"code": code, "info": info, **more, "docref": DOCREF}}


def query_reply(params: Mapping[str, str], pages: Pages, settings: EmulatedWikiSettings) -> Document:
    """Return the reply to a call with *params*; raises ApiRefusal."""
    if params.get("format") != "json" or params.get("formatversion") != "2":
        raise ApiRefusal("badvalue", 'The emulated wiki writes "format=json" with "formatversion=2" only.')
    if "maxlag" in params and settings.lag > float(params["maxlag"]):
        wait = max(int(params["maxlag"]), 5)
        raise ApiRefusal(
            "maxlag",
            f"Waiting for a database server: {settings.lag:g} seconds lagged.",
            {"Retry-After": str(wait), "X-Database-Lag": str(int(settings.lag))},
            lag=settings.lag,
            type="db",
        )
    if settings.error_code is not None:
        raise ApiRefusal(settings.error_code, "This error was asked for in the settings of the emulator.")
    if params.get("action") != "query":
        raise ApiRefusal("badvalue", f'Unrecognized value for parameter "action": {params.get("action", "")}.')
    if params.get("meta") == "siteinfo" and "namespaces" in params.get("siprop", "general").split("|"):
        return {"batchcomplete": True, "query": {"namespaces": _namespaces(settings)}}
    if "titles" in params:
        return _of_titles(_values(params, "titles", settings), pages, settings)
    if "revids" in params:
        return _of_revisions(_values(params, "revids", settings), pages, settings)
    return {"batchcomplete": True}


def _namespaces(settings: EmulatedWikiSettings) -> Document:
    named = {0: "", **{number: name for name, number in settings.namespaces.items()}}
    return {
        str(number): {
            "id": number, "case": "first-letter", "name": name, "subpages": number != 0, "content": number == 0,
            "nonincludable": False,
        }
        for number, name in sorted(named.items())
    }  # fmt: skip


def _values(params: Mapping[str, str], name: str, settings: EmulatedWikiSettings) -> list[str]:
    text = params[name]
    values = text[1:].split(SEPARATOR) if text.startswith(SEPARATOR) else text.split("|")
    if len(values) > settings.values_limit:
        raise ApiRefusal(
            "toomanyvalues",
            f'Too many values supplied for parameter "{name}". The limit is {settings.values_limit}.',
            parameter=name,
            limit=settings.values_limit,
        )
    return list(dict.fromkeys(values))


def _of_titles(titles: Sequence[str], pages: Pages, settings: EmulatedWikiSettings) -> Document:
    normalized: list[Document] = []
    found: dict[str, Document] = {}
    for title in titles:
        right = spelt(title)
        if right is None:
            reason = "The requested page title contains invalid characters."
            found[title] = {"title": title, "invalidreason": reason, "invalid": True}
            continue
        if right != title:
            normalized.append({"fromencoded": False, "from": title, "to": right})
        namespace, page = namespace_of(right, settings.namespaces), pages.titled(right)
        absent = {"special": True} if namespace < 0 else {"missing": True}
        about = absent if page is None else _info(page)
        found[right] = {**({} if page is None else {"pageid": page.page_id}), "ns": namespace, "title": right, **about}
    query = {**({"normalized": normalized} if normalized else {}), "pages": list(found.values())}
    return {"batchcomplete": True, "query": query}


def _info(page: WikiPage) -> Document:
    return {"contentmodel": page.content_model, "lastrevid": page.revisions[-1]}


def _of_revisions(values: Sequence[str], pages: Pages, settings: EmulatedWikiSettings) -> Document:
    bad: Document = {}
    found: dict[int, Document] = {}
    for value in values:
        if not value.isdecimal():
            raise ApiRefusal("badinteger", f'Invalid value "{value}" for integer parameter "revids".')
        revision = int(value)
        page = pages.of_revision(revision)
        if page is None:
            bad[value] = {"revid": revision, "missing": True}
            continue
        title = spelt(page.title) or page.title
        known = found.setdefault(
            page.page_id,
            {"pageid": page.page_id, "ns": namespace_of(title, settings.namespaces), "title": title, "revisions": []},
        )
        place = page.revisions.index(revision)
        revisions = known["revisions"]
        assert isinstance(revisions, list)  # noqa: S101 - made above
        revisions.append({"revid": revision, "parentid": page.revisions[place - 1] if place else 0})
    # Without any page the list is missing, which breaks some clients.
    listed = {"pages": list(found.values())} if found else {}
    return {"batchcomplete": True, "query": {**({"badrevids": bad} if bad else {}), **listed}}
