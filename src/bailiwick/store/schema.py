"""One MetaData for every table: each layer declares its own tables on it, the migrations create them all."""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, Column, Integer, MetaData, String, Table, Text
from sqlalchemy.types import TypeEngine

metadata = MetaData(
    naming_convention={
        "ix": "%(table_name)s_%(column_0_N_name)s",
        "uq": "%(table_name)s_%(column_0_N_name)s_unique",
        "pk": "%(table_name)s_pk",
    }
)


def string(length: int) -> TypeEngine[Any]:
    """Text of at most so many characters, compared and ordered by code points on every database."""
    return String(length).with_variant(String(length, collation="C"), "postgresql")


# What to forget, for every process: appended to in the transaction that made the change.
change = Table(
    "change",
    metadata,
    Column("seq", BigInteger().with_variant(Integer(), "sqlite"), primary_key=True),
    Column("topic", string(2200), nullable=False),
    sqlite_autoincrement=True,
)

# Facts of the installation: its partition, its default account, how to tell a wrong root key.
setting = Table(
    "setting",
    metadata,
    Column("name", string(64), primary_key=True),
    Column("value", Text, nullable=False),
)
