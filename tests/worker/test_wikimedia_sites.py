"""Language, project and domain follow from a wiki's id, and are never those of another wiki."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples
from worker.config.wikimedia_sites import LANGUAGE_PROJECTS, LIFT_WING_LANGUAGES, LISTED_WIKIS, Site, site_of

#: wgServer of single wikis, by hand: the table can't be its own witness.
DOMAINS = {
    "commonswiki": "commons.wikimedia.org",
    "metawiki": "meta.wikimedia.org",
    "specieswiki": "species.wikimedia.org",
    "incubatorwiki": "incubator.wikimedia.org",
    "foundationwiki": "foundation.wikimedia.org",
    "outreachwiki": "outreach.wikimedia.org",
    "donatewiki": "donate.wikimedia.org",
    "loginwiki": "login.wikimedia.org",
    "votewiki": "vote.wikimedia.org",
    "strategywiki": "strategy.wikimedia.org",
    "usabilitywiki": "usability.wikimedia.org",
    "qualitywiki": "quality.wikimedia.org",
    "wikimaniawiki": "wikimania.wikimedia.org",
    "wikimania2005wiki": "wikimania2005.wikimedia.org",
    "wikimania2018wiki": "wikimania2018.wikimedia.org",
    "wikidatawiki": "www.wikidata.org",
    "testwikidatawiki": "test.wikidata.org",
    "testcommonswiki": "test-commons.wikimedia.org",
    "test2wiki": "test2.wikipedia.org",
    "tenwiki": "ten.wikipedia.org",
    "nostalgiawiki": "nostalgia.wikipedia.org",
    "abstractwiki": "abstract.wikipedia.org",
    "arbcom_enwiki": "arbcom-en.wikipedia.org",
    "arbcom_itwiki": "wikipedia-it-arbcom.wikimedia.org",
    "wg_enwiki": "wg-en.wikipedia.org",
    "mediawikiwiki": "www.mediawiki.org",
    "wikifunctionswiki": "www.wikifunctions.org",
    "apiportalwiki": "api.wikimedia.org",
    "labswiki": "wikitech.wikimedia.org",
    "labtestwiki": "labtestwikitech.wikimedia.org",
    "chapcomwiki": "affcom.wikimedia.org",
    "ombudsmenwiki": "ombuds.wikimedia.org",
    "otrs_wikiwiki": "vrt-wiki.wikimedia.org",
    "sourceswiki": "wikisource.org",
    "betawikiversity": "beta.wikiversity.org",
}
CHAPTERS = {
    "ukwikimedia": "uk.wikimedia.org",
    "brwikimedia": "br.wikimedia.org",
    "etwikimedia": "ee.wikimedia.org",
    "pa_uswikimedia": "pa-us.wikimedia.org",
    "id_internalwikimedia": "id-internal.wikimedia.org",
    "noboard_chapterswikimedia": "noboard-chapters.wikimedia.org",
    "nycwikimedia": "nyc.wikimedia.org",
    "punjabiwikimedia": "punjabi.wikimedia.org",
    "romdwikimedia": "romd.wikimedia.org",
}
LANGUAGES = ["als", "bat_smg", "be", "bh", "cbk_zam", "en", "ext", "fiu_vro", "got", "map_bms", "nah", "nds", "nds_nl"]
LANGUAGES += ["no", "roa_rup", "roa_tara", "simple", "zh", "zh_classical", "zh_min_nan", "zh_yue", "xx", "uk"]
ENDINGS = [*LANGUAGE_PROJECTS, "wikimedia"]
#: What the domains and codes of other wikis look like when they are read as wiki ids.
RIVALS = {site.domain.partition(".")[0].replace("-", "_") for site in LISTED_WIKIS.values()}
RIVALS |= set(LIFT_WING_LANGUAGES.values())
EVERY_ID = {*LISTED_WIKIS, *(name + ending for name in RIVALS.union(LANGUAGES) for ending in ENDINGS)}
MADE_UP_LANGUAGES = st.from_regex(r"[a-z]{2,3}(_[a-z]{2,5}){0,2}", fullmatch=True)
FORMED_IDS = st.builds(str.__add__, MADE_UP_LANGUAGES | st.sampled_from(LANGUAGES), st.sampled_from(ENDINGS))


@pytest.mark.parametrize(
    ("wiki", "site"),
    [
        ("enwiki", Site("en", "wikipedia", "en.wikipedia.org")),
        ("enwiktionary", Site("en", "wiktionary", "en.wiktionary.org")),
        ("eswikibooks", Site("es", "wikibooks", "es.wikibooks.org")),
        ("zh_min_nanwikisource", Site("zh-min-nan", "wikisource", "zh-min-nan.wikisource.org")),
        ("be_x_oldwiki", Site("be-tarask", "wikipedia", "be-tarask.wikipedia.org")),
        ("bewiki", Site("be", "wikipedia", "be.wikipedia.org")),
        ("nowiki", Site("no", "wikipedia", "no.wikipedia.org")),
        ("alswiki", Site("als", "wikipedia", "als.wikipedia.org")),
        ("simplewiktionary", Site("simple", "wiktionary", "simple.wiktionary.org")),
        ("yuewiktionary", Site("yue", "wiktionary", "yue.wiktionary.org")),
        ("newwiki", Site("new", "wikipedia", "new.wikipedia.org")),
        ("testwiki", Site("en", "test", "test.wikipedia.org")),
    ],
)
def test_a_wiki_id_tells_language_project_and_domain(wiki: str, site: Site) -> None:
    assert site_of(wiki) == site


@pytest.mark.parametrize(("wiki", "domain"), DOMAINS.items())
def test_a_wiki_of_its_own_has_a_domain_and_no_language(wiki: str, domain: str) -> None:
    site = site_of(wiki)

    assert site is not None
    assert (site.language, site.domain) == (None, domain)


@pytest.mark.parametrize(("wiki", "domain"), CHAPTERS.items())
def test_a_chapter_is_named_for_no_language(wiki: str, domain: str) -> None:
    assert site_of(wiki) == Site(None, "wikimedia", domain)


@pytest.mark.parametrize("ending", LANGUAGE_PROJECTS)
def test_a_domain_is_language_and_project(ending: str) -> None:
    codes = {language: language.replace("_", "-") for language in LANGUAGES}
    project = LANGUAGE_PROJECTS[ending]

    found = {language: site_of(language + ending) for language in LANGUAGES}

    assert found == {language: Site(code, project, f"{code}.{project}.org") for language, code in codes.items()}


@settings(max_examples=examples(200))
@given(st.text("abcdefghijklmnopqrstuvwxyz", min_size=2, max_size=2), st.sampled_from(list(LANGUAGE_PROJECTS)))
def test_a_language_nobody_knows_yet_is_taken_for_one(language: str, ending: str) -> None:
    project = LANGUAGE_PROJECTS[ending]

    assert site_of(language + ending) == Site(language, project, f"{language}.{project}.org")


@settings(max_examples=examples(500))
@given(FORMED_IDS | st.text(max_size=20) | st.builds(str.__add__, st.text(max_size=6), st.sampled_from(ENDINGS)))
def test_the_id_of_an_unlisted_wiki_can_be_read_back_from_its_domain(wiki: str) -> None:
    site = site_of(wiki)

    if site is not None and wiki not in LISTED_WIKIS:
        code, project, top = site.domain.split(".")
        assert top == "org"
        assert code.replace("-", "_") + ("wiki" if project == "wikipedia" else project) == wiki


def test_no_two_wikis_share_a_domain() -> None:
    domains = [site.domain for site in map(site_of, EVERY_ID) if site is not None]

    assert [domain for domain, times in Counter(domains).items() if times > 1] == []


@pytest.mark.parametrize(
    "wiki",
    ["be_taraskwiki", "gswwiki", "sgswiki", "nanwiki", "lzhwiki", "vrowiki", "rupwiki", "yuewiki", "eewikimedia"],
)
def test_a_name_that_another_wiki_answers_to_is_no_wiki(wiki: str) -> None:
    assert site_of(wiki) is None


@pytest.mark.parametrize(
    ("wiki", "language"),
    [
        ("enwiki", "en"),
        ("simplewiki", "simple"),
        ("nowiki", "no"),
        ("be_x_oldwiki", "be-tarask"),
        ("nds_nlwiki", "nds-nl"),
        ("cbk_zamwiki", "cbk-zam"),
        ("alswiki", "gsw"),
        ("bat_smgwiki", "sgs"),
        ("fiu_vrowiki", "vro"),
        ("roa_rupwiki", "rup"),
        ("zh_classicalwiki", "lzh"),
        ("zh_min_nanwiki", "nan"),
        ("zh_yuewiki", "yue"),
        ("testwiki", "test"),
    ],
)
def test_lift_wing_knows_a_wikipedia_by_the_code_of_its_own_list(wiki: str, language: str) -> None:
    site = site_of(wiki)

    assert site is not None
    assert site.lift_wing_language == language


@pytest.mark.parametrize(
    "wiki",
    ["enwiktionary", "eswikibooks", "commonswiki", "wikidatawiki", "ukwikimedia", "betawikiversity", "test2wiki"],
)
def test_lift_wing_has_no_language_for_what_is_no_wikipedia(wiki: str) -> None:
    site = site_of(wiki)

    assert site is not None
    assert site.lift_wing_language is None


def test_no_two_wikis_share_a_language_at_lift_wing() -> None:
    languages = [site.lift_wing_language for site in map(site_of, EVERY_ID) if site is not None]

    assert [language for language, times in Counter(languages).items() if language and times > 1] == []


@pytest.mark.parametrize(
    "wiki",
    [
        "",
        "wiki",
        "wiktionary",
        "wikimedia",
        "en",
        "ewiki",
        "enwikifoo",
        "EnWiki",
        "ENWIKI",
        "enwiki\n",
        " enwiki",
        "en-gbwiki",
        "en_wiki",
        "_enwiki",
        "en__gbwiki",
        "be_x_oldwiktionary",
        "e1wiki",
        "énwiki",
        "en.wikipedia.org",
        "newcommitteewiki",
        "arbcom_xxwiki",
        "betawiki",
    ],
)
def test_what_has_no_known_form_is_no_wiki(wiki: str) -> None:
    assert site_of(wiki) is None
