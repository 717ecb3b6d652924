"""What a database server says when it does not do what it is asked, and the way out of each: one table for all.

Numbers are MariaDB's (MariaDB/server sql/share/errmsg-utf8.txt, 10.11; from 2000 on those of its drivers), texts are
SQLite's (sqlite/sqlite src/main.c, sqlite3ErrStr). Pure.
"""

import enum
import re
from dataclasses import dataclass

from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as NoConnectionFree

#: Stands for the wiki in a cure that is the same for all.
WIKI = "{wiki}"
#: How our texts begin about a connection that could not be made, for which the driver has no number.
UNREADABLE = "a file can't be read"
NOT_INSTALLED = "a package is missing"
NO_SUCH_OPTION = "the driver refuses an option"


class Kind(enum.Enum):
    """What the trouble affects, and so what follows from it."""

    #: Nobody is served by that server, or with that account: its circuit opens.
    SERVER = enum.auto()
    #: We can't use this wiki's database; others on the server may work.
    DATABASE = enum.auto()
    #: A table or column that we need is missing.
    NOT_MIGRATED = enum.auto()
    #: The server answers and refuses whatever is asked; no message is at fault.
    REFUSED = enum.auto()
    #: Normal between workers; repeating the transaction helps.
    BUSY = enum.auto()
    #: The server refuses a value; perhaps one message is at fault.
    VALUE = enum.auto()
    UNKNOWN = enum.auto()


@dataclass(frozen=True, slots=True)
class Trouble:
    """What is wrong with a database server, and what an operator can do about it."""

    kind: Kind
    #: What the database does; its subject is "the database …".
    does: str
    #: What an operator can do; `WIKI` stands for the wiki.
    cure: str

    @property
    def is_an_answer(self) -> bool:
        """Whether the server is there, and said so."""
        return self.kind is not Kind.SERVER and self is not _NO_CONNECTION


_URL = "wikis.{wiki}.database_url"
_GONE = Trouble(Kind.SERVER, "does not answer", f"start it or correct {_URL}")
_LATE = Trouble(
    Kind.SERVER, "does not answer in time", "see what holds it up (SHOW PROCESSLIST), or raise database.timeout_seconds"
)
#: A server does this when a packet is too large, and also when it ends.
_CUT_OFF = Trouble(
    Kind.SERVER,
    "closed the connection",
    "see its error log; if it serves others, raise its max_allowed_packet to 64M, or lower outbox.batch_size",
)
_LOGIN = Trouble(
    Kind.SERVER,
    "refuses our account",
    f"correct user and password in {_URL}, or its grants; where it wants TLS, add ?ssl_ca=/path/ca.pem",
)
_PASSWORD = Trouble(
    Kind.SERVER, "wants a new password", f"set one (ALTER USER … IDENTIFIED BY …) and write it into {_URL}"
)
_LOCKED = Trouble(Kind.SERVER, "has locked our account", "unlock it: ALTER USER … ACCOUNT UNLOCK")
_FULL = Trouble(Kind.REFUSED, "has no space left", "free space where its data and temporary files are")
_READ_ONLY = Trouble(
    Kind.REFUSED, "is read-only", f"wait for the failover to end, or let {_URL} name the primary server"
)
_GRANT = Trouble(
    Kind.REFUSED,
    "does not allow that to our account",
    "GRANT SELECT, INSERT, UPDATE, DELETE on the wiki's database to the user in wikis.{wiki}.database_url, and for an "
    "attached wiki TRIGGER as well",
)
_SLOW = Trouble(
    Kind.REFUSED, "took too long", "see what holds it up (SHOW PROCESSLIST), or raise database.timeout_seconds"
)
_BROKEN = Trouble(Kind.REFUSED, "has a damaged table", "see its error log, and CHECK TABLE or restore that table")
_DAMAGED = Trouble(Kind.REFUSED, "is damaged", "restore the file from a backup, or rebuild it: sqlite3 FILE .recover")
_MEMORY = Trouble(Kind.SERVER, "has no memory or thread left", "give it more, or fewer clients")
_PACKET = Trouble(
    Kind.VALUE, "takes no packet that large", "raise its max_allowed_packet to 64M, or lower outbox.batch_size"
)
_CHANGED = Trouble(Kind.REFUSED, "has a table that was changed", "give that column a default, or restore the table")
_VALUE = Trouble(Kind.VALUE, "refuses a value", "compare the column with that of a new installation")
_BUSY = Trouble(Kind.BUSY, "is locked by others", "see who holds the lock (SHOW ENGINE INNODB STATUS), and end it")
_NOT_MIGRATED = Trouble(Kind.NOT_MIGRATED, "lacks a table or column of ours", "run: outpatrol migrate --wiki {wiki}")
#: `migrate` makes MediaWiki's tables for emulated wikis only.
_NO_MEDIAWIKI = Trouble(
    Kind.NOT_MIGRATED,
    "lacks a table or column of MediaWiki's",
    "what is recorded there is scored and announced without it, but recentchanges, reconcile, populate and purges read "
    f"it: name a MediaWiki of 1.39 or newer in {_URL} or run its update.php, or for a wiki of ours set "
    "wikis.{wiki}.emulated = true and run: outpatrol migrate --wiki {wiki}",
)
_ENCRYPTION = Trouble(Kind.SERVER, "wants an encrypted connection", f"add ?ssl_ca=/path/ca.pem to {_URL}")
_PLUGIN = Trouble(
    Kind.SERVER, "wants a way to log in that we do not have", "ALTER USER … IDENTIFIED VIA mysql_native_password"
)
_NO_TLS = Trouble(Kind.SERVER, "speaks no TLS", f"set its ssl_cert and ssl_key, or take ssl_… out of {_URL}")
_CERTIFICATE = Trouble(
    Kind.SERVER,
    "shows a certificate that we do not trust",
    f"let ssl_ca in {_URL} name the authority that signed it, and the host be as the certificate has it",
)
_NO_TRIGGER = Trouble(
    Kind.REFUSED, "lets our account make no triggers", "set its log_bin_trust_function_creators to 1, or GRANT SUPER"
)

_MARIADB: dict[int, Trouble] = {
    **dict.fromkeys((0, 2002, 2003, 2005, 2006, 2013, 2014, 2045, 2055, 4031, 1053, 1077, 1079, 1927), _GONE),
    **dict.fromkeys((1158, 1159, 1160, 1161), _LATE),
    **dict.fromkeys((1045, 1698, 1130, 3955), _LOGIN),
    **dict.fromkeys((1820, 1862), _PASSWORD),
    **dict.fromkeys((4151, 3118), _LOCKED),
    **dict.fromkeys((1037, 1041, 1135), _MEMORY),
    **dict.fromkeys((3159, 2026), _ENCRYPTION),
    **dict.fromkeys((1251, 1275, 1524, 2059), _PLUGIN),
    1040: Trouble(
        Kind.SERVER, "has no connection left", "raise its max_connections, or run fewer workers or worker.threads"
    ),
    1203: Trouble(
        Kind.SERVER,
        "gives our account no further connection",
        "raise its max_user_connections, or run fewer workers or worker.threads",
    ),
    1226: Trouble(
        Kind.SERVER,
        "has a limit for our account that is used up",
        "raise that limit (ALTER USER … WITH …), or wait until its hour is over",
    ),
    1129: Trouble(Kind.SERVER, "has shut out this host", "run FLUSH HOSTS there, and raise its max_connect_errors"),
    1184: Trouble(
        Kind.SERVER, "closes our connections at once", "correct its init_connect, or see its error log for the cause"
    ),
    1047: Trouble(Kind.SERVER, "is not yet part of its cluster", "wait, or see its wsrep_local_state_comment"),
    1044: Trouble(Kind.DATABASE, "is closed to our account", f"GRANT rights on it to the user in {_URL}"),
    1049: Trouble(Kind.DATABASE, "does not exist", f"create it or correct {_URL}"),
    **dict.fromkeys((1146, 1054), _NOT_MIGRATED),
    **dict.fromkeys((1142, 1143, 1227, 1370), _GRANT),
    **dict.fromkeys((1290, 1792, 1836, 1223, 1099, 1036), _READ_ONLY),
    **dict.fromkeys((1021, 1114, 3, 1026), _FULL),
    **dict.fromkeys((1969, 3024, 1317), _SLOW),
    **dict.fromkeys((1016, 1017, 1030, 1034, 1035, 1194, 1195, 1712, 1812, 1877, 1932), _BROKEN),
    **dict.fromkeys((1153, 2020), _PACKET),
    **dict.fromkeys((1364, 1136), _CHANGED),
    **dict.fromkeys((1418, 1419), _NO_TRIGGER),
    **dict.fromkeys((1264, 1292, 1366, 1406), _VALUE),
    **dict.fromkeys((1205, 1213, 1020), _BUSY),
    1665: Trouble(Kind.REFUSED, "keeps a binary log that forbids our isolation level", "set its binlog_format to ROW"),
    1881: Trouble(Kind.REFUSED, "is being repaired", "set its innodb_force_recovery to 0 once it is"),
    1206: Trouble(Kind.REFUSED, "has no room for further locks", "raise its innodb_buffer_pool_size"),
    1637: Trouble(Kind.REFUSED, "has too many open transactions", "see SHOW PROCESSLIST, and end idle ones"),
    1180: Trouble(Kind.REFUSED, "could not commit", "see its error log"),
}

#: One number of the driver stands for many things; its text tells them apart.
_BY_TEXT: tuple[tuple[set[int], str, Trouble], ...] = (
    ({2003, 2026}, "certificate", _CERTIFICATE),
    ({2026}, "server doesn't support it", _NO_TLS),
    ({2003, 2013}, "timed out", _LATE),
    ({2006, 2013}, "reset by peer", _CUT_OFF),
    ({2006, 2013}, "Broken pipe", _CUT_OFF),
)

#: Parts of the texts of errors that have no number: SQLite's, some of PyMySQL's, and ours.
_TEXTS: dict[str, Trouble] = {
    "Packet sequence number wrong": _CUT_OFF,
    UNREADABLE: Trouble(Kind.SERVER, "was not asked", f"correct ssl_… in {_URL}, or give us the right to the file"),
    NOT_INSTALLED: Trouble(
        Kind.SERVER,
        _PLUGIN.does,
        f"pip install that package for us (ed25519 needs pynacl), or {_PLUGIN.cure}",
    ),
    NO_SUCH_OPTION: Trouble(Kind.SERVER, "was not asked", f"correct what stands after ? in {_URL}"),
    "unable to open database file": Trouble(
        Kind.DATABASE, "can not be opened", f"make its folder, give us the right to it, or correct {_URL}"
    ),
    "file is not a database": Trouble(Kind.DATABASE, "is a file of another kind", f"remove it or correct {_URL}"),
    "database disk image is malformed": _DAMAGED,
    "malformed database schema": _DAMAGED,
    "unsupported file format": _DAMAGED,
    "no such table": _NOT_MIGRATED,
    "no such column": _NOT_MIGRATED,
    "has no column named": _NOT_MIGRATED,
    "readonly database": Trouble(Kind.REFUSED, "is read-only", "give us the right to write the file and its folder"),
    "disk is full": _FULL,
    "disk I/O error": Trouble(Kind.REFUSED, "can not be read or written", "see the system's log about that disk"),
    "is locked": Trouble(Kind.BUSY, "is locked by others", "end the program that holds it open for writing"),
}

#: A table, or a column of one, that the worker reads and never makes on a wiki that exists
#: (outbox/mediawiki/schema.py).
_OF_MEDIAWIKI = re.compile(
    r"(?:table: (?:\w+\.)?|Table '[^']*\.)(?:actor|page|revision|recentchanges)\b|\b(?:actor|page|rev|rc)_\w+"
)

_UNKNOWN = Trouble(Kind.UNKNOWN, "failed", "see its error log")
_NO_CONNECTION = Trouble(
    Kind.DATABASE, "has no connection of our pool free", "lower worker.threads, or report this as a bug"
)


def trouble_of(error: SQLAlchemyError) -> Trouble:
    """What *error* of any driver means."""
    if isinstance(error, NoConnectionFree):
        return _NO_CONNECTION
    if not isinstance(error, DBAPIError):
        return _UNKNOWN
    trouble = _trouble_of_driver(error, str(error.orig))
    return _NO_MEDIAWIKI if trouble is _NOT_MIGRATED and _OF_MEDIAWIKI.search(str(error.orig)) else trouble


def _trouble_of_driver(error: DBAPIError, text: str) -> Trouble:
    number = number_of(error)
    if number is None:
        return next((trouble for words, trouble in _TEXTS.items() if words in text), _UNKNOWN)
    by_text = (trouble for numbers, words, trouble in _BY_TEXT if number in numbers and words in text)
    return next(by_text, _MARIADB.get(number, _UNKNOWN))


def refuses_a_value(error: BaseException) -> bool:
    """Whether the database refuses a value that was written, which may be one message's fault."""
    return isinstance(error, SQLAlchemyError) and trouble_of(error).kind is Kind.VALUE


def number_of(error: DBAPIError) -> int | None:
    """The server's or the driver's number for *error*; SQLite has none."""
    arguments = getattr(error.orig, "args", ())
    return arguments[0] if arguments and isinstance(arguments[0], int) else None


def server_text(error: SQLAlchemyError) -> str:
    """What the server said, in one line: no statement, no parameters, and no value of a row.

    An editor's name or address is such a value: `Duplicate entry '192.0.2.1' for key 'actor_name'`.
    """
    if not isinstance(error, DBAPIError):
        return str(error).partition("\n")[0]
    number, text = number_of(error), _text(error)
    return text if number is None else f"{number}: {text}"


def hide_values(error: SQLAlchemyError) -> None:
    """Remove values of rows from *error* itself, since it may be shown with its stack."""
    if isinstance(error, DBAPIError) and error.orig is not None:
        number, text = number_of(error), _text(error)
        error.orig.args = (text,) if number is None else (number, text)
        error.args = (f"({type(error.orig).__name__}) {server_text(error)}",)


def _text(error: DBAPIError) -> str:
    number = number_of(error)
    text = " ".join(str(error.orig if number is None else list(getattr(error.orig, "args", ()))[-1]).split())
    if trouble_of(error).kind in {Kind.VALUE, Kind.UNKNOWN}:
        text = _without_values(text)
    return text


def sentence(error: SQLAlchemyError, wiki: str, database: str) -> str:
    """One sentence for an operator: which wiki and *database*, what was said, and the way out."""
    return f"{subject(wiki, database)} {complaint(error).replace(WIKI, wiki)}"


def complaint(error: SQLAlchemyError) -> str:
    """As `sentence`, without its subject, and with `WIKI` where the cure names the wiki."""
    trouble = trouble_of(error)
    return f"{trouble.does} ({server_text(error)}); {trouble.cure}"


def subject(wiki: str, database: str) -> str:
    """The subject of a sentence about *database*."""
    return f"{wiki}: the database {database}"


def sentence_of(error: BaseException) -> str | None:
    """The sentence for a raw error of a database; None for an error of another kind."""
    if not isinstance(error, SQLAlchemyError):
        return None
    where = next(iter(getattr(error, "__notes__", ())), "a database")
    return f"{where} {complaint(error)}".replace(WIKI, where.partition(":")[0])


def _without_values(text: str) -> str:
    """*text* without what stands in quotes, but for the name of the key or column that it ends with."""
    for before_name in (" for key ", " for column "):
        values, separator, name = text.rpartition(before_name)
        if separator:
            return f"{_masked(values)}{separator}{name}"
    return _masked(text)


def _masked(text: str) -> str:
    """From the first quote to the last: a value may hold quotes, too."""
    first, last = text.find("'"), text.rfind("'")
    return text if first == last else f"{text[: first + 1]}…{text[last:]}"
