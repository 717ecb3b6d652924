"""One database server as one account sees it: its engine with all its deadlines, its places and its circuit."""

import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from typing import Any, TypeVar

from sqlalchemy import URL, Connection, Engine, NullPool, create_engine, event
from sqlalchemy.exc import DisconnectionError, SQLAlchemyError

from outbox.gate import Places, ServerCircuit
from outbox.server_errors import Kind, complaint, trouble_of

Result = TypeVar("Result")
Failed = TypeVar("Failed", bound=Exception)

#: A wiki's server may run with an empty sql_mode. Then values that do not fit are cut, clipped or emptied with only a
#: warning, and a missing storage engine is replaced by another.
STRICT = "sql_mode = 'STRICT_TRANS_TABLES,STRICT_ALL_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION'"
#: Seconds to wait for a lock; a transaction that waits longer holds up more than it gains.
LOCK_SECONDS = 3
#: Seconds after which the server closes an unused connection.
IDLE_SECONDS = 300
#: A connection that was last used so many seconds ago, or less, is not tested before use.
FRESH_SECONDS = 1.0
#: Seconds to wait for a connection of the pool; nobody has to, since there is one for each place.
POOL_SECONDS = 2.0
WRITE_AHEAD_TRIES = 6
#: Longer than all of them take, if SQLite does not wait.
WRITE_AHEAD_SECONDS = 1.5


class Server:
    """The databases of wikis with one address and one account; for SQLite, one file.

    *seconds* is the deadline of every statement; every transaction runs inside *around*.
    """

    def __init__(
        self,
        url: URL,
        places: Places,
        *,
        size: int,
        seconds: float,
        around: Callable[[], AbstractContextManager[None]] = nullcontext,
        tell: Callable[["Server", bool], None] = lambda _server, _is_open: None,
    ) -> None:
        #: With the password masked; safe to print, and the same in all processes.
        self.name = url.render_as_string(hide_password=True)
        self.is_sqlite = url.get_backend_name() == "sqlite"
        #: The name of those that are polled together: all SQLite files, since there is one for each wiki and none of
        #: them hangs.
        self.group = "sqlite" if self.is_sqlite else self.name
        self.places = places
        self.circuit = ServerCircuit(lambda is_open: tell(self, is_open))
        self.seconds = seconds
        self._around = around
        make = _sqlite_engine if self.is_sqlite else _mariadb_engine
        pool = {"pool_size": size, "max_overflow": 0, "pool_timeout": POOL_SECONDS, "pool_use_lifo": True}
        # Every connection comes back with its transaction ended; one more ROLLBACK would cost as much as the COMMIT.
        self.engine = make(url, seconds, pool_reset_on_return=None, **pool)
        # An engine of its own, since all connections of the pool may hang.
        self._trial = make(url, seconds, poolclass=NullPool)

    @contextmanager
    def serving(self, wiki: str) -> Iterator[None]:
        """Hold a place for *wiki* during one transaction, whose end shows whether the server serves.

        Raises:
            DatabaseUnavailable: at once, if those who hold the places hang; as `ServerGone`, if nobody is served.
        """
        with self._around(), self.circuit.admitted(wiki), self.places.place(wiki):
            try:
                yield
            except SQLAlchemyError as error:
                self._note(error)
                raise
            self.circuit.closed()

    def probe(self) -> bool:
        """Ask whether the server serves; if it hangs, this takes until the deadline."""
        try:
            with self._trial.connect() as connection:
                connection.exec_driver_sql("SELECT 1")
        except SQLAlchemyError as error:
            self._note(error)
        else:
            self.circuit.closed()
        return not self.circuit.is_open

    def close(self) -> None:
        self.engine.dispose()
        self._trial.dispose()

    def _note(self, error: SQLAlchemyError) -> None:
        if trouble_of(error).kind is Kind.SERVER:
            self.circuit.opened(f"the database server {self.name} {complaint(error)}")
        elif trouble_of(error).is_an_answer:
            self.circuit.closed()


def _ever_longer(attempt: int) -> float:
    return float(0.01 * 2**attempt)


def repeated(
    work: Callable[[], Result],
    kind: type[Failed],
    passes: Callable[[Failed], bool],
    *,
    tries: int,
    pause: Callable[[int], float] = _ever_longer,
) -> Result:
    """Do *work*, at most *tries* times, as long as it fails with an error of that *kind* for which *passes* is true.

    *pause* is how many seconds to wait after each failure, by its number, from 1 on.
    """
    for attempt in range(1, tries):
        try:
            return work()
        except kind as error:
            if not passes(error):
                raise
            time.sleep(pause(attempt))
    return work()


def mariadb_engine(url: URL, session: Mapping[str, object], **options: Any) -> Engine:
    """An engine whose connections set those variables of the *session*, and are strict, utf8mb4 and in the database
    that the path of *url* names, whatever its options say.

    *options* are SQLAlchemy's; `connect_args` among them the driver's.
    """
    settings = ", ".join([STRICT, *(f"{name} = {value}" for name, value in session.items())])
    always = {"charset": "utf8mb4", "init_command": f"SET SESSION {settings}"}
    engine = create_engine(
        # Titles and names are in every script there is, and latin1 would turn most of them into question marks.
        url.difference_update_query(["charset", "collation", "init_command", "database", "db"]),
        hide_parameters=True,
        connect_args=options.pop("connect_args") | always,
        **options,
    )

    @event.listens_for(engine, "do_connect")
    def connect(dialect: Any, _record: Any, arguments: list[Any], parameters: dict[str, Any]) -> Any:
        if dialect.driver != "pymysql":
            return None
        # Not at the top of the module: a wiki that only records has a driver of its own.
        from outbox.pymysql_connection import open_connection  # noqa: PLC0415

        return open_connection(*arguments, **parameters)

    return engine


def _mariadb_engine(url: URL, seconds: float, **pool: Any) -> Engine:
    locks = max(1, min(LOCK_SECONDS, round(seconds)))
    engine = mariadb_engine(
        url,
        {
            "innodb_lock_wait_timeout": locks,
            # The wait for whole tables, which somebody alters or backs up.
            "lock_wait_timeout": locks,
            # The server ends a statement before we give up on it; otherwise it would go on and keep its locks.
            "max_statement_time": f"{seconds * 0.9:.3f}",
            "wait_timeout": IDLE_SECONDS,
        },
        isolation_level="READ COMMITTED",
        connect_args={"connect_timeout": min(5.0, seconds), "read_timeout": seconds, "write_timeout": seconds},
        **pool,
    )

    @event.listens_for(engine, "before_cursor_execute", retval=True)
    def by_key(_1: Any, _2: Any, statement: str, parameters: Any, context: Any, _many: bool) -> tuple[str, Any]:
        # With safe updates on, the server uses the key whenever it can, however few rows there are.
        if context and context.execution_options.get("by_key"):
            statement = f"SET STATEMENT sql_safe_updates = 1 FOR {statement}"
        return statement, parameters

    @event.listens_for(engine, "checkin")
    def used(_connection: Any, record: Any) -> None:
        record.info["used_at"] = time.monotonic()

    @event.listens_for(engine, "checkout")
    def is_alive(connection: Any, record: Any, _proxy: Any) -> None:
        used_at = record.info.get("used_at")
        if used_at is None or time.monotonic() - used_at < FRESH_SECONDS:
            return
        try:
            connection.ping(reconnect=False)
        except engine.dialect.loaded_dbapi.Error as error:
            # A new connection to a server that hangs would take as long again.
            if "timed out" in str(error):
                raise
            raise DisconnectionError from error

    return engine


def write_ahead(connection: Any, clock: Callable[[], float] = time.monotonic) -> None:
    """Switch to write-ahead logging; tried again if another process does so at this moment, since SQLite does not wait.

    Where it did wait, another program holds the file, and six more waits would hold up whoever else is asked after it.
    """
    until = clock() + WRITE_AHEAD_SECONDS

    def passes(error: sqlite3.OperationalError) -> bool:
        return "locked" in str(error) and clock() < until

    switch = partial(connection.execute, "PRAGMA journal_mode = WAL")
    repeated(switch, sqlite3.OperationalError, passes, tries=WRITE_AHEAD_TRIES)


def _sqlite_engine(url: URL, seconds: float, **pool: Any) -> Engine:
    # A database in memory differs from connection to connection, so its pool is SQLAlchemy's own.
    engine = create_engine(
        url, hide_parameters=True, connect_args={"timeout": seconds}, **(pool if url.database else {})
    )

    @event.listens_for(engine, "connect")
    def configure(connection: Any, _record: Any) -> None:
        # The driver's own idea of transactions begins them too late for SELECT-then-UPDATE; we say BEGIN ourselves.
        connection.isolation_level = None
        write_ahead(connection)
        connection.execute("PRAGMA synchronous = FULL")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        read_only = connection.get_execution_options().get("read_only")
        connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")

    return engine
