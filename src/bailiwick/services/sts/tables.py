"""The table of STS: what was used and may not be used again. Temporary credentials themselves are not stored."""

from __future__ import annotations

from sqlalchemy import Column, Float, Index, Table

from bailiwick.store.schema import metadata, string

redeemed = Table(
    "sts_redeemed",
    metadata,
    Column("id", string(64), primary_key=True),  # SHA-256 of whose it is and of its name
    Column("expires", Float, nullable=False),  # epoch seconds; from then on it is too old anyway
    Index("sts_redeemed_expires", "expires"),
)
