"""One MetaData for every table: each layer declares its own tables on it, the migrations create them all."""

from __future__ import annotations

from sqlalchemy import Column, Integer, MetaData, String, Table, Text

metadata = MetaData(
    naming_convention={
        "ix": "%(table_name)s_%(column_0_N_name)s",
        "uq": "%(table_name)s_%(column_0_N_name)s_unique",
        "pk": "%(table_name)s_pk",
    }
)

# What to forget, for every process: appended to in the transaction that made the change.
change = Table(
    "change",
    metadata,
    Column("seq", Integer, primary_key=True),
    Column("topic", String(2200), nullable=False),
    sqlite_autoincrement=True,
)

# Facts of the installation: its partition, its default account, how to tell a wrong root key.
setting = Table(
    "setting",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("value", Text, nullable=False),
)
