"""The file: the answer of GetAccountAuthorizationDetails as the AWS CLI, boto3 or `bailiwick export aws` writes it.

Documents are objects (the CLI and boto3 decode them) or percent-encoded text; times are ISO 8601 or epoch seconds.
What the file has beyond the members named here is ignored.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import chain
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

MAX_BYTES = 1 << 30

Name = Annotated[str, Meta(pattern=r"\A[A-Za-z0-9_+=,.@-]{1,128}\Z")]
Path = Annotated[str, Meta(pattern=r"\A(/|/[\x21-\x7e]{1,510}/)\Z")]
ArnText = Annotated[str, Meta(min_length=20, max_length=2048)]
Time = str | float | None


class ExportError(Exception):
    """A file that is not such an export; the text says what is wrong and where."""


class Tag(Struct, frozen=True):
    """A tag."""

    Key: Annotated[str, Meta(min_length=1, max_length=128)]
    Value: Annotated[str, Meta(max_length=256)]


class Inline(Struct, frozen=True):
    """An inline policy."""

    PolicyName: Name
    PolicyDocument: Any


class Attached(Struct, frozen=True):
    """A managed policy that is attached."""

    PolicyArn: ArnText


class Boundary(Struct, frozen=True):
    """A permissions boundary."""

    PermissionsBoundaryArn: ArnText


class User(Struct, frozen=True):
    """A user."""

    UserName: Name
    Arn: ArnText
    Path: Path = "/"
    UserId: str = ""
    CreateDate: Time = None
    UserPolicyList: list[Inline] = []
    GroupList: list[Name] = []
    AttachedManagedPolicies: list[Attached] = []
    PermissionsBoundary: Boundary | None = None
    Tags: list[Tag] = []


class Group(Struct, frozen=True):
    """A group."""

    GroupName: Name
    Arn: ArnText
    Path: Path = "/"
    GroupId: str = ""
    CreateDate: Time = None
    GroupPolicyList: list[Inline] = []
    AttachedManagedPolicies: list[Attached] = []


class Profile(Struct, frozen=True):
    """An instance profile."""

    InstanceProfileName: Name
    Path: Path = "/"
    InstanceProfileId: str = ""
    CreateDate: Time = None


class LastUsed(Struct, frozen=True):
    """When and where a role was last used."""

    LastUsedDate: Time = None
    Region: Annotated[str, Meta(max_length=64)] | None = None


class Role(Struct, frozen=True):
    """A role. AWS's export tells neither description nor maximum session; one that does is believed."""

    RoleName: Name
    Arn: ArnText
    AssumeRolePolicyDocument: Any
    Path: Path = "/"
    RoleId: str = ""
    CreateDate: Time = None
    Description: Annotated[str, Meta(max_length=1000)] | None = None
    MaxSessionDuration: Annotated[int, Meta(ge=3600, le=43200)] = 3600
    InstanceProfileList: list[Profile] = []
    RolePolicyList: list[Inline] = []
    AttachedManagedPolicies: list[Attached] = []
    PermissionsBoundary: Boundary | None = None
    Tags: list[Tag] = []
    RoleLastUsed: LastUsed = LastUsed()


class Version(Struct, frozen=True):
    """A version of a managed policy."""

    Document: Any
    VersionId: Annotated[str, Meta(pattern=r"\Av[1-9][0-9]{0,8}\Z")]
    CreateDate: Time = None


class Policy(Struct, frozen=True):
    """A managed policy: a customer's, or one of AWS's that is in use."""

    PolicyName: Name
    Arn: ArnText
    Path: Path = "/"
    PolicyId: str = ""
    DefaultVersionId: str = "v1"
    Description: Annotated[str, Meta(max_length=1000)] | None = None
    CreateDate: Time = None
    UpdateDate: Time = None
    PolicyVersionList: list[Version] = []


class Export(Struct, frozen=True):
    """The whole file."""

    UserDetailList: list[User] = []
    GroupDetailList: list[Group] = []
    RoleDetailList: list[Role] = []
    Policies: list[Policy] = []
    IsTruncated: bool = False

    def __len__(self) -> int:
        lists = (self.UserDetailList, self.GroupDetailList, self.RoleDetailList, self.Policies)
        return sum(len(each) for each in lists)

    @property
    def account(self) -> str | None:
        """The account that the export is of, None where it names none."""
        lists: tuple[Sequence[User | Group | Role | Policy], ...] = (
            self.UserDetailList,
            self.GroupDetailList,
            self.RoleDetailList,
            self.Policies,
        )
        for each in chain(*lists):
            fields = each.Arn.split(":", 5)
            if len(fields) == 6 and re.fullmatch("[0-9]{12}", fields[4]):
                return fields[4]
        return None


def read(content: bytes) -> Export:
    """Read the file. Raises ExportError."""
    if len(content) > MAX_BYTES:
        raise ExportError(f"the file is larger than {MAX_BYTES >> 20} MiB")
    try:
        export = msgspec.json.decode(content, type=Export)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ExportError(f"this is not what get-account-authorization-details gives: {error}") from None
    if export.IsTruncated:
        raise ExportError(
            "the export is cut off (IsTruncated); the AWS CLI reads every page unless it is told not to"
        )
    return export


def seconds(time: Time, otherwise: float) -> float:
    """A time as epoch seconds; `otherwise` where there is none or it makes no sense."""
    try:
        if isinstance(time, str):
            moment = datetime.fromisoformat(time)
            time = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
        return float(int(time)) if time is not None and 0 < time < 1e11 else otherwise
    except (ValueError, OverflowError):
        return otherwise
