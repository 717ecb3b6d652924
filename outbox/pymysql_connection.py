"""PyMySQL's connection, which refuses packets that the server would not take, and has an error for each failure to
connect.

If a packet is too large, the server closes the connection, often before it has said why, and to the client the server
seems gone. So each packet is compared with the server's limit before it is sent.
"""

from typing import Any

from pymysql.connections import Connection
from pymysql.constants import ER
from pymysql.cursors import Cursor
from pymysql.err import Error, OperationalError

from outbox.server_errors import NO_SUCH_OPTION, NOT_INSTALLED, UNREADABLE

#: Bytes of a packet that are not part of the statement.
HEADER_BYTES = 2


class BoundedConnection(Connection):
    """Knows how large a statement may be."""

    largest: int = Cursor.max_stmt_length

    def connect(self, sock: Any = None) -> None:
        super().connect(sock)
        with self.cursor() as cursor:
            cursor.execute("SELECT @@max_allowed_packet")
            ((limit,),) = cursor.fetchall()
        self.largest = limit - HEADER_BYTES

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
        return BoundedConnection(**parameters)
    except Error:
        raise
    except OSError as error:
        files = ", ".join(str(file) for file in parameters.get("ssl", {}).values() if isinstance(file, str))
        raise OperationalError(f"{UNREADABLE}: {error.strerror or error}: {files}") from error
    except RuntimeError as error:
        raise OperationalError(f"{NOT_INSTALLED}: {error}") from error
    except (TypeError, ValueError, AttributeError, LookupError) as error:
        raise OperationalError(f"{NO_SUCH_OPTION}: {error}") from error
