"""Take an export in: users, groups, roles, policies and what belongs to them, in the caller's one transaction.

What is there already (names are the same in any letter case) stays as it is, or is replaced and keeps its id. New
entities keep their ids and dates where nobody here has the id; nobody reads an account out of them. A document
that AWS would refuse today is left out, and whatever needed it is told. AWS managed policies that are not here
become policies of the account's own under /aws-managed/, made from the document that the export has.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from sqlalchemy import Table, select

from bailiwick.api import Environment, Transaction
from bailiwick.core import arn as arns
from bailiwick.core import ids
from bailiwick.core.errors import PolicyError
from bailiwick.core.policy.document import check_identity, check_managed, check_trust
from bailiwick.directory import entities, managed, role_tables, tables
from bailiwick.directory.transfer import export_file as file
from bailiwick.directory.transfer import writing
from bailiwick.directory.transfer.report import Report
from bailiwick.directory.transfer.rewriting import Rewriting

Progress = Callable[[str, int, int], None]
"""Told the phase (`reading` or `writing`), how much of it is done, and how much there is."""

COPIES = "/aws-managed/"
_ID = re.compile(r"\A(AIDA|AROA|AGPA|ANPA|AIPA)[A-Z0-9]{12,28}\Z")
_PREFIXES = {"user": "AIDA", "group": "AGPA", "role": "AROA", "policy": "ANPA", "instance profile": "AIPA"}
_TABLES = {
    "user": tables.user,
    "group": tables.group,
    "role": tables.role,
    "policy": tables.policy,
    "instance profile": role_tables.instance_profile,
}


class Importer:
    """One import into one account."""

    def __init__(
        self,
        transaction: Transaction,
        environment: Environment,
        account: str,
        *,
        rewrites: bool = True,
        replaces: bool = False,
        progress: Progress = lambda phase, done, total: None,
    ) -> None:
        """`rewrites` has documents speak of `account` instead of the export's own; `replaces` what is there."""
        self.report = Report()
        self._transaction, self._environment, self._account = transaction, environment, account
        self._rewrites, self._replaces, self._progress = rewrites, replaces, progress
        self._rows: dict[Table, list[dict[str, Any]]] = defaultdict(list)
        self._topics: list[str] = []
        self._present: dict[str, dict[str, str]] = {}  # by kind: the id of each name, in lower case
        self._taken: set[str] = set()
        self._ids: dict[tuple[str, str], tuple[str, bool]] = {}  # by kind and name: the id, and whether to write
        self._policies: dict[str, str] = {}  # a policy's ARN as the file has it, in this account: its ARN here
        self._profiles: set[str] = set()  # ids of those that are written: a file may show one under several roles
        self._principals: dict[str, str] = {}  # ARNs and the file's ids of users and roles: the id here
        self._rewriting = Rewriting(None, account, environment.partition, documents=rewrites)

    def run(self, export: file.Export) -> Report:
        """Take everything in; nothing is durable before the transaction's commit."""
        self._rewriting = Rewriting(
            export.account, self._account, self._environment.partition, documents=self._rewrites
        )
        self._look_around(export)
        self._name_principals(export)
        work: list[tuple[Callable[[Any], None], Any]] = [
            *((self._policy, each) for each in export.Policies),
            *((self._group, each) for each in export.GroupDetailList),
            *((self._user, each) for each in export.UserDetailList),
            *((self._role, each) for each in export.RoleDetailList),
        ]
        seen: set[tuple[type, str]] = set()
        for done, (take, entry) in enumerate(work, 1):
            name = _name(entry)
            if (type(entry), name.lower()) in seen:
                self._leave_out(f"{type(entry).__name__.lower()} {name}", "it is in the file twice")
            else:
                seen.add((type(entry), name.lower()))
                take(entry)
            self._progress("reading", done, len(work))
        self._write()
        return self.report

    # -- What is there ------------------------------------------------------------------------------------------

    def _look_around(self, export: file.Export) -> None:
        for kind, table in _TABLES.items():
            rows = self._transaction.all(select(table.c.folded, table.c.id).where(table.c.account == self._account))
            self._present[kind] = {row.folded: row.id for row in rows}
        wanted = {
            *(each.UserId for each in export.UserDetailList),
            *(each.GroupId for each in export.GroupDetailList),
            *(each.RoleId for each in export.RoleDetailList),
            *(each.PolicyId for each in export.Policies),
            *(p.InstanceProfileId for each in export.RoleDetailList for p in each.InstanceProfileList),
        }
        for table in _TABLES.values():
            for some in writing.chunks(sorted(wanted)):
                rows = self._transaction.all(select(table.c.id).where(table.c.id.in_(some)))
                self._taken.update(row.id for row in rows)

    def _name_principals(self, export: file.Export) -> None:
        """Give every user and role its id before any trust policy is read: they may name each other."""
        for user in export.UserDetailList:
            unique_id, _ = self._identify("user", user.UserName, user.UserId)
            self._principals[self._arn("user", user.Path, user.UserName)] = unique_id
            self._principals[user.UserId] = unique_id
        for role in export.RoleDetailList:
            unique_id, _ = self._identify("role", role.RoleName, role.RoleId)
            self._principals[self._arn("role", role.Path, role.RoleName)] = unique_id
            self._principals[role.RoleId] = unique_id

    def _identify(self, kind: str, name: str, given: str) -> tuple[str, bool]:
        """The id of an entity here, and whether it is to be written. Counts it at the first call."""
        key = (kind, name.lower())
        if key in self._ids:
            return self._ids[key]
        present = self._present[kind].get(name.lower())
        if present is not None and not self._replaces:
            self.report.present.append(f"{kind} {name}")
            self._ids[key] = (present, False)
        elif present is not None:
            self.report.replaced[kind] += 1
            self._ids[key] = (present, True)
        else:
            self.report.made[kind] += 1
            usable = _ID.match(given) and given.startswith(_PREFIXES[kind]) and given not in self._taken
            new = given if usable else ids.unique_id(_PREFIXES[kind], self._account, self._environment.entropy)
            self._taken.add(new)
            self._ids[key] = (new, True)
            if given and not usable:
                self.report.notes.append(f"{kind} {name} has the id {new} here: {given} cannot be used")
        return self._ids[key]

    def _arn(self, kind: str, path: str, name: str) -> str:
        return arns.iam(self._environment.partition, self._account, kind, path, name)

    # -- Kind by kind -----------------------------------------------------------------------------------------

    def _policy(self, policy: file.Policy) -> None:
        told, path = self._rewriting.arn(policy.Arn), policy.Path
        if policy.Arn.split(":")[4] == "aws":
            if managed.find(told) is not None:
                return
            path = COPIES
            self.report.notes.append(
                f"{policy.Arn} is not here: its copy is the policy {COPIES}{policy.PolicyName}"
            )
        versions = self._versions(policy)
        if not versions:
            self._leave_out(f"policy {policy.PolicyName}", "no version of it can be used")
            return
        now = self._environment.now()
        unique_id, is_new = self._identify("policy", policy.PolicyName, "" if path == COPIES else policy.PolicyId)
        arn = self._arn("policy", path, policy.PolicyName)
        if policy.PolicyName.lower() in self._present["policy"]:
            arn = self._arn_of_policy(unique_id)  # it is attached under this ARN, whatever path the file gives it
            path = arn.split(":policy", 1)[1].removesuffix(policy.PolicyName)
            path = path[: path.rindex("/") + 1]
        self._policies[told] = arn
        if not is_new:
            return
        default = int(policy.DefaultVersionId.removeprefix("v")) if policy.DefaultVersionId[1:].isdecimal() else 0
        created = file.seconds(policy.CreateDate, now)
        self._put(
            "policy",
            policy.PolicyName,
            id=unique_id,
            path=path,
            arn=arn,
            description=policy.Description,
            created=created,
            updated=file.seconds(policy.UpdateDate, created),
            default_version=default if default in versions else max(versions),
            next_version=max(versions) + 1,
        )
        self._rows[tables.policy_version] += [
            {"policy_id": unique_id, "number": number, "document": text, "created": made}
            for number, (text, made) in versions.items()
        ]
        self._topics.append(f"policy:{arn}")

    def _versions(self, policy: file.Policy) -> dict[int, tuple[str, float]]:
        found = {}
        for version in policy.PolicyVersionList:
            label = f"policy {policy.PolicyName} {version.VersionId}"
            text = self._checked(label, version.Document, check_managed)
            if text is not None:
                made = file.seconds(version.CreateDate, self._environment.now())
                found[int(version.VersionId[1:])] = (text, made)
        return found

    def _arn_of_policy(self, unique_id: str) -> str:
        row = self._transaction.one(select(tables.policy.c.arn).where(tables.policy.c.id == unique_id))
        assert row is not None, "a policy that was there a moment ago is there"
        return str(row.arn)

    def _group(self, group: file.Group) -> None:
        unique_id, is_new = self._identify("group", group.GroupName, group.GroupId)
        if not is_new:
            return
        created = file.seconds(group.CreateDate, self._environment.now())
        self._put("group", group.GroupName, id=unique_id, path=group.Path, created=created)
        self._inline(unique_id, f"group {group.GroupName}", group.GroupPolicyList)
        self._attach(unique_id, f"group {group.GroupName}", group.AttachedManagedPolicies)
        self._topics.append(f"group:{unique_id}")

    def _user(self, user: file.User) -> None:
        unique_id, is_new = self._identify("user", user.UserName, user.UserId)
        if not is_new:
            return
        label = f"user {user.UserName}"
        self._put(
            "user",
            user.UserName,
            id=unique_id,
            path=user.Path,
            created=file.seconds(user.CreateDate, self._environment.now()),
            boundary=self._boundary(label, user.PermissionsBoundary),
        )
        self._inline(unique_id, label, user.UserPolicyList)
        self._attach(unique_id, label, user.AttachedManagedPolicies)
        self._tag(unique_id, label, user.Tags)
        for name in {name.lower(): name for name in user.GroupList}.values():
            found = self._group_here(name)
            if found is None:
                self._leave_out(label, f"its membership of group {name}: there is no such group")
            else:
                self._rows[tables.membership].append({"group_id": found, "user_id": unique_id})
        self._topics.append(f"principal:{unique_id}")

    def _group_here(self, name: str) -> str | None:
        made = self._ids.get(("group", name.lower()))
        return made[0] if made else self._present["group"].get(name.lower())

    def _role(self, role: file.Role) -> None:
        unique_id, is_new = self._identify("role", role.RoleName, role.RoleId)
        if not is_new:
            return
        label = f"role {role.RoleName}"
        trust = self._checked(
            f"{label}, which cannot be made: trust policy", role.AssumeRolePolicyDocument, check_trust
        )
        if trust is None:
            self._ids["role", role.RoleName.lower()] = (unique_id, False)
            counts = self.report.replaced if role.RoleName.lower() in self._present["role"] else self.report.made
            counts["role"] -= 1
            return
        used = role.RoleLastUsed
        self._put(
            "role",
            role.RoleName,
            id=unique_id,
            path=role.Path,
            created=file.seconds(role.CreateDate, self._environment.now()),
            description=role.Description,
            max_session=role.MaxSessionDuration,
            trust=trust,
            pins=json.dumps(self._pins(label, trust)),
            boundary=self._boundary(label, role.PermissionsBoundary),
            last_used=file.seconds(used.LastUsedDate, 0.0) or None,
            last_used_region=used.Region,
        )
        self._inline(unique_id, label, role.RolePolicyList)
        self._attach(unique_id, label, role.AttachedManagedPolicies)
        self._tag(unique_id, label, role.Tags)
        for profile in role.InstanceProfileList:
            self._profile(profile, unique_id)
        self._topics += [f"principal:{unique_id}", f"role-arn:{self._arn('role', role.Path, role.RoleName)}"]

    def _profile(self, profile: file.Profile, role_id: str) -> None:
        name = profile.InstanceProfileName
        unique_id, is_new = self._identify("instance profile", name, profile.InstanceProfileId)
        if is_new and unique_id not in self._profiles:
            self._profiles.add(unique_id)
            created = file.seconds(profile.CreateDate, self._environment.now())
            self._put("instance profile", name, id=unique_id, path=profile.Path, created=created, role_id=role_id)

    # -- What belongs to them -----------------------------------------------------------------------------------

    def _put(self, kind: str, name: str, **values: Any) -> None:
        """The row of an entity: for one that is there, what is to be in it."""
        row = {"account": self._account, "name": name, "folded": name.lower(), **values}
        self._rows[_TABLES[kind]].append(row)

    def _inline(self, owner: str, label: str, given: Iterable[file.Inline]) -> None:
        for each in {each.PolicyName: each for each in given}.values():
            text = self._checked(f"{label}: inline policy {each.PolicyName}", each.PolicyDocument, check_identity)
            if text is not None:
                row = {"owner_id": owner, "name": each.PolicyName, "document": text}
                self._rows[tables.inline_policy].append(row)

    def _attach(self, owner: str, label: str, given: Iterable[file.Attached]) -> None:
        for told in dict.fromkeys(each.PolicyArn for each in given):
            found = self._policy_here(told)
            if found is None:
                self._leave_out(label, f"{told}, which was attached: it is neither here nor in the file")
                continue
            row = {"owner_id": owner, "policy_arn": found, "account": self._account}
            self._rows[tables.attachment].append({**row, "attached": self._environment.now()})

    def _boundary(self, label: str, given: file.Boundary | None) -> str | None:
        """The boundary as it is called here. One that is not here is kept all the same: it allows nothing."""
        if given is None:
            return None
        told = given.PermissionsBoundaryArn
        found = self._policy_here(told)
        if found is None:
            self.report.notes.append(
                f"{label}: its boundary {told} is neither here nor in the file: nothing is allowed"
            )
        return found or self._rewriting.arn(told)

    def _policy_here(self, told: str) -> str | None:
        arn = self._rewriting.arn(told)
        if arn in self._policies:
            return self._policies[arn]
        return arn if entities.policy(self._transaction, arn) is not None else None

    def _tag(self, owner: str, label: str, given: Sequence[file.Tag]) -> None:
        for position, (folded, tag) in enumerate({tag.Key.lower(): tag for tag in given}.items(), 1):
            row = {"owner_id": owner, "folded": folded, "key": tag.Key, "value": tag.Value, "position": position}
            self._rows[tables.tag].append(row)

    def _pins(self, label: str, trust: str) -> dict[str, str]:
        """Whom a trust policy means: users and roles of the file, and of this deployment."""
        named = check_trust(trust).principals().get("AWS", ())
        people = [each for each in named if ":user/" in each or ":role/" in each or _ID.match(each)]
        found = {each: self._principals[each] for each in people if each in self._principals}
        others = [each for each in people if each not in found]
        found |= entities.pins(self._transaction, self._environment.partition, others)
        for each in people:
            if each not in found:
                self.report.notes.append(f"{label} trusts {each}, who is not here")
        return found

    def _checked(self, label: str, document: Any, check: Callable[[str], Any]) -> str | None:
        text = self._rewriting.document(document)
        try:
            check(text)
        except PolicyError as error:
            self._leave_out(label, str(error))
            return None
        return text

    def _leave_out(self, what: str, why: str) -> None:
        self.report.left_out.append(f"{what}: {why}")

    def _write(self) -> None:
        replaced = {
            kind: [
                unique_id
                for (of_kind, name), (unique_id, is_new) in self._ids.items()
                if of_kind == kind and is_new and name in self._present[kind]
            ]
            for kind in _TABLES
        }
        writing.clear(self._transaction, replaced)
        known = {unique_id for kind in self._present.values() for unique_id in kind.values()}
        writing.write(self._transaction, self._rows, known, lambda *counts: self._progress("writing", *counts))
        self._transaction.changed(*self._topics)


def _name(entry: Any) -> str:
    """The name of an entity of the file."""
    return str(getattr(entry, f"{type(entry).__name__}Name"))
