"""The Lift Wing servers as their operators document them: where each is, what it wants to be sent, what it answers."""

from dataclasses import dataclass, field
from typing import Any

import pytest

from worker.domain.scores import ScoreId

REVISION = 7
PAGE = 42


@dataclass(frozen=True, slots=True)
class ServerCase:
    """One model of one wiki, and the one right way to ask for it."""

    #: What we call the model, and what Lift Wing calls it.
    model: str
    there: str
    version: str
    #: Name of the server, in path and Host.
    name: str
    namespace: str
    wiki: str = "enwiki"
    body: dict[str, Any] = field(default_factory=lambda: {"rev_id": REVISION})
    #: In the Host, where it is not the name in the path.
    server: str | None = None

    @property
    def score_id(self) -> ScoreId:
        return ScoreId(self.wiki, self.model, REVISION, self.version)

    @property
    def path(self) -> str:
        return f"/v1/models/{self.name}:predict"

    @property
    def host(self) -> str:
        return f"{self.server or self.name}.{self.namespace}.wikimedia.org"


def _revscoring(model: str, version: str, namespace: str, wiki: str = "enwiki") -> ServerCase:
    return ServerCase(model, model, version, f"{wiki}-{model}", f"revscoring-{namespace}", wiki)


def _instance(language: str = "en") -> dict[str, Any]:
    return {"instances": [{"rev_id": REVISION, "lang": language}]}


def _risk(wiki: str = "enwiki", language: str = "en") -> ServerCase:
    name = "revertrisk-language-agnostic"
    return ServerCase("revertrisklanguageagnostic", name, "3", name, "revertrisk", wiki, _instance(language))


#: Each with its own kind of body, or its own namespace.
SERVERS = [
    _revscoring("damaging", "0.5.1", "editquality-damaging"),
    _revscoring("goodfaith", "0.5.1", "editquality-goodfaith"),
    _revscoring("reverted", "0.4.0", "editquality-reverted", "glwiki"),
    _revscoring("articlequality", "0.9.2", "articlequality"),
    ServerCase("wp10", "articlequality", "0.9.2", "enwiki-articlequality", "revscoring-articlequality"),
    _revscoring("itemquality", "0.5.0", "articlequality", "wikidatawiki"),
    _revscoring("draftquality", "0.2.1", "draftquality"),
    _revscoring("articletopic", "1.3.0", "articletopic"),
    _revscoring("drafttopic", "1.3.0", "drafttopic"),
    _revscoring("itemtopic", "1.3.0", "articletopic", "wikidatawiki"),
    _risk(),
    _risk("be_x_oldwiki", "be-tarask"),
    _risk("zh_min_nanwiki", "nan"),
    ServerCase(
        "revertriskmultilingual",
        "revertrisk-multilingual",
        "4",
        "revertrisk-multilingual",
        "revertrisk",
        body={"rev_id": REVISION, "lang": "en"},
    ),
    ServerCase(
        "revertriskwikidata", "revertrisk-wikidata", "1", "revertrisk-wikidata", "revertrisk", wiki="wikidatawiki"
    ),
    ServerCase(
        "articlequalitylanguageagnostic",
        "articlequality-language-agnostic",
        "1",
        "articlequality",
        "article-models",
        body={"rev_id": REVISION, "lang": "en", "extended_output": "true"},
    ),
    ServerCase(
        "articlequality_v2",
        "articlequality_v2",
        "2",
        "articlequality_v2",
        "article-models",
        body=_instance(),
        server="articlequality",
    ),
    ServerCase(
        "outlinktopic",
        "outlink-topic-model",
        "alloutlinks_202209",
        "outlink-topic-model",
        "articletopic-outlink",
        body={"page_id": PAGE, "lang": "en", "revision_id": REVISION, "threshold": 0.0},
    ),
]

every_server = pytest.mark.parametrize("server", SERVERS, ids=lambda server: f"{server.wiki}-{server.model}")
