"""An organization in a world: a management account, a unit in a unit, and a member in the inner one.

estate = Estate(World())
estate.member            # credentials of an administrator's session in the member account
estate.enable()
estate.attach(denies("iam:*"), estate.outer)
"""

from __future__ import annotations

from services_support import allow, deny, document, session_of

from world import World

ADMINISTRATOR = "arn:aws:iam::aws:policy/AdministratorAccess"
SCP, RCP = "SERVICE_CONTROL_POLICY", "RESOURCE_CONTROL_POLICY"


def allows(action: str | list[str]) -> str:
    """A policy that allows an action on everything."""
    return document(allow(action))


def denies(action: str | list[str], **more: object) -> str:
    """A policy that denies an action on everything."""
    return document(deny(action, **more))


class Estate:
    """See the module."""

    def __init__(self, world: World) -> None:
        self.world = world
        world.client("iam").create_user(UserName="chief")
        world.client("iam").attach_user_policy(UserName="chief", PolicyArn=ADMINISTRATOR)
        self.chief = world.keys_of("chief")
        self.api = world.client("organizations", self.chief)
        self.id = self.api.create_organization()["Organization"]["Id"]
        self.root = self.api.list_roots()["Roots"][0]["Id"]
        self.outer = self.unit(self.root, "outer")
        self.inner = self.unit(self.outer, "inner")
        self.account = self.new_account("member", self.inner)
        self.made = 0
        self.member = self.session_in(self.account)

    def unit(self, parent: str, name: str) -> str:
        """A new unit; returns its id."""
        made = self.api.create_organizational_unit(ParentId=parent, Name=name)
        return made["OrganizationalUnit"]["Id"]

    def new_account(self, name: str, parent: str | None = None) -> str:
        """A new account, moved below `parent`; returns its id."""
        status = self.api.create_account(Email=f"{name}@example.com", AccountName=name)["CreateAccountStatus"]
        if parent:
            self.api.move_account(
                AccountId=status["AccountId"], SourceParentId=self.root, DestinationParentId=parent
            )
        return status["AccountId"]

    def session_in(self, account: str) -> dict[str, str]:
        """An administrator's session in a member account."""
        sts = self.world.client("sts", self.chief)
        role = f"arn:aws:iam::{account}:role/OrganizationAccountAccessRole"
        return session_of(sts.assume_role(RoleArn=role, RoleSessionName="s1"))

    def enable(self, kind: str = SCP) -> None:
        """Enable a type of policy."""
        self.api.enable_policy_type(RootId=self.root, PolicyType=kind)

    def attach(self, text: str, on: str, kind: str = SCP) -> str:
        """Make a policy and attach it; returns its id."""
        self.made += 1
        made = self.api.create_policy(Content=text, Description="d", Name=f"p{self.made}", Type=kind)
        policy_id = made["Policy"]["PolicySummary"]["Id"]
        self.api.attach_policy(PolicyId=policy_id, TargetId=on)
        return policy_id

    def only(self, text: str, on: str) -> None:
        """Have this the one service control policy of a node."""
        self.attach(text, on)
        self.api.detach_policy(PolicyId="p-FullAWSAccess", TargetId=on)
