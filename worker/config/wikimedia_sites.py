"""Language, project and domain of a Wikimedia wiki by its id (database name): a table, and a rule for all others. Pure.

Facts from wikimedia/operations-mediawiki-config @ 0001228577fa, wmf-config/InitialiseSettings.php (`wgServer`,
`wgLanguageCode`) and its multiversion/MWMultiVersion.php and dblists/all.dblist; and from
wikimedia/machinelearning-liftwing-inference-services, src/models/revert_risk_model/ data/wikis.tsv @ 8e5412476a2b and
model_server/base_model.py @ ec57a4fe8608, python/config.yaml @ ba8d01b03dd2.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final


@dataclass(frozen=True, slots=True)
class Site:
    """What a wiki id stands for."""

    #: As the domain spells it: `en`, `be-tarask`, `zh-min-nan`. None if the wiki is not named by a language: Commons,
    #: chapters.
    language: str | None
    #: `wikipedia`, `wiktionary` … for a language, `wikimedia` for chapters and user groups, or the wiki's own name.
    project: str
    domain: str

    @property
    def lift_wing_language(self) -> str | None:
        """The `lang` by which Lift Wing's revert-risk servers find this wiki; None if they can't.

        They read every revision from `<lang>.wikipedia.org`: with the language of a Wiktionary they would score an
        unrelated revision of Wikipedia. They take `test` as well, and check it as if it were `en`.
        """
        if self.project not in {"wikipedia", "test"}:
            return None
        code = self.domain.partition(".")[0]
        return LIFT_WING_LANGUAGES.get(code, code)


#: Ending of the wiki id to the project, for ids that are a language and an ending.
LANGUAGE_PROJECTS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "wiki": "wikipedia",
        "wikibooks": "wikibooks",
        "wikinews": "wikinews",
        "wikiquote": "wikiquote",
        "wikisource": "wikisource",
        "wikiversity": "wikiversity",
        "wikivoyage": "wikivoyage",
        "wiktionary": "wiktionary",
    }
)

#: Language of the domain to the one code that Lift Wing's list of Wikipedias holds for it, where they differ. Lift Wing
#: refuses the domain's own code, and turns all but `rup` and `vro` back into the domain.
LIFT_WING_LANGUAGES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "als": "gsw",
        "bat-smg": "sgs",
        "fiu-vro": "vro",
        "roa-rup": "rup",
        "zh-classical": "lzh",
        "zh-min-nan": "nan",
        "zh-yue": "yue",
    }
)

#: Wikis of their own: `<name>wiki` at `<name>.wikimedia.org`. Private and closed ones may be missing.
_AT_WIKIMEDIA_ORG = """
    advisors advisory auditcom board boardgovcom chair checkuser collab commons donate electcom exec fdc foundation
    grants iegcom incubator internal legalteam login meta movementroles office outreach projectcom quality searchcom
    spcom species steward strategy techconduct transitionteam u4c usability vote wikimania wikimaniateam
    wikimania2005 wikimania2006 wikimania2007 wikimania2008 wikimania2009 wikimania2010 wikimania2011 wikimania2012
    wikimania2013 wikimania2014 wikimania2015 wikimania2016 wikimania2017 wikimania2018
"""

#: The same at `<name>.wikipedia.org`, with a hyphen for each underscore of the name.
_AT_WIKIPEDIA_ORG = """
    abstract arbcom_cs arbcom_de arbcom_en arbcom_fi arbcom_nl arbcom_ru nostalgia sysop_it ten test2 thankyou wg_en
"""

#: Wikis whose id is not language + project, or whose domain does not follow from it.
LISTED_WIKIS: Final[Mapping[str, Site]] = MappingProxyType(
    {f"{name}wiki": Site(None, name, f"{name}.wikimedia.org") for name in _AT_WIKIMEDIA_ORG.split()}
    | {f"{name}wiki": Site(None, name, f"{name.replace('_', '-')}.wikipedia.org") for name in _AT_WIKIPEDIA_ORG.split()}
    | {
        "apiportalwiki": Site(None, "apiportal", "api.wikimedia.org"),
        "arbcom_itwiki": Site(None, "arbcom_it", "wikipedia-it-arbcom.wikimedia.org"),
        "arbcom_plwiki": Site(None, "arbcom_pl", "wikipedia-pl-arbcom.wikimedia.org"),
        "arbcom_zhwiki": Site(None, "arbcom_zh", "wikipedia-zh-arbcom.wikimedia.org"),
        "be_x_oldwiki": Site("be-tarask", "wikipedia", "be-tarask.wikipedia.org"),
        "betawikiversity": Site(None, "wikiversity", "beta.wikiversity.org"),
        "chapcomwiki": Site(None, "chapcom", "affcom.wikimedia.org"),
        "etwikimedia": Site(None, "wikimedia", "ee.wikimedia.org"),
        "labswiki": Site(None, "wikitech", "wikitech.wikimedia.org"),
        "labtestwiki": Site(None, "labtestwikitech", "labtestwikitech.wikimedia.org"),
        "mediawikiwiki": Site(None, "mediawiki", "www.mediawiki.org"),
        "noboard_chapterswikimedia": Site(None, "wikimedia", "noboard-chapters.wikimedia.org"),
        "ombudsmenwiki": Site(None, "ombudsmen", "ombuds.wikimedia.org"),
        "otrs_wikiwiki": Site(None, "otrs_wiki", "vrt-wiki.wikimedia.org"),
        "punjabiwikimedia": Site(None, "wikimedia", "punjabi.wikimedia.org"),
        "romdwikimedia": Site(None, "wikimedia", "romd.wikimedia.org"),
        "sourceswiki": Site(None, "wikisource", "wikisource.org"),
        "sysop_plwiki": Site(None, "sysop_pl", "wikipedia-pl-sysop.wikimedia.org"),
        "testcommonswiki": Site(None, "testcommons", "test-commons.wikimedia.org"),
        # wgLanguageCode and Lift Wing's check take its content for English; its revisions are its own.
        "testwiki": Site("en", "test", "test.wikipedia.org"),
        "testwikidatawiki": Site(None, "testwikidata", "test.wikidata.org"),
        "wikidatawiki": Site(None, "wikidata", "www.wikidata.org"),
        "wikifunctionswiki": Site(None, "wikifunctions", "www.wikifunctions.org"),
    }
)

_LISTED_DOMAINS = frozenset(site.domain for site in LISTED_WIKIS.values())

#: Codes are ISO 639's two or three letters, some with parts after an underscore. Longer names are wikis of their own.
_FORM = re.compile(rf"(simple|[a-z]{{2,3}}(?:_[a-z]{{2,}})*)({'|'.join(LANGUAGE_PROJECTS)}|wikimedia)")


def site_of(wiki: str) -> Site | None:
    """Return the site of a wiki id; None if it is neither listed nor of the form language + project.

    A language is not looked up, since new ones appear every month: `xxwiki` is `xx.wikipedia.org`. What stands before
    `wikimedia` is a country or a group and no language: `ukwikimedia` is British. No two ids share a domain or a
    `lift_wing_language`, so `be_taraskwiki` and `gswwiki` are no sites as long as `be_x_oldwiki` and `alswiki` are.
    """
    if wiki in LISTED_WIKIS:
        return LISTED_WIKIS[wiki]
    if not (form := _FORM.fullmatch(wiki)):
        return None
    code, ending = form[1].replace("_", "-"), form[2]
    project = LANGUAGE_PROJECTS.get(ending, ending)
    domain = f"{code}.{project}.org"
    if domain in _LISTED_DOMAINS or (project == "wikipedia" and code in LIFT_WING_LANGUAGES.values()):
        return None
    return Site(code if ending in LANGUAGE_PROJECTS else None, project, domain)
