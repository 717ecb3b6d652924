"""The settings of sinks: which there are, what is refused with a sentence, and what is never shown."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.builders import an_event, some_settings
from tests.worker.test_settings import MINIMAL
from worker.bootstrap import build_services
from worker.domain.errors import SettingsInvalid
from worker.events.file_sink import FileSection
from worker.settings import FILE_VARIABLE, load_settings

Load = Callable[[str], tuple[str, ...]]
SINKS = {
    "file": "[sinks.file]\n",
    "stdout": "[sinks.stdout]\n",
    "eventgate": '[sinks.eventgate]\nurl = "http://127.0.0.1:8192"\n',
    "kafka": '[sinks.kafka]\nbootstrap_servers = "127.0.0.1:9092"\n',
}


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Load:
    """Loads the settings with one more section, and returns the names of the sinks."""

    def load(section: str) -> tuple[str, ...]:
        file = tmp_path / "some.toml"
        file.write_text(MINIMAL + section)
        monkeypatch.setenv(FILE_VARIABLE, str(file))
        return tuple(load_settings().sinks.named)

    return load


def problem(load: Load, section: str) -> str:
    with pytest.raises(SettingsInvalid) as raised:
        load(section)
    sentence = str(raised.value)
    assert "hunter2" not in sentence
    assert "\n" not in sentence
    return sentence


def test_without_any_sink_events_go_into_files(load: Load) -> None:
    assert load("") == ("file",)


@pytest.mark.parametrize("name", SINKS)
def test_a_sink_that_is_named_is_the_only_one(load: Load, name: str) -> None:
    assert load(SINKS[name]) == (name,)


def test_all_sinks_may_be_used_at_once(load: Load) -> None:
    assert load("".join(SINKS.values())) == tuple(SINKS)


def test_a_variable_alone_names_a_sink(load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OUTPATROL_SINKS__EVENTGATE__URL", "http://127.0.0.1:8192")

    assert load("") == ("eventgate",)


def test_a_variable_changes_the_directory_of_files(load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OUTPATROL_SINKS__FILE__DIRECTORY", "elsewhere")
    load("")

    files = load_settings().sinks.named["file"]
    assert isinstance(files, FileSection)
    assert (files.directory, files.max_megabytes) == (Path("elsewhere"), 256)


def test_each_sink_of_the_settings_is_built_under_its_name() -> None:
    sinks = {"stdout": {}, "eventgate": {"url": "http://127.0.0.1:1"}, "kafka": {"bootstrap_servers": "127.0.0.1:1"}}
    services = build_services(some_settings(sinks=sinks))
    services.close()

    assert set(services.sinks) == {"stdout", "eventgate", "kafka"}


def test_a_sink_that_does_not_exist_is_named(load: Load) -> None:
    assert "sinks.redis: " in problem(load, '[sinks.redis]\nurl = "hunter2"\n')


@pytest.mark.parametrize(
    "url",
    [
        "hunter2",
        "ftp://host/hunter2",
        "http://",
        "http://host:hunter2",
        "http://host:99999",
        "http://[hunter2",
        "http://host/v1/events",
        "http://host/v1/events/",
        "http://host/?hasty=hunter2",
        "http://host/#hunter2",
        "http://outpatrol:hunter2@host",
    ],
)
def test_a_url_that_no_event_could_be_posted_to_is_refused(load: Load, url: str) -> None:
    assert "sinks.eventgate.url: " in problem(load, f'[sinks.eventgate]\nurl = "{url}"\n')


@pytest.mark.parametrize("host", ["☃.org", "a..b", ".com", f"{'x' * 64}.org", "\u200c.org"])
def test_a_name_that_no_host_can_have_is_refused(load: Load, host: str) -> None:
    sentence = problem(load, f'[sinks.eventgate]\nurl = "http://{host}:8192"\n')

    assert "sinks.eventgate.url: no host can have the name in it; correct it" in sentence


@pytest.mark.parametrize(
    "url",
    [
        "http://münchen.de",
        "http://host.",
        "http://a_b.svc",
        "http://host",
        "https://host:8192",
        "http://host/",
        "http://host/eventgate",
        "http://[::1]:8192",
    ],
)
def test_a_base_url_of_any_usual_form_is_taken(load: Load, url: str) -> None:
    assert load(f'[sinks.eventgate]\nurl = "{url}"\n') == ("eventgate",)


@pytest.mark.parametrize(
    "name",
    [
        "acks",
        "request.required.acks",
        "enable.idempotence",
        "bootstrap.servers",
        "metadata.broker.list",
        "delivery.timeout.ms",
        "message.timeout.ms",
    ],
)
def test_what_keeps_events_from_being_lost_can_not_be_set(load: Load, name: str) -> None:
    sentence = problem(load, SINKS["kafka"] + f'options = {{ "{name}" = "hunter2" }}\n')

    assert f"sinks.kafka.options: {name} is set by Outpatrol, so that nothing is lost; remove it" in sentence


@pytest.mark.parametrize(
    ("section", "field"),
    [
        ("[sinks.kafka]\n", "sinks.kafka.bootstrap_servers"),
        ('[sinks.kafka]\nbootstrap_servers = ""\n', "sinks.kafka.bootstrap_servers"),
        (SINKS["kafka"] + "timeout_seconds = 0.5\n", "sinks.kafka.timeout_seconds"),
        (SINKS["kafka"] + 'options = { "sasl.password" = ["hunter2"] }\n', "sinks.kafka.options.sasl.password.bool"),
        ("[sinks.eventgate]\n", "sinks.eventgate.url"),
        (SINKS["eventgate"] + "batch_size = 0\n", "sinks.eventgate.batch_size"),
        (SINKS["eventgate"] + "hasty = true\n", "sinks.eventgate.hasty"),
        ("[sinks.file]\nmax_megabytes = 0\n", "sinks.file.max_megabytes"),
        ('[sinks.stdout]\npassword = "hunter2"\n', "sinks.stdout.password"),
    ],
)
def test_a_wrong_or_missing_setting_of_a_sink_is_named(load: Load, section: str, field: str) -> None:
    assert f"{field}: " in problem(load, section)


@pytest.mark.parametrize(
    ("sink", "timeout", "longest"), [("eventgate", 90, "300"), ("kafka", 269, "300"), ("kafka", 600, "631")]
)
def test_a_sending_that_would_outlive_its_process_is_refused(load: Load, sink: str, timeout: int, longest: str) -> None:
    sentence = problem(load, f"{SINKS[sink]}timeout_seconds = {timeout}\n")

    assert (
        f"sinks.{sink}.timeout_seconds: a turn with its sending may take {longest} s then, and worker.turn_seconds"
        in sentence
    )


@pytest.mark.parametrize(("sink", "timeout"), [("eventgate", 89), ("kafka", 268)])
def test_a_sending_may_take_nearly_as_long_as_a_turn(load: Load, sink: str, timeout: int) -> None:
    assert load(f"{SINKS[sink]}timeout_seconds = {timeout}\n") == (sink,)


def test_a_password_among_the_options_is_shown_nowhere(load: Load) -> None:
    load(SINKS["kafka"] + 'options = { "sasl.password" = "hunter2", "socket.keepalive.enable" = true }\n')
    settings = load_settings()

    for shown in (str(settings), repr(settings), repr(settings.sinks.named["kafka"]), settings.model_dump_json()):
        assert "hunter2" not in shown


def test_a_password_reaches_the_sink_and_is_not_in_what_it_says() -> None:
    options = {"sasl.password": "hunter2", "sasl.mechanism": "of nobody", "security.protocol": "SASL_PLAINTEXT"}
    kafka = {"bootstrap_servers": "127.0.0.1:1", "timeout_seconds": 1, "options": options}
    services = build_services(some_settings(sinks={"kafka": kafka}))
    shown = [repr(services.sinks), repr(services.settings)]
    shown += [failure.reason for failure in services.sinks["kafka"].send([an_event()]).values()]
    services.close()

    assert len(shown) == 3
    assert not [text for text in shown if "hunter2" in text]
