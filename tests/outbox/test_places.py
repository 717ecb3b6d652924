"""Two spellings of one database are one place; two databases are two."""

import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from outbox.places import place_of

MARIADB = "mariadb+pymysql://outpatrol:secret@127.0.0.1:3306/enwiki"
FAR = "mariadb+pymysql://outpatrol@db1.example.org/enwiki"


@pytest.mark.parametrize(
    "same",
    [
        "mariadb+pymysql://other:word@127.0.0.1:3306/enwiki",
        "mysql+pymysql://outpatrol:secret@127.0.0.1:3306/enwiki",
        "mysql://127.0.0.1:3306/enwiki",
        "mariadb+pymysql://outpatrol:secret@127.0.0.1/enwiki",
        "mariadb+pymysql://outpatrol:secret@localhost/enwiki",
        "mariadb+pymysql://outpatrol:secret@LocalHost:3306/enwiki",
        "mariadb+pymysql://outpatrol:secret@localhost.:3306/enwiki",
        "mariadb+pymysql://outpatrol:secret@127.0.1.1/enwiki",
        "mariadb+pymysql://outpatrol:secret@[::1]:3306/enwiki",
        "mariadb+pymysql://outpatrol:secret@[::ffff:127.0.0.1]:3306/enwiki",
        "mariadb+pymysql://outpatrol:secret@0.0.0.0/enwiki",
        "mariadb+pymysql://outpatrol:secret@127.1/enwiki",
        "mariadb+pymysql://outpatrol:secret@0x7f000001/enwiki",
        "mariadb+pymysql://outpatrol:secret@[0:0:0:0:0:0:0:1]/enwiki",
        "mariadb+pymysql://outpatrol:secret@localhost.localdomain/enwiki",
        "mariadb+pymysql://outpatrol:secret@ip6-localhost/enwiki",
        f"mariadb+pymysql://outpatrol:secret@{socket.gethostname().upper()}/enwiki",
        "mariadb+pymysql://outpatrol:secret@127.0.0.1:03306/enwiki",
        "mariadb+pymysql://outpatrol:secret@127.0.0.1/%65nwiki",
        "mariadb+pymysql:///enwiki",
        "mariadb+pymysql://outpatrol:secret@127.0.0.1:3306/EnWiki",
        "mariadb+pymysql://outpatrol:secret@127.0.0.1:3306/enwiki?charset=utf8mb4",
        "mariadb+pymysql://outpatrol:secret@ignored:9/enwiki?host=127.0.0.1&port=3306",
    ],
)
def test_a_mariadb_is_its_server_and_its_name_however_they_are_written(same: str) -> None:
    assert place_of(same) == place_of(MARIADB)


@pytest.mark.parametrize(
    "other",
    [
        "mariadb+pymysql://outpatrol:secret@127.0.0.1:3306/frwiki",
        "mariadb+pymysql://outpatrol:secret@127.0.0.1:3307/enwiki",
        "mariadb+pymysql://outpatrol:secret@127.0.0.1/enwiki?port=3307",
        "mariadb+pymysql://outpatrol:secret@10.0.0.1/enwiki",
        "mariadb+pymysql://outpatrol:secret@2130706434.example.org/enwiki",
        "mariadb+pymysql://outpatrol:secret@localhost.example.org/enwiki",
        "mariadb+pymysql://outpatrol:secret@127.0.0.1.5/enwiki",
        "mariadb+pymysql://outpatrol:secret@127.0.0.1/frwiki?database=enwiki",
        "mariadb+pymysql:///enwiki?unix_socket=/run/other.sock",
        "sqlite:///enwiki",
        FAR,
    ],
)
def test_another_server_or_another_name_is_another_place(other: str) -> None:
    assert place_of(other) != place_of(MARIADB)


def test_the_name_of_a_host_is_the_same_in_capitals_and_with_a_dot_at_its_end() -> None:
    assert place_of(FAR.replace("db1.example.org", "DB1.Example.org.")) == place_of(FAR)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("10.0.0.1", "[::ffff:10.0.0.1]"),
        ("10.0.0.1", "10.1"),
        ("10.0.0.1", "167772161"),
        ("[2001:db8::1]", "[2001:DB8:0:0::0:1]"),
    ],
)
def test_an_address_is_the_same_in_all_its_forms(one: str, other: str) -> None:
    assert place_of(FAR.replace("db1.example.org", one)) == place_of(FAR.replace("db1.example.org", other))


def test_one_socket_is_one_server_by_whatever_path(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path)
    urls = [f"mysql+pymysql:///enwiki?unix_socket={tmp_path}/{path}" for path in ("my.sock", "link/my.sock")]

    assert place_of(urls[0]) == place_of(urls[1])


@pytest.mark.parametrize("is_there", [False, True])
@pytest.mark.parametrize(
    "spell",
    [
        lambda here: f"sqlite:///{here}/wiki.db",
        lambda here: f"sqlite+pysqlite:///{here}/wiki.db",
        lambda here: f"sqlite:///{here}/wiki.db?timeout=3",
        lambda here: f"sqlite:///{here}/../{here.name}/./wiki.db",
        lambda here: f"sqlite:///{here}/link/wiki.db",
        lambda here: f"sqlite:///file:{here}/wiki.db?uri=true",
        lambda _: "sqlite:///./wiki.db",
    ],
)
def test_a_file_is_the_same_by_every_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spell: Callable[[Path], str], is_there: bool
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "link").symlink_to(tmp_path)
    if is_there:
        (tmp_path / "wiki.db").touch()

    assert place_of(spell(tmp_path)) == place_of("sqlite:///wiki.db")


def test_a_file_is_the_same_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "one.db").touch()
    (tmp_path / "soft.db").symlink_to(tmp_path / "one.db")
    (tmp_path / "hard.db").hardlink_to(tmp_path / "one.db")

    assert len({place_of(f"sqlite:///{tmp_path}/{name}.db") for name in ("one", "soft", "hard")}) == 1


def test_two_files_are_two_places(tmp_path: Path) -> None:
    assert place_of(f"sqlite:///{tmp_path}/one.db") != place_of(f"sqlite:///{tmp_path}/two.db")


def test_what_is_in_memory_is_one_place_in_a_process() -> None:
    assert place_of("sqlite://") == place_of("sqlite:///:memory:")


@pytest.mark.parametrize("url", ["", "enwiki.db", "mariadb+pymysql://u:p@host:port/enwiki"])
def test_what_is_no_url_is_a_place_of_its_own(url: str) -> None:
    assert place_of(url) == url
