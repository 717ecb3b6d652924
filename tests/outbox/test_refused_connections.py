"""A connection that can't be begun: what the driver lets through raw is told in a sentence, too."""

import os
import resource
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pymysql
import pytest
from sqlalchemy import make_url, text

from outbox import EDITS, record, record_payloads
from outbox.database import Engines
from outbox.errors import DatabaseRefuses, DatabaseUnavailable
from tests.builders import an_edit
from tests.certificates import Certificate, make_certificate
from tests.patience import PATIENCE_SECONDS
from tests.services import QUICK, own_mariadb_server
from tests.wiki_tables import make_tables


@pytest.fixture(scope="module")
def certificate() -> Iterator[Certificate]:
    # Where the server's own user can read it.
    with tempfile.TemporaryDirectory(prefix="outpatrol-certificate-") as name:
        directory = Path(name)
        directory.chmod(0o755)
        yield make_certificate(directory)


@pytest.fixture(scope="module")
def server(certificate: Certificate) -> Iterator[str]:
    """A server that speaks TLS, with an account that has a way of its own to log in; its host and port."""
    tls = [f"--ssl-cert={certificate.certificate}", f"--ssl-key={certificate.key}"]
    with own_mariadb_server([*QUICK, *tls, "--plugin-load-add=auth_ed25519"]) as (url, _):
        port = make_url(url).port or 0
        with pymysql.connect(host="127.0.0.1", port=port, user="root") as connection, connection.cursor() as cursor:
            cursor.execute("CREATE DATABASE enwiki")
            cursor.execute("CREATE USER modern@'127.0.0.1' IDENTIFIED VIA ed25519 USING PASSWORD('secret')")
        yield f"127.0.0.1:{port}"


def refusal(url: str) -> str:
    """What is said where *url* is connected to."""
    engines = Engines(seconds=PATIENCE_SECONDS)

    def ask() -> None:
        with engines.open("enwiki", url).reading() as connection:
            connection.execute(text("SELECT 1"))

    with pytest.raises(DatabaseUnavailable) as caught:
        ask()
    engines.close()
    return str(caught.value)


@pytest.mark.parametrize(
    ("account", "options", "does", "cure"),
    [
        (
            "outpatrol",
            "ssl_ca=/nowhere/ca.pem",
            "was not asked (a file can't be read: No such file or directory: /nowhere/ca.pem)",
            "correct ssl_… in wikis.enwiki.database_url",
        ),
        ("outpatrol", f"ssl_ca={__file__}", "was not asked (a file can't be read: ", "correct ssl_…"),
        ("outpatrol", "ssl_ca={other}", "shows a certificate that we do not trust (2003: ", "let ssl_ca in"),
        ("outpatrol", "colour=blue", "was not asked (the driver refuses an option: ", "correct what stands after ?"),
        ("outpatrol", "connect_timeout=soon", "was not asked (invalid literal for int()", "correct what stands"),
        (
            "modern",
            "",
            "wants a way to log in that we do not have (a package is missing: 'pynacl' package is required",
            "pip install that package for us (ed25519 needs pynacl), or ALTER USER … IDENTIFIED VIA",
        ),
    ],
)
def test_what_keeps_a_connection_from_beginning_is_told_with_its_cure(
    server: str, tmp_path: Path, account: str, options: str, does: str, cure: str
) -> None:
    if "{other}" in options:
        options = options.format(other=make_certificate(tmp_path).authority)
    message = refusal(f"mariadb+pymysql://{account}:secret@{server}/enwiki?{options}")

    assert message.startswith("enwiki: the database mariadb+pymysql://")
    assert does in message
    assert f"; {cure}" in message
    assert "secret" not in message
    assert "\n" not in message


def test_an_encrypted_connection_to_a_server_that_we_trust_is_used(server: str, certificate: Certificate) -> None:
    engines = Engines()
    database = engines.open(
        "enwiki", f"mariadb+pymysql://outpatrol:secret@{server}/enwiki?ssl_ca={certificate.authority}"
    )
    with database.reading() as connection:
        cipher = connection.execute(text("SHOW STATUS LIKE 'Ssl_cipher'")).one()[1]
    engines.close()

    assert cipher


def test_a_file_that_is_no_database_is_told_with_its_cure(tmp_path: Path) -> None:
    assert "is a file of another kind" in refusal(f"sqlite:///{_garbage(tmp_path)}")
    assert "can not be opened" in refusal(f"sqlite:///{tmp_path}/nowhere/enwiki.db")
    assert "can not be opened" in refusal(f"sqlite:///{tmp_path}")


def _garbage(directory: Path) -> Path:
    file = directory / "garbage.db"
    file.write_bytes(os.urandom(8192))
    return file


def test_a_file_that_may_only_be_read_is_told_with_its_cure(tmp_path: Path) -> None:
    engines = Engines()
    make_tables(engines.open("enwiki", f"sqlite:///{tmp_path}/enwiki.db"))
    database = engines.open("enwiki", f"sqlite:///file:{tmp_path}/enwiki.db?mode=ro&uri=true")
    with pytest.raises(DatabaseRefuses, match=r"is read-only .*; give us the right to write the file"):
        database.run(lambda session: record(session, an_edit()))
    engines.close()


def test_a_disk_that_takes_no_more_is_told_with_its_cure(tmp_path: Path) -> None:
    engines = Engines()
    database = engines.open("enwiki", f"sqlite:///{tmp_path}/enwiki.db")
    make_tables(database)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    try:
        with pytest.raises(DatabaseRefuses, match=r"\(disk I/O error\); see the system's log|is full\); free space"):
            database.run(lambda session: record_payloads(session, EDITS, ["a" * 100_000]))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    database.run(lambda session: record_payloads(session, EDITS, ["a" * 100_000]))
    engines.close()
