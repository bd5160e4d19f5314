"""The tables of a trail in the database: its segments and their blocks, digests, the positions of followers."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Float, Integer, LargeBinary, Table

from bailiwick.store.schema import metadata, string

segment = Table(
    "audit_segment",
    metadata,
    Column("name", string(64), primary_key=True),
    Column("bytes", BigInteger, nullable=False),
    Column("chain", string(44), nullable=False),
    Column("written", Float, nullable=False),
    Column("ended", Integer, nullable=False),  # 1 if nothing is added any more
)

# `start` is where in the segment a block begins; its data are whole lines.
block = Table(
    "audit_block",
    metadata,
    Column("segment", string(64), primary_key=True),
    Column("start", BigInteger, primary_key=True, autoincrement=False),
    Column("data", LargeBinary, nullable=False),
)

digest = Table(
    "audit_digest",
    metadata,
    Column("name", string(100), primary_key=True),
    Column("data", LargeBinary, nullable=False),
)

# `holder` may write the position until that time (epoch seconds).
follower = Table(
    "audit_follower",
    metadata,
    Column("name", string(64), primary_key=True),
    Column("position", LargeBinary, nullable=False),
    Column("holder", string(64), nullable=False),
    Column("until", Float, nullable=False),
)

# What services did by themselves and the trail does not have yet: kept in the transaction in which it was done.
happened = Table(
    "audit_happened",
    metadata,
    Column("id", string(40), primary_key=True),
    Column("time", Float, nullable=False),
    Column("event", LargeBinary, nullable=False),
)
