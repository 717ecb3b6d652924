"""Column types, the database's clock and its access by key, spelled for MariaDB and for SQLite."""

from datetime import timedelta
from typing import Any

from sqlalchemy import BINARY, VARBINARY, BigInteger, DateTime, Dialect, Integer, String, Text, literal
from sqlalchemy.dialects import mysql
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.expression import FunctionElement
from sqlalchemy.types import TypeDecorator, TypeEngine


class BinaryString(TypeDecorator[str]):
    """UTF-8 text in a VARBINARY column, as MediaWiki's `binary` character set has it; plain text on SQLite.

    Lengths are bytes. Source: mediawiki/core maintenance/tables.json REL1_39.
    """

    impl = String
    cache_ok = True

    def __init__(self, length: int, *, fixed: bool = False) -> None:
        super().__init__(length)
        self.length = length
        self.fixed = fixed

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        if dialect.name in {"mysql", "mariadb"}:
            return dialect.type_descriptor(BINARY(self.length) if self.fixed else VARBINARY(self.length))
        return dialect.type_descriptor(String(self.length))

    def process_bind_param(self, value: str | None, dialect: Dialect) -> Any:
        if value is None or dialect.name == "sqlite":
            return value
        return value.encode()

    def process_result_value(self, value: Any, dialect: Dialect) -> str | None:  # noqa: ARG002
        return value.decode() if isinstance(value, bytes) else value


#: SQLite numbers rows by itself only in a column that is declared INTEGER PRIMARY KEY.
AutoId = BigInteger().with_variant(Integer, "sqlite")
UnsignedBigInt = BigInteger().with_variant(mysql.BIGINT(unsigned=True), "mysql", "mariadb")
UnsignedInt = Integer().with_variant(mysql.INTEGER(unsigned=True), "mysql", "mariadb")
UnsignedTinyInt = Integer().with_variant(mysql.TINYINT(unsigned=True), "mysql", "mariadb")
#: With microseconds, since the database compares leases and ages.
Moment = DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
#: JSON text of up to 16 MB.
Payload = Text().with_variant(mysql.MEDIUMTEXT(charset="utf8mb4", collation="utf8mb4_bin"), "mysql", "mariadb")

#: Execution option of a write to rows that are named by their ids. Without it MariaDB scans a table that is nearly
#: empty, as a healthy lane is, and then waits for rows that others have locked, such as edits that are being saved.
BY_KEY: dict[str, Any] = {"by_key": True}


class database_now(FunctionElement[Any]):  # noqa: N801 - reads as a SQL function
    """Now, or *ahead* of now, in UTC by the database's clock, so that hosts need not agree on the time."""

    type = DateTime()
    inherit_cache = True

    def __init__(self, ahead: timedelta = timedelta(0)) -> None:
        # A parameter, not text in the statement, so that a statement is compiled once for all values.
        microseconds = round(ahead / timedelta(microseconds=1))
        super().__init__(*([literal(microseconds, BigInteger())] if microseconds else []))


@compiles(database_now)
def _on_mariadb(element: database_now, compiler: SQLCompiler, **options: Any) -> str:
    microseconds = compiler.process(element.clauses, **options)
    return f"(UTC_TIMESTAMP(6) + INTERVAL {microseconds} MICROSECOND)" if microseconds else "UTC_TIMESTAMP(6)"


@compiles(database_now, "sqlite")
def _on_sqlite(element: database_now, compiler: SQLCompiler, **options: Any) -> str:
    # SQLite's clock has milliseconds only; the zeros give its text the same length as SQLAlchemy's, so that both sort
    # alike.
    microseconds = compiler.process(element.clauses, **options)
    shift = f", printf('%+.3f seconds', {microseconds} / 1000000.0)" if microseconds else ""
    return f"(strftime('%Y-%m-%d %H:%M:%f', 'now'{shift}) || '000')"
