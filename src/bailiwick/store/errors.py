"""What the store can refuse, as one tree.

StoreError
├── Duplicate          a key that is taken
├── Unstorable         a value that this database has no form for
├── StoreUnavailable   away, locked, full, unreadable, or damaged: the text says which, and what to do
│   └── Aborted        the same, and it is certain that the transaction has changed nothing
└── NewerDatabase      made by a later version of Bailiwick than this one
"""

from __future__ import annotations


class StoreError(Exception):
    """The root of the tree."""


class Duplicate(StoreError):
    """A row with this key exists already; the transaction has changed nothing."""


class Unstorable(StoreError):
    """A value that this database has no form for; the transaction has changed nothing."""


class StoreUnavailable(StoreError):
    """The database cannot be used now: away, locked, full, unreadable, or damaged.

    At a commit it leaves open whether the transaction has happened.
    """


class Aborted(StoreUnavailable):
    """The transaction has certainly changed nothing: it may be run again from its beginning."""


class NewerDatabase(StoreError):
    """The database was made by a later version of Bailiwick, and this one does not know its form."""
