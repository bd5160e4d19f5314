"""The credential report: a table of every user's credentials and their age (facts/iam.md section 6)."""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Row, Table, delete, insert, select

from bailiwick.api import Call, nothing
from bailiwick.core import arn
from bailiwick.directory import accounts, password_policy, passwords, tables
from bailiwick.directory.credential_tables import (
    credential_report,
    login_profile,
    mfa_device,
    signing_certificate,
)
from bailiwick.directory.entities import User, record
from bailiwick.directory.password_policy import PasswordPolicy
from bailiwick.services.iam import names, shapes
from bailiwick.services.iam.service import iam
from bailiwick.services.iam.shapes import (
    CredentialReportExpiredException,
    CredentialReportNotPresentException,
)

_LIFE = 4 * 3600.0

_KEY = ("active", "last_rotated", "last_used_date", "last_used_region", "last_used_service")
COLUMNS = (
    *("user", "arn", "user_creation_time", "password_enabled", "password_last_used", "password_last_changed"),
    *("password_next_rotation", "mfa_active"),
    *(f"access_key_{number}_{name}" for number in (1, 2) for name in _KEY),
    *(f"cert_{number}_{name}" for number in (1, 2) for name in ("active", "last_rotated")),
)

_NONE, _UNKNOWN, _UNSUPPORTED = "N/A", "no_information", "not_supported"

Owned = dict[str, list[Row[Any]]]


@iam.operation("GenerateCredentialReport", on=nothing, writes=True)
def generate_credential_report(call: Call, request: None, record: None) -> shapes.GenerateCredentialReportResponse:
    """The report is made at once, and anew at each request; the states are those that clients wait through."""
    present = _stored(call)
    call.transaction.run(delete(credential_report).where(credential_report.c.account == call.account))
    call.transaction.run(
        insert(credential_report).values(
            account=call.account, generated=names.seconds(call.now), content=_report(call)
        )
    )
    if present is not None and present.generated + _LIFE > call.now:
        return shapes.GenerateCredentialReportResponse(State="COMPLETE")
    return shapes.GenerateCredentialReportResponse(
        State="STARTED", Description="No report exists. Starting a new report generation task"
    )


@iam.operation("GetCredentialReport", on=nothing)
def get_credential_report(call: Call, request: None, record: None) -> shapes.GetCredentialReportResponse:
    found = _stored(call)
    if found is None:
        raise CredentialReportNotPresentException
    if found.generated + _LIFE <= call.now:
        raise CredentialReportExpiredException
    return shapes.GetCredentialReportResponse(
        Content=found.content, ReportFormat="text/csv", GeneratedTime=found.generated
    )


def _stored(call: Call) -> Row[Any] | None:
    return call.transaction.one(select(credential_report).where(credential_report.c.account == call.account))


def _report(call: Call) -> bytes:
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(COLUMNS)
    rows.writerows(_rows(call))
    return text.getvalue().rstrip("\n").encode()


def _rows(call: Call) -> Iterator[list[str]]:
    """The root user's row, and one for each user by name."""
    keys = _by_owner(call, tables.access_key, "created")
    certificates = _by_owner(call, signing_certificate, "uploaded")
    devices = _by_owner(call, mfa_device, "serial")
    profiles = _by_owner(call, login_profile, "created")
    policy = password_policy.find(call.transaction, call.account)
    yield [
        *_root(call),
        _yes(call.account in devices),
        *_keys(keys[call.account]),
        *_certificates(certificates[call.account]),
    ]
    users = call.transaction.all(
        select(tables.user).where(tables.user.c.account == call.account).order_by(tables.user.c.folded)
    )
    for row in users:
        user = record(User, row)
        yield [
            *(user.name, user.arn(call.partition), _time(user.created)),
            *_password(user, profiles[user.id], policy),
            _yes(user.id in devices),
            *_keys(keys[user.id]),
            *_certificates(certificates[user.id]),
        ]


def _by_owner(call: Call, table: Table, order: str) -> Owned:
    """What the owners of an account have of one kind, oldest first."""
    found: Owned = defaultdict(list)
    rows = call.transaction.all(
        select(table)
        .where(table.c.account == call.account, table.c.owner_id.is_not(None))
        .order_by(table.c[order], *table.primary_key.columns)
    )
    for row in rows:
        found[row.owner_id].append(row)
    return found


def _root(call: Call) -> list[str]:
    account, profile = accounts.find(call.transaction, call.account), passwords.find(call.transaction, call.account)
    return [
        "<root_account>",
        arn.root(call.partition, call.account),
        _time(account.created if account else None),
        _UNSUPPORTED,
        _time(profile.last_used if profile else None, _UNKNOWN),
        _UNSUPPORTED,
        _UNSUPPORTED,
    ]


def _password(user: User, profiles: list[Row[Any]], policy: PasswordPolicy | None) -> list[str]:
    if not profiles:
        return ["false", _NONE, _NONE, _NONE]
    changed = profiles[0].changed
    rotation = policy.expiry(changed) if policy else None
    return ["true", _time(user.password_last_used, _UNKNOWN), _time(changed), _time(rotation)]


def _keys(rows: list[Row[Any]]) -> list[str]:
    found = []
    for row in rows[:2]:
        found += [_yes(row.status == "Active"), _time(row.created), _time(row.last_used)]
        found += [row.last_used_region or _NONE, row.last_used_service or _NONE]
    return found + ["false", _NONE, _NONE, _NONE, _NONE] * (2 - len(found) // 5)


def _certificates(rows: list[Row[Any]]) -> list[str]:
    found = []
    for row in rows[:2]:
        found += [_yes(row.status == "Active"), _time(row.uploaded)]
    return found + ["false", _NONE] * (2 - len(found) // 2)


def _yes(value: bool) -> str:
    return "true" if value else "false"


def _time(seconds: float | None, without: str = _NONE) -> str:
    return without if seconds is None else datetime.fromtimestamp(int(seconds), UTC).isoformat()
