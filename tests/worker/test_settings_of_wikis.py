"""Settings of a wiki: what follows from its id, which models each endpoint has, and which edits they score."""

from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from outbox import EditSource
from tests.builders import an_edit
from worker.config.settings_sections import EndpointSettings
from worker.scores.plan import plan
from worker.settings import Settings, describe

RISK = "revertrisklanguageagnostic"
OF_A_LANGUAGE = [RISK, "revertriskmultilingual", "articlequalitylanguageagnostic", "articlequality_v2", "outlinktopic"]


def settings_of(
    wiki: str, *models: str, endpoint: dict[str, Any] | None = None, site: dict[str, str] | None = None, **fields: Any
) -> Settings:
    """Settings of one wiki, of which no more is said than must be, at Lift Wing."""
    here = {"database_url": "sqlite:///wiki.db"} | ({"models": models} if models else {})
    return Settings.model_validate(
        {
            "endpoint": {"kind": "lift_wing", "url": "http://127.0.0.1:8080"} | (endpoint or {}),
            "wikis": {wiki: here | (site or {})},
        }
        | fields
    )


def problem(wiki: str, *models: str, **fields: Any) -> str:
    with pytest.raises(ValidationError) as raised:
        settings_of(wiki, *models, **fields)
    return describe(raised.value)


def planned(
    models: dict[str, dict[str, Any]], *, names: tuple[str, ...] = ("damaging",), **edit: Any
) -> tuple[str, ...]:
    """The models that score an edit on a wiki with *names*, the settings of the models being changed by *models*."""
    settings = settings_of("enwiki", *names, models=models)
    known = settings.scoring_models()
    return plan(an_edit(**edit), {name: known[name] for name in settings.wikis["enwiki"].models})


@pytest.mark.parametrize(
    ("wiki", "domain", "language"),
    [
        ("enwiki", "en.wikipedia.org", "en"),
        ("simplewiki", "simple.wikipedia.org", "simple"),
        ("be_x_oldwiki", "be-tarask.wikipedia.org", "be-tarask"),
        ("zh_min_nanwiki", "zh-min-nan.wikipedia.org", "nan"),
        ("alswiki", "als.wikipedia.org", "gsw"),
        ("enwiktionary", "en.wiktionary.org", None),
        ("wikidatawiki", "www.wikidata.org", None),
        ("commonswiki", "commons.wikimedia.org", None),
    ],
)
def test_domain_and_language_follow_from_the_wiki_id(wiki: str, domain: str, language: str | None) -> None:
    here = settings_of(wiki, "damaging").wikis[wiki]

    assert (here.domain, here.language) == (domain, language)


def test_what_is_set_wins_over_what_follows_from_the_id() -> None:
    here = settings_of("enwiki", site={"domain": "en.example.org", "language": "de"}).wikis["enwiki"]

    assert (here.domain, here.language) == ("en.example.org", "de")


def test_a_wiki_of_ones_own_needs_its_domain() -> None:
    sentence = problem("mycompanywiki")

    assert sentence.startswith("wikis.mycompanywiki.domain: Field required")
    assert "OUTPATROL_WIKIS__MYCOMPANYWIKI__DOMAIN" in sentence


def test_a_wiki_of_ones_own_needs_no_more_than_its_domain() -> None:
    here = settings_of("mycompanywiki", site={"domain": "wiki.example.org"}).wikis["mycompanywiki"]

    assert here.language is None


@pytest.mark.parametrize("wiki", ["be_taraskwiki", "gswwiki", "nanwiki"])
def test_the_id_of_no_wikimedia_wiki_is_not_taken_for_the_one_that_sounds_alike(wiki: str) -> None:
    assert problem(wiki).startswith(f"wikis.{wiki}.domain: Field required")


@pytest.mark.parametrize("model", OF_A_LANGUAGE)
@pytest.mark.parametrize("wiki", ["enwiktionary", "eswikibooks", "wikidatawiki", "commonswiki", "metawiki"])
def test_a_model_that_knows_wikipedias_only_is_refused_elsewhere(wiki: str, model: str) -> None:
    assert problem(wiki, "damaging", model) == (
        f"wikis.{wiki}.models: {model} finds a wiki by its language and knows Wikipedias only; "
        f"remove it, or set wikis.{wiki}.language"
    )


@pytest.mark.parametrize("model", OF_A_LANGUAGE)
@pytest.mark.parametrize("wiki", ["enwiki", "simplewiki", "be_x_oldwiki", "zh_min_nanwiki"])
def test_a_model_that_knows_wikipedias_is_taken_there(wiki: str, model: str) -> None:
    assert settings_of(wiki, model).wikis[wiki].models == (model,)


def test_a_wiki_of_ones_own_may_say_which_language_it_is_in() -> None:
    own = {"domain": "wiki.example.org", "language": "en"}

    assert settings_of("mycompanywiki", RISK, site=own).wikis["mycompanywiki"].models == (RISK,)


def test_the_revert_risk_of_items_is_wikidatas_alone() -> None:
    assert settings_of("wikidatawiki", "revertriskwikidata").wikis["wikidatawiki"].models == ("revertriskwikidata",)
    assert problem("enwiki", "revertriskwikidata") == (
        "wikis.enwiki.models: revertriskwikidata knows wikidatawiki only; remove it"
    )


@pytest.mark.parametrize("model", [*OF_A_LANGUAGE, "revertriskwikidata"])
def test_a_model_that_only_lift_wing_has_is_refused_of_ores(model: str) -> None:
    assert problem("enwiki", model, endpoint={"kind": "ores"}) == (
        f"wikis.enwiki.models: ORES has no {model}; set endpoint.kind to lift_wing"
    )


def test_a_model_that_nobody_knows_is_refused_with_those_that_are_known() -> None:
    sentence = problem("enwiki", "tone")

    assert sentence.startswith("wikis.enwiki.models: 'tone' is no model; known are articlequality, ")
    assert sentence.endswith("add its classes under [models.tone]")


@pytest.mark.parametrize(("first", "name"), [("articlequality", "articlequality"), ("fluency", "x")])
def test_two_models_of_a_wiki_can_not_be_announced_under_one_name(first: str, name: str) -> None:
    """An event has a place for each name."""
    own = {"fluency": {"classes": {}, "announced_as": "x"}, "tone": {"classes": {}, "announced_as": name}}

    assert problem("enwiki", first, "tone", models=own) == (
        f"wikis.enwiki.models: {first} and tone are both announced as {name}; "
        "set another models.tone.announced_as, or remove one of them"
    )


def test_a_model_of_ones_own_can_be_added() -> None:
    settings = settings_of("enwiki", "tone", models={"tone": {"classes": {"false": 0, "true": 1}}})

    assert settings.scoring_models()["tone"].is_binary


@pytest.mark.parametrize(
    "url",
    [
        "https://api.wikimedia.org/service/lw/inference",
        "https://ores.wikimedia.org",
        "https://inference.svc.eqiad.wmnet:30443",
    ],
)
def test_wikimedias_endpoints_want_a_contact(url: str) -> None:
    sentence = problem("enwiki", endpoint={"url": url})

    assert "requires a contact; set endpoint.contact to an e-mail address or a web page of yours" in sentence


@pytest.mark.parametrize("contact", ["admin@example.org", "https://example.org/bot", "http://example.org/~bot"])
def test_a_contact_is_an_address_or_a_page(contact: str) -> None:
    here = {"url": "https://api.wikimedia.org", "contact": contact}

    assert settings_of("enwiki", endpoint=here).contact == contact


@pytest.mark.parametrize(
    "contact", ["", "me", "a b@example.org", "a@b(c)", "a@b\r\nX-Evil: 1", "ftp://example.org", "ä@b"]
)
def test_what_is_no_contact_is_refused_wherever_the_endpoint_is(contact: str) -> None:
    assert problem("enwiki", endpoint={"contact": contact}).startswith("endpoint.contact: ")


@pytest.mark.parametrize("value", ["é", "a\nb", "a\r\nX-Other: b", "漢", "\0", " a", "a "])
def test_a_header_that_cannot_be_sent_is_refused_without_its_value(value: str) -> None:
    sentence = problem("enwiki", endpoint={"headers": {"X-Key": value}})
    assert sentence.startswith(
        "endpoint.headers: the value of X-Key can't be sent; write ASCII characters in one line (in the file, or as "
    )


@pytest.mark.parametrize("name", ["", "X Key", "X:Key", "X-Kéy", "X\nKey"])
def test_what_is_no_name_of_a_header_is_refused(name: str) -> None:
    assert "is no name of a header" in problem("enwiki", endpoint={"headers": {name: "a"}})


@pytest.mark.parametrize("name", ["Content-Length", "transfer-encoding", "CONNECTION"])
def test_a_header_that_says_where_a_request_ends_is_refused(name: str) -> None:
    assert "which only we know; leave it out" in problem("enwiki", endpoint={"headers": {name: "5"}})


@pytest.mark.parametrize("name", ["", "a b", "a/b", "a:b", "a\r\nX-Evil: 1", "é"])
def test_a_name_at_lift_wing_that_fits_no_address_is_refused(name: str) -> None:
    assert problem("enwiki", models={"damaging": {"lift_wing_name": name}}).startswith(
        "models.damaging.lift_wing_name: "
    )


@pytest.mark.parametrize("value", ["", "a", "Bearer abc.def==", "a b\tc"])
def test_any_other_header_is_taken(value: str) -> None:
    headers = EndpointSettings(url="http://localhost", headers={"X-Key": SecretStr(value)}).headers
    assert headers["X-Key"].get_secret_value() == value


def test_an_endpoint_of_ones_own_wants_no_contact() -> None:
    assert settings_of("enwiki").contact is None


@pytest.mark.parametrize("call_seconds", [10, 15])
def test_a_call_must_outlive_the_requests_it_is_made_of(call_seconds: float) -> None:
    sentence = problem("enwiki", flight={"call_seconds": call_seconds})

    assert sentence == (
        f"flight.call_seconds: {call_seconds} leaves no time to wait for a request's turn; "
        "make it more than endpoint.timeout_seconds, which is 15"
    )


def test_a_call_may_be_short_where_requests_are_shorter() -> None:
    assert settings_of("enwiki", endpoint={"timeout_seconds": 1}, flight={"call_seconds": 2}).flight.call_seconds == 2


def test_a_model_that_is_not_enabled_scores_nothing() -> None:
    assert planned({"damaging": {"enabled": False}}) == ()
    assert planned({"damaging": {"enabled": True}}) == ("damaging",)


def test_a_model_scores_the_namespaces_it_is_set_to() -> None:
    here = {"damaging": {"namespaces": [0, 118]}}

    assert [planned(here, namespace=namespace) for namespace in (0, 118, 1)] == [("damaging",), ("damaging",), ()]


def test_a_model_of_articles_can_be_set_to_every_namespace() -> None:
    here: dict[str, dict[str, Any]] = {"articlequality": {"namespaces": []}}

    assert planned(here, names=("articlequality",), namespace=4) == ("articlequality",)


def test_a_model_scores_the_sources_it_is_set_to() -> None:
    here = {"damaging": {"sources": ["mw.new"]}}

    assert planned(here, source=EditSource.NEW, parent_revision=0) == ("damaging",)
    assert planned(here, source=EditSource.EDIT) == ()


def test_a_model_leaves_out_bots_where_it_is_set_to() -> None:
    here = {"damaging": {"exclude_bots": True}}

    assert (planned(here, is_bot=True), planned(here, is_bot=False)) == ((), ("damaging",))


def test_one_models_settings_change_no_other_model() -> None:
    here = {"damaging": {"enabled": False}, "goodfaith": {"exclude_bots": True}}

    assert planned(here, names=("damaging", "goodfaith", "reverted"), is_bot=True) == ("reverted",)


def test_a_changed_field_leaves_the_models_other_fields_as_they_were() -> None:
    model = settings_of("enwiki", models={"draftquality": {"exclude_bots": True}}).scoring_models()["draftquality"]

    assert model.exclude_bots
    assert (set(model.sources), set(model.namespaces)) == ({EditSource.NEW}, {0})


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"colour": 1}, "models.damaging.colour"),
        ({"sources": ["mw.log"]}, "models.damaging.sources"),
        ({"namespaces": "all"}, "models.damaging.namespaces"),
        ({"enabled": "perhaps"}, "models.damaging.enabled"),
        ({"version": "x" * 33}, "models.damaging.version"),
        ({"server": "oracle"}, "models.damaging.server"),
    ],
)
def test_a_wrong_field_of_a_model_is_named(fields: dict[str, Any], named: str) -> None:
    assert named in problem("enwiki", models={"damaging": fields})


def two_wikis(one: dict[str, Any], other: dict[str, Any], *, names: tuple[str, str] = ("enwiki", "frwiki")) -> Settings:
    wikis = dict(zip(names, (one, other), strict=True))
    return Settings.model_validate({"endpoint": {"url": "http://127.0.0.1:8080"}, "wikis": wikis})


def sentence(one: dict[str, Any], other: dict[str, Any], *, names: tuple[str, str] = ("enwiki", "frwiki")) -> str:
    with pytest.raises(ValidationError) as raised:
        two_wikis(one, other, names=names)
    return describe(raised.value)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("sqlite:///one.db", "sqlite:///one.db"),
        ("sqlite:///one.db", "sqlite:///./one.db"),
        ("sqlite://", "sqlite://"),
        ("mariadb+pymysql://a:hunter2@127.0.0.1/wiki", "mysql+pymysql://b:hunter3@localhost:3306/wiki?charset=utf8mb4"),
    ],
)
def test_two_wikis_in_one_database_are_refused_by_name_and_without_passwords(one: str, other: str) -> None:
    message = sentence({"database_url": one}, {"database_url": other})

    assert message == (
        "wikis.frwiki.database_url: leads to the database of enwiki, so that each would be scored and announced as the "
        "other; give each wiki a database of its own"
    )


def test_wikis_with_a_database_each_may_be_on_one_server() -> None:
    urls = [{"database_url": f"mariadb+pymysql://a:b@127.0.0.1/{name}"} for name in ("enwiki", "frwiki")]

    assert set(two_wikis(*urls).wikis) == {"enwiki", "frwiki"}


def test_a_copied_domain_is_refused_where_it_is_of_a_wiki_of_wikimedia() -> None:
    message = sentence(
        {"database_url": "sqlite:///a.db"}, {"database_url": "sqlite:///b.db", "domain": "EN.wikipedia.org"}
    )

    assert message.startswith("wikis.frwiki.domain: EN.wikipedia.org is the domain of enwiki already")


def test_wikis_of_ones_own_may_share_a_domain() -> None:
    one, other = ({"database_url": f"sqlite:///{name}.db", "domain": "wikis.example.org"} for name in ("a", "b"))

    assert len(two_wikis(one, other, names=("ourcompany", "theircompany")).wikis) == 2


def test_a_wiki_is_one_that_exists_unless_it_is_declared_emulated() -> None:
    here = two_wikis({"database_url": "sqlite:///a.db"}, {"database_url": "sqlite:///b.db", "emulated": True}).wikis

    assert [here[wiki].emulated for wiki in ("enwiki", "frwiki")] == [False, True]


OF_FRWIKI = {"e": 0, "bd": 1, "b": 2, "a": 3, "ba": 4, "adq": 5, "ébauche": 6}


def classes_of(**classes: dict[str, dict[str, int]]) -> dict[str, dict[str, int]]:
    """The classes of articlequality on each of two wikis, of which some have *classes* of their own."""
    wikis = {
        name: {"database_url": f"sqlite:///{name}.db", "models": ["articlequality"], "classes": classes.get(name, {})}
        for name in ("enwiki", "frwiki")
    }
    settings = Settings.model_validate({"endpoint": {"url": "http://127.0.0.1:1"}, "wikis": wikis})
    known = settings.scoring_models()
    return {wiki: settings.models_of(wiki, known)["articlequality"].classes for wiki in wikis}


def test_classes_of_one_wiki_take_the_place_of_the_models_and_are_no_others() -> None:
    usual = classes_of()["enwiki"]

    found = classes_of(frwiki={"articlequality": OF_FRWIKI})

    assert found == {"enwiki": usual, "frwiki": OF_FRWIKI}


@pytest.mark.parametrize(
    ("classes", "says"),
    [
        ({"damaging": {"true": 1}}, "wikis.frwiki.classes.damaging: frwiki has no such model; add it to"),
        ({"articlequality": {"a": 1, "b": 1}}, "wikis.frwiki.classes.articlequality: two classes have one number"),
        ({"articlequality": {"a": 128}}, "wikis.frwiki.classes.articlequality: Input should be less than"),
        ({"articlequality": {"a": -1}}, "wikis.frwiki.classes.articlequality: Input should be greater than"),
    ],
)
def test_classes_that_a_wiki_can_not_have_are_refused_by_name(classes: dict[str, dict[str, int]], says: str) -> None:
    with pytest.raises(ValidationError) as raised:
        classes_of(frwiki=classes)

    assert says in describe(raised.value)
