"""PyMySQL's connection, which refuses packets that the server would not take, and has an error for each failure to
connect.

If a packet is too large, the server closes the connection, often before it has said why, and to the client the server
seems gone. So each packet is compared with the server's limit before it is sent. Texts are escaped, and moments read,
in ways that say the same as PyMySQL's in a fraction of the time: with messages of a kilobyte its own took a tenth of
all that an edit costs.

PyMySQL's time-outs begin anew with every piece of a reply. Here connecting, and then each statement, has one deadline.
"""

from datetime import datetime
from io import BufferedReader
from operator import attrgetter
from typing import Any

from pymysql.connections import Connection
from pymysql.constants import ER, FIELD_TYPE, SERVER_STATUS
from pymysql.converters import conversions, convert_datetime
from pymysql.cursors import Cursor
from pymysql.err import Error, OperationalError

from outbox.deadline import BoundedReading, deadline_in
from outbox.server_errors import NO_SUCH_OPTION, NOT_INSTALLED, UNREADABLE

#: Bytes of a packet that are not part of the statement.
HEADER_BYTES = 2


def quoted(text: str) -> str:
    """*text* as a literal of SQL, for a server to which backslashes mean something in one."""
    # The backslash comes first: the others bring more. Written out, since a loop would take a third longer. Double
    # quotes, of which JSON is full, mean nothing between single ones.
    escaped = text.replace("\\", "\\\\").replace("'", "\\'").replace("\0", "\\0")
    escaped = escaped.replace("\n", "\\n").replace("\r", "\\r").replace("\x1a", "\\Z")
    return f"'{escaped}'"


def moment(text: str) -> datetime | str:
    """*text*, as the server writes a DATETIME, read; a date that no calendar has stays a text."""
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        read: datetime | str = convert_datetime(text)
        return read


CONVERSIONS = {**conversions, FIELD_TYPE.DATETIME: moment, FIELD_TYPE.TIMESTAMP: moment}


class BoundedConnection(Connection):
    """Knows how large a statement may be, and how long it may take: `read_timeout` seconds, its whole reply included.

    All that is asked while it connects counts as one statement.
    """

    largest: int = Cursor.max_stmt_length
    _reading: BoundedReading | None = None
    _buffer: BufferedReader | None = None
    _is_made = False

    def connect(self, sock: Any = None) -> None:
        self._is_made, self._made_until = False, deadline_in(self._read_timeout)  # type: ignore[attr-defined]
        super().connect(sock)
        try:
            with self.cursor() as cursor:
                cursor.execute("SELECT @@max_allowed_packet")
                ((limit,),) = cursor.fetchall()
        except BaseException:
            # Or it would stay open for as long as anybody keeps the error.
            self.close()
            raise
        self.largest = limit - HEADER_BYTES
        self._is_made = True

    def _read_through(self, file: BufferedReader | None) -> None:
        """Called with each file that PyMySQL makes of its socket, or None when it is closed."""
        if file is None:
            self._reading = self._buffer = None
            return
        sock = self._sock  # type: ignore[attr-defined]
        self._reading = BoundedReading(file.detach(), sock, self._made_until)
        self._buffer = BufferedReader(self._reading)

    # Looked up several times for each row.
    _rfile = property(attrgetter("_buffer"), _read_through)

    def _execute_command(self, command: int, sql: Any) -> None:
        if self._is_made and self._reading:
            self._reading.begin(self._read_timeout)  # type: ignore[attr-defined]
        super()._execute_command(command, sql)  # type: ignore[misc]

    def escape(self, obj: Any, mapping: Any = None) -> str:
        status: int = self.server_status  # type: ignore[attr-defined]
        if isinstance(obj, str) and not status & SERVER_STATUS.SERVER_STATUS_NO_BACKSLASH_ESCAPES:
            return quoted(obj)
        escaped: str = super().escape(obj, mapping)
        return escaped

    def cursor(self, cursor: Any = None) -> Any:
        made = super().cursor(cursor)
        # The largest INSERT that `executemany` makes of many rows.
        made.max_stmt_length = min(Cursor.max_stmt_length, self.largest)
        return made

    def query(self, sql: Any, unbuffered: bool = False) -> int:
        if isinstance(sql, str):
            sql = sql.encode(self.encoding, "surrogateescape")
        if len(sql) > self.largest:
            text = f"Got a packet bigger than max_allowed_packet: {len(sql)} bytes of {self.largest}"
            raise OperationalError(ER.NET_PACKET_TOO_LARGE, text)
        return super().query(sql, unbuffered)


def open_connection(**parameters: Any) -> BoundedConnection:
    """A new connection.

    Raises:
        pymysql.err.Error: also for files it can't read and for packages and options that it lacks, for which PyMySQL
        itself raises other errors.
    """
    try:
        return BoundedConnection(**{"conv": CONVERSIONS} | parameters)
    except Error:
        raise
    except OSError as error:
        files = ", ".join(str(file) for file in parameters.get("ssl", {}).values() if isinstance(file, str))
        raise OperationalError(f"{UNREADABLE}: {error.strerror or error}: {files}") from error
    except RuntimeError as error:
        raise OperationalError(f"{NOT_INSTALLED}: {error}") from error
    except (TypeError, ValueError, AttributeError, LookupError) as error:
        raise OperationalError(f"{NO_SUCH_OPTION}: {error}") from error
