"""One MetaData for every table: each layer declares its own tables on it, the migrations create them all."""

from __future__ import annotations

from sqlalchemy import MetaData

metadata = MetaData(
    naming_convention={
        "ix": "%(table_name)s_%(column_0_N_name)s",
        "uq": "%(table_name)s_%(column_0_N_name)s_unique",
        "pk": "%(table_name)s_pk",
    }
)
