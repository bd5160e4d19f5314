"""What policies can be given to: users, groups and roles."""

from __future__ import annotations

from bailiwick.api import Call
from bailiwick.directory.entities import Group, Role, User

Owner = User | Group | Role


def changed(call: Call, owner: Owner) -> None:
    """Tell the caches that what applies to an owner has changed: to itself, or to a group's members."""
    kind = "group" if isinstance(owner, Group) else "principal"
    call.transaction.changed(f"{kind}:{owner.id}")
