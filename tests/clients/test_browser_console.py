"""The console in Chromium: every page by axe and at 360 px, a finding at its line, a denial explained.

With --pictures the screens of the docs are made.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from botocore.exceptions import ClientError
from browser_support import Tab, chromium
from clients_support import ServerProcess, keys_of

from bailiwick.services.console.actions import ACTIONS

pytestmark = pytest.mark.clients

ACCOUNT, PASSWORD = "123456789012", "Correct-Horse-1"
ADMINISTRATOR = "arn:aws:iam::aws:policy/AdministratorAccess"


def policy(action: str, resource: str = "*", **more: Any) -> str:
    return json.dumps(
        {
            "Version": "2012-10-17",
            "Statement": [{"Effect": "Allow", "Action": action, "Resource": resource, **more}],
        },
        indent=2,
    )


def arn(kind: str) -> str:
    return f"arn:aws:iam::{ACCOUNT}:{kind}"


class House:
    """A server with a little of everything, and a browser in which an administrator is signed in."""

    def __init__(self, folder: Path, browser: Any, pictures: bool) -> None:
        self.server = ServerProcess(folder / "data", arguments=("--account-id", ACCOUNT)).start()
        iam, kms = self.server.client("iam"), self.server.client("kms")
        for name in ("admin", "alice"):
            iam.create_user(UserName=name)
        iam.create_login_profile(UserName="admin", Password=PASSWORD)
        iam.attach_user_policy(UserName="admin", PolicyArn=ADMINISTRATOR)
        iam.create_group(GroupName="team")
        iam.add_user_to_group(GroupName="team", UserName="alice")
        key = kms.create_key(Description="orders")["KeyMetadata"]
        self.key, self.key_id = key["Arn"], key["KeyId"]
        kms.create_alias(AliasName="alias/orders", TargetKeyId=self.key_id)
        kms.create_grant(KeyId=self.key_id, GranteePrincipal=arn("user/alice"), Operations=["DescribeKey"])
        iam.put_group_policy(GroupName="team", PolicyName="seal", PolicyDocument=policy("kms:Encrypt", self.key))
        trust = {"Effect": "Allow", "Principal": {"AWS": arn("root")}, "Action": "sts:AssumeRole"}
        iam.create_role(
            RoleName="worker",
            AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": trust}),
        )
        iam.create_policy(PolicyName="own", PolicyDocument=policy("kms:Encrypt"))
        iam.create_policy_version(PolicyArn=arn("policy/own"), PolicyDocument=policy("kms:Decrypt"))
        self.alice = self.server.client("kms", keys_of(iam, "alice"))
        endpoint = f"http://localhost:{self.server.port}"
        self.tab = Tab(browser, endpoint, pictures)
        self.tab.go(f"/signin?account={ACCOUNT}")
        self.tab.fill("User name", "admin")
        self.tab.fill("Password", PASSWORD)
        self.tab.press("Sign in")
        assert self.tab.path == "/console"

    def close(self) -> None:
        self.tab.context.close()
        self.server.stop()


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> Iterator[House]:
    with chromium() as browser:
        made = House(tmp_path_factory.mktemp("house"), browser, bool(pytestconfig.getoption("--pictures")))
        yield made
        made.close()


def test_every_page_looks_good(house: House) -> None:
    tab = house.tab
    simulated = {"principal": arn("user/alice"), "actions": "kms:Decrypt", "resources": house.key}
    for path, picture in (
        ("/console", "console"),
        ("/console/iam/users", ""),
        ("/console/iam/users/alice", ""),
        ("/console/iam/groups", ""),
        ("/console/iam/groups/team", ""),
        ("/console/iam/inline/group/team/seal", ""),
        ("/console/iam/roles", ""),
        ("/console/iam/roles/worker", ""),
        ("/console/iam/policies", ""),
        ("/console/iam/policies?scope=AWS", ""),
        (f"/console/iam/policy?{urlencode({'arn': arn('policy/own')})}", ""),
        (f"/console/iam/policy/diff?{urlencode({'arn': arn('policy/own'), 'a': 'v1', 'b': 'v2'})}", ""),
        (f"/console/iam/policies/edit?{urlencode({'arn': arn('policy/own')})}", ""),
        ("/console/iam/providers", ""),
        ("/console/kms/keys", ""),
        (f"/console/kms/keys/{house.key_id}", "console-key"),
        ("/console/simulator", ""),
        (f"/console/simulator?{urlencode(simulated)}", ""),
        (f"/console/map?{urlencode({'resource': house.key})}", "console-map"),
        ("/console/accounts", ""),
        ("/console/search?q=alice", ""),
        ("/console/audit", ""),
    ):
        tab.go(path)
        assert tab.page.locator("h1").count() == 1, path
        tab.looks_good(picture, dark=True)


def test_every_form_looks_good(house: House) -> None:
    for slug in ACTIONS:
        house.tab.go(f"/console/do/{slug}")
        house.tab.looks_good()


def test_a_finding_is_shown_at_its_line(house: House) -> None:
    tab = house.tab
    tab.go("/console/iam/policies/edit")
    tab.fill("Name", "typo")
    text = policy("kms:Encyrpt")
    line = next(n for n, each in enumerate(text.splitlines(), 1) if "Encyrpt" in each)
    tab.page.locator("#document").fill(text)
    tab.press("Check")
    below = tab.page.locator(f"#line-{line} + div")
    assert "INVALID_ACTION" in below.inner_text()
    assert tab.page.locator(".source .said").count() == 1
    tab.page.locator("#found").scroll_into_view_if_needed()
    tab.looks_good("console-editor", dark=True)
    tab.page.locator("#document").fill(text.replace("Encyrpt", "Encrypt"))
    tab.press("Save")
    assert "The policy was saved." in tab.words
    assert house.server.client("iam").get_policy(PolicyArn=arn("policy/typo"))


def test_a_denial_is_explained(house: House) -> None:
    blob = house.alice.encrypt(KeyId=house.key, Plaintext=b"an order")["CiphertextBlob"]
    only = {"StringEquals": {"kms:EncryptionContext:for": "orders"}}
    house.server.client("iam").put_user_policy(
        UserName="alice", PolicyName="open", PolicyDocument=policy("kms:Decrypt", Condition=only)
    )
    with pytest.raises(ClientError, match="is not authorized to perform: kms:Decrypt"):
        house.alice.decrypt(CiphertextBlob=blob)
    tab = house.tab
    tab.go("/console/audit?only=refused")
    tab.looks_good()
    tab.follow("kms:Decrypt")
    assert "Why it was refused" in tab.words
    assert "kms:EncryptionContext:for" in tab.page.locator("#why").locator("..").inner_text()
    assert "What would allow it" in tab.words
    assert '"kms:Decrypt"' in tab.words
    tab.looks_good("console-denial", dark=True)
    tab.follow("Try it in the simulator")
    assert "implicitDeny" in tab.words
    tab.looks_good()
