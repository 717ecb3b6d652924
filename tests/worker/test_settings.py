"""Settings come from the file and from variables; what is wrong is named, never shown."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from worker.domain.errors import SettingsInvalid
from worker.settings import FILE_VARIABLE, load_settings

EXAMPLE = Path(__file__).parents[2] / "outpatrol.example.toml"
MINIMAL = """
[endpoint]
url = "http://127.0.0.1:8080"

[wikis.enwiki]
database_url = "mariadb+pymysql://outpatrol:hunter2@127.0.0.1/enwiki"
domain = "en.wikipedia.org"
language = "en"
"""

Write = Callable[[str], Path]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Writes the settings file that is read from then on."""

    def write(text: str) -> Path:
        file = tmp_path / "some.toml"
        file.write_text(text)
        monkeypatch.setenv(FILE_VARIABLE, str(file))
        return file

    return write


def problem() -> str:
    with pytest.raises(SettingsInvalid) as raised:
        load_settings()
    return str(raised.value)


def test_the_example_file_is_valid(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copy(EXAMPLE, tmp_path / "outpatrol.toml")
    monkeypatch.delenv(FILE_VARIABLE, raising=False)
    monkeypatch.chdir(tmp_path)

    assert set(load_settings().wikis) == {"enwiki", "frwiki"}


def test_the_example_file_shows_the_defaults(write: Write) -> None:
    write(EXAMPLE.read_text())
    example = load_settings()
    write(MINIMAL)
    minimal = load_settings()

    for name in ("redis_url", "sinks", "flight", "outbox", "poll_seconds", "log_level", "events"):
        assert getattr(example, name) == getattr(minimal, name)


def test_a_file_needs_no_more_than_an_endpoint_and_a_wiki(write: Write) -> None:
    write(MINIMAL)

    assert load_settings().wikis["enwiki"].models == ("damaging", "goodfaith")


def test_a_variable_wins_over_the_file(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    write(MINIMAL)
    monkeypatch.setenv("OUTPATROL_WIKIS__ENWIKI__DOMAIN", "en.example.org")
    monkeypatch.setenv("OUTPATROL_POLL_SECONDS", "7")

    assert load_settings().wikis["enwiki"].domain == "en.example.org"
    assert load_settings().poll_seconds == 7


def test_a_variable_changes_its_own_field_only(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    write(MINIMAL)
    monkeypatch.setenv("OUTPATROL_ENDPOINT__CONCURRENCY", "3")
    monkeypatch.setenv("OUTPATROL_FLIGHT__CALL_SECONDS", "33")

    assert load_settings().endpoints_by_name["default"].url == "http://127.0.0.1:8080"
    assert load_settings().flight.lease_margin_seconds == 5


def test_variables_alone_are_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(FILE_VARIABLE, raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OUTPATROL_ENDPOINT__URL", "http://127.0.0.1:8080")
    monkeypatch.setenv("OUTPATROL_WIKIS__FRWIKI__DATABASE_URL", "sqlite:///frwiki.db")
    monkeypatch.setenv("OUTPATROL_WIKIS__FRWIKI__DOMAIN", "fr.wikipedia.org")
    monkeypatch.setenv("OUTPATROL_WIKIS__FRWIKI__LANGUAGE", "fr")

    assert set(load_settings().wikis) == {"frwiki"}


@pytest.mark.parametrize(
    ("old", "new", "field"),
    [
        ('url = "http', 'address = "http', "endpoint.url"),
        ("[endpoint]", "[endpoint]\ncolour = 1", "endpoint.colour"),
        ("[endpoint]", '[endpoint]\nkind = "oracle"', "endpoint.kind"),
        ("[endpoint]", "[endpoint]\nscores_per_request = 51", "endpoint.scores_per_request"),
        ("[endpoint]", "[endpoint]\ninstances_per_request = 21", "endpoint.instances_per_request"),
        ("http://", "gopher://", "endpoint.url"),
        ("database_url", "database", "wikis.enwiki.database_url"),
        ('language = "en"', 'language = ""', "wikis.enwiki.language"),
        ("[endpoint]", "poll_seconds = 0\n[endpoint]", "poll_seconds"),
        ("[endpoint]", "[sinks.drain]\n[endpoint]", "sinks.drain"),
        ("[endpoint]", "[outbox]\nbatch_size = 0\n[endpoint]", "outbox.batch_size"),
        ("[endpoint]", '[flight]\ncall_seconds = "long"\n[endpoint]', "flight.call_seconds"),
    ],
)
def test_a_wrong_or_missing_setting_is_named_with_its_variable(write: Write, old: str, new: str, field: str) -> None:
    write(MINIMAL.replace(old, new, 1))

    sentence = problem()

    assert f"{field}: " in sentence
    assert "OUTPATROL_" + field.upper().replace(".", "__") in sentence
    assert "hunter2" not in sentence
    assert "\n" not in sentence


@pytest.mark.parametrize(
    ("models", "said"),
    [
        (
            'models = ["tone"]',
            "wikis.enwiki.models: 'tone' is no model; known are articlequality, ",
        ),
        ('models = ["revertriskmultilingual"]', "ORES has no revertriskmultilingual; set endpoint.kind to lift_wing"),
        ("[models.tone]", "models.tone.classes: "),
        ('[models.damaging]\nclasses = "hunter2"', "models.damaging.classes: "),
    ],
)
def test_a_model_that_can_not_be_used_is_named(write: Write, models: str, said: str) -> None:
    write(MINIMAL + models)

    sentence = problem()

    assert said in sentence
    assert "hunter2" not in sentence
    assert "\n" not in sentence


def test_lift_wing_may_have_revert_risk(write: Write) -> None:
    write(MINIMAL.replace("[endpoint]", '[endpoint]\nkind = "lift_wing"') + 'models = ["revertrisklanguageagnostic"]')

    assert load_settings().wikis["enwiki"].models == ("revertrisklanguageagnostic",)


@pytest.mark.parametrize("wiki", ["EnWiki", "en-wiki", "éwiki", "'en wiki'"])
def test_a_name_that_is_no_database_name_is_refused(write: Write, wiki: str) -> None:
    write(MINIMAL.replace("enwiki]", f'"{wiki}"]', 1))

    assert "is no wiki id; use the database name, such as enwiki" in problem()


def test_no_wikis_at_all_are_refused(write: Write) -> None:
    write(MINIMAL.split("[wikis", 1)[0])

    assert "wikis: Field required" in problem()


def test_a_password_is_shown_nowhere(write: Write) -> None:
    write(MINIMAL)
    settings = load_settings()

    for shown in (str(settings), repr(settings), repr(settings.wikis["enwiki"]), settings.model_dump_json()):
        assert "hunter2" not in shown


@pytest.mark.parametrize("variable", ["OUTPATROL_ENDPOINT", "OUTPATROL_WIKIS__ENWIKI__MODELS", "OUTPATROL_WIKIS"])
def test_a_variable_that_is_not_json_is_named_by_its_setting(
    write: Write, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    write(MINIMAL)
    monkeypatch.setenv(variable, "hunter2")

    sentence = problem()

    assert variable.split("_")[1].lower() in sentence
    assert "hunter2" not in sentence


def test_a_file_that_is_not_toml_is_named(write: Write) -> None:
    file = write(MINIMAL.replace("hunter2@", 'hunter2"@'))

    sentence = problem()

    assert str(file) in sentence
    assert "hunter2" not in sentence


def test_a_file_that_is_not_text_is_named(write: Write) -> None:
    file = write("")
    file.write_bytes(b"\xff\xfe")

    assert str(file) in problem()


def test_a_file_that_is_named_must_be_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(FILE_VARIABLE, str(tmp_path / "gone.toml"))

    assert f"{tmp_path / 'gone.toml'} named by OUTPATROL_CONFIG is not there" in problem()


def test_without_file_and_variables_the_missing_settings_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(FILE_VARIABLE, raising=False)
    monkeypatch.chdir(tmp_path)

    assert problem().startswith("settings (no outpatrol.toml here): wikis: Field required")


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:6379",
        "unix:///run/redis:hunter2.sock",
        "redis://:hunter2/x@127.0.0.1:6379/0",
        "redis://127.0.0.1:hunter2/0",
    ],
)
def test_a_url_that_is_no_redis_is_told_without_what_is_in_it(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OUTPATROL_CONFIG", "outpatrol.example.toml")
    monkeypatch.setenv("OUTPATROL_REDIS_URL", url)

    with pytest.raises(SettingsInvalid, match="redis_url: not the URL of a Redis") as caught:
        load_settings()

    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("variable", "file", "words"),
    [
        ("OUTPATROL_ENDPOINT__CA_FILE", "/nowhere/ca.pem", "endpoint.ca_file: /nowhere/ca.pem can't be read: No such"),
        ("OUTPATROL_ENDPOINT__CA_FILE", "/proc", "endpoint.ca_file: /proc can't be read: it is a directory"),
        ("OUTPATROL_REDIS_URL", "rediss://localhost?ssl_ca_certs=/nowhere", "redis_url: ?ssl_ca_certs: /nowhere can't"),
        ("OUTPATROL_CONFIG", "/nowhere.toml", "the settings file /nowhere.toml named by OUTPATROL_CONFIG is not there"),
        ("OUTPATROL_CONFIG", "/proc", "the settings file /proc named by OUTPATROL_CONFIG is a directory"),
        ("OUTPATROL_CONFIG", "/proc/self/mem", "settings (/proc/self/mem): the file can't be read: Input/output error"),
    ],
)
def test_a_path_in_the_settings_that_leads_nowhere_is_told_when_they_are_read(
    variable: str, file: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OUTPATROL_CONFIG", "outpatrol.example.toml")
    monkeypatch.setenv(variable, file)

    with pytest.raises(SettingsInvalid, match=re.escape(words)):
        load_settings()


def test_a_password_in_the_endpoints_address_is_refused_and_not_shown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OUTPATROL_CONFIG", "outpatrol.example.toml")
    monkeypatch.setenv("OUTPATROL_ENDPOINT__URL", "http://outpatrol:hunter2@127.0.0.1")

    with pytest.raises(SettingsInvalid, match=r"endpoint\.url: holds a user or a password") as caught:
        load_settings()

    assert "hunter2" not in str(caught.value)
