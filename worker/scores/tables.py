"""`ores_classification` and `ores_model`, to the column, type and index as Extension:ORES creates them.

Source: mediawiki/extensions/ORES sql/tables.json @ e8804727 (the same since 2017). `oresm_id` is unsigned and
`oresc_model` signed there, and so here.
"""

from typing import Any

from sqlalchemy import BigInteger, Column, Index, Integer, Numeric, Table
from sqlalchemy.dialects import mysql

from outbox.columns import BinaryString, UnsignedInt
from outbox.mediawiki.schema import metadata
from outbox.tables import INNODB

BigId = BigInteger().with_variant(mysql.BIGINT(unsigned=True), "mysql", "mariadb").with_variant(Integer, "sqlite")
SmallId = Integer().with_variant(mysql.SMALLINT(unsigned=True), "mysql", "mariadb")
SmallInt = Integer().with_variant(mysql.SMALLINT(), "mysql", "mariadb")
TinyInt = Integer().with_variant(mysql.TINYINT(), "mysql", "mariadb")
Flag = Integer().with_variant(mysql.TINYINT(display_width=1), "mysql", "mariadb")
BINARY_CHARSET: dict[str, Any] = {"mysql_charset": "binary", "mariadb_charset": "binary"}

ores_classification = Table(
    "ores_classification",
    metadata,
    Column("oresc_id", BigId, primary_key=True, autoincrement=True),
    Column("oresc_rev", UnsignedInt, nullable=False),
    Column("oresc_model", SmallInt, nullable=False),
    Column("oresc_class", TinyInt, nullable=False),
    # Three decimals and no digit before the point: it holds 0.999 at most.
    Column("oresc_probability", Numeric(3, 3, asdecimal=False), nullable=False),
    Column("oresc_is_predicted", Flag, nullable=False),
    Index("oresc_rev_model_class", "oresc_rev", "oresc_model", "oresc_class", unique=True),
    Index("oresc_model_class_prob", "oresc_model", "oresc_class", "oresc_probability"),
    **INNODB,
    **BINARY_CHARSET,
)

ores_model = Table(
    "ores_model",
    metadata,
    Column("oresm_id", SmallId, primary_key=True, autoincrement=True),
    Column("oresm_name", BinaryString(32), nullable=False),
    Column("oresm_version", BinaryString(32), nullable=False),
    Column("oresm_is_current", Flag, nullable=False),
    Index("oresm_model_status", "oresm_name", "oresm_is_current"),
    Index("oresm_version", "oresm_name", "oresm_version", unique=True),
    **INNODB,
    **BINARY_CHARSET,
)

#: The tables of Extension:ORES.
ORES_TABLES = (ores_classification, ores_model)
