"""The table of programs that people let in by `aws login`. Times are epoch seconds."""

from __future__ import annotations

from sqlalchemy import Column, Float, Index, Integer, Table, Text

from bailiwick.store.schema import metadata, string

login = Table(
    "signin_login",
    metadata,
    Column("id", string(32), primary_key=True),
    Column("kind", string(16), nullable=False),  # how the session of the pages was begun that let it in
    Column("owner_id", string(32), nullable=False),
    Column("password_changed", Float, nullable=True),  # another password ends it
    Column("token", Text, nullable=False),  # that session's, sealed
    Column("principal", Text, nullable=False),  # JSON: who it is
    Column("client", string(64), nullable=False),
    Column("redirect", string(2048), nullable=False),
    Column("challenge", string(43), nullable=False),
    Column("thumbprint", string(64), nullable=True),  # of the program's key, once it has shown it
    Column("created", Float, nullable=False),
    Column("expires", Float, nullable=False),
    Column("turn", Integer, nullable=False),  # 0 until the code was used; then how many tokens there were
    Index("signin_login_expires", "expires"),
)
