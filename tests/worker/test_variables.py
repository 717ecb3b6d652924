"""Variables: one that means no setting is refused, unless something else is known to set it."""

import re
from pathlib import Path

import pytest

from worker.config.variables import OTHERS, PREFIX, unknown_variables
from worker.domain.errors import SettingsInvalid
from worker.settings import FILE_VARIABLE, Settings, load_settings

COMPOSE = Path(__file__).parents[2] / "docker" / "compose.yaml"
MINIMAL = '[endpoint]\nurl = "http://127.0.0.1:8080"\n[wikis.enwiki]\ndatabase_url = "sqlite:///enwiki.db"\n'


def refused(name: str, value: str = "1") -> list[str]:
    return unknown_variables({name: value}, Settings.model_fields)


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("OUTPATROL_REDIS_ULR", "OUTPATROL_REDIS_URL"),
        ("OUTPATROL_ENDPOINT_URL", "OUTPATROL_ENDPOINT__URL"),
        ("OUTPATROL_WIKI__ENWIKI__DOMAIN", "OUTPATROL_WIKIS__ENWIKI__DOMAIN"),
        ("outpatrol_poll_second", "OUTPATROL_POLL_SECONDS"),
        ("OUTPATROL_DATABASE_TIMEOUT_SECONDS", "OUTPATROL_DATABASE__TIMEOUT_SECONDS"),
    ],
)
def test_a_slip_is_told_with_the_name_that_was_meant(name: str, meant: str) -> None:
    assert refused(name) == [f"{name}: there is no such setting; write {meant}, or unset it"]


def test_a_name_like_no_other_is_told_to_be_unset() -> None:
    assert refused("OUTPATROL_XYZZY") == ["OUTPATROL_XYZZY: there is no such setting; unset it"]


def test_a_setting_of_the_first_level_named_port_is_a_slip_too() -> None:
    assert refused("OUTPATROL_WORKER_PORT", "6380")


@pytest.mark.parametrize("name", sorted(Settings.model_fields))
def test_every_setting_may_be_set(name: str) -> None:
    assert refused(f"OUTPATROL_{name}") == refused(f"OUTPATROL_{name.upper()}__ENWIKI__URL") == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("OUTPATROL_SERVICE_HOST", "10.0.0.11"),
        ("OUTPATROL_SERVICE_PORT", "80"),
        ("OUTPATROL_SERVICE_PORT_HTTP", "80"),
        ("OUTPATROL_PORT", "tcp://10.0.0.11:80"),
        ("OUTPATROL_WORKER_PORT", "tcp://10.0.0.11:80"),
        ("OUTPATROL_REDIS_PORT_6379_TCP", "tcp://10.0.0.11:6379"),
        ("OUTPATROL_REDIS_PORT_6379_TCP_ADDR", "10.0.0.11"),
        ("OUTPATROL_CONFIG", "/etc/outpatrol.toml"),
        ("OUTPATROL_TEST_PROFILE", "full"),
        ("PATH", "/bin"),
    ],
)
def test_what_others_set_is_no_slip(name: str, value: str) -> None:
    assert refused(name, value) == []


def test_what_the_compose_file_reads_is_no_slip() -> None:
    read = set(re.findall(r"\$\{OUTPATROL_(\w+?):?-", COMPOSE.read_text()))

    assert read
    assert [name for name in sorted(read) if not OTHERS.fullmatch(name)] == []


@pytest.mark.parametrize("name", ["REDIS_ULR", "ENDPOINT__ULR", "WIKIS__ENWIKI__DOMIAN", "SINKS__FIEL"])
def test_a_slip_at_any_level_ends_every_command_and_its_value_is_not_shown(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "outpatrol.toml"
    file.write_text(MINIMAL)
    monkeypatch.setenv(FILE_VARIABLE, str(file))
    monkeypatch.setenv(f"{PREFIX}{name}", "hunter2")

    with pytest.raises(SettingsInvalid, match=f"(?i){name}") as raised:
        load_settings()
    assert "hunter2" not in str(raised.value)
