"""The mapping files and the trust policy of docs/federation/ldap.md are read as a server would read them."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest

from bailiwick.analysis import findings
from bailiwick.analysis.findings import PolicyKind
from bailiwick.core.policy.document import check_trust
from bailiwick.federation.ldap import configuration, read
from bailiwick.federation.ldap.configuration import Groups, Rule, Servers, Users

TEXT = (Path(__file__).parents[2] / "docs" / "federation" / "ldap.md").read_text()
MAPPINGS = re.findall(r"<!-- mapping -->\n```toml\n(.*?)```", TEXT, re.DOTALL)


@pytest.mark.parametrize("number", range(3))
def test_a_mapping_file_is_read(tmp_path: Path, number: int) -> None:
    assert len(MAPPINGS) == 3
    ca = tmp_path / "ca.pem"
    ca.touch()
    file = tmp_path / "ldap.toml"
    file.write_text(re.sub(r'ca_file = ".*?"', f'ca_file = "{ca}"', MAPPINGS[number]))
    found = read(file, lambda path: b"secret")
    assert found.name == ("company", "corp", "ipa")[number]
    assert len(found.addresses) == 2
    assert found.find_user is not None


def test_the_trust_policy_is_accepted_and_without_findings() -> None:
    (policy,) = re.findall(r"```json\n(.*?)```", TEXT, re.DOTALL)
    check_trust(policy)
    assert findings.check(policy, PolicyKind.TRUST) == []


def test_every_key_is_told() -> None:
    told = set(
        re.findall(r"`((?:server|user|group|rule)\.\w+|name|tags|source_identity)`", TEXT.split("Every key")[1])
    )
    names = {
        f"{section}.{field.name}"
        for section, kind in (("server", Servers), ("user", Users), ("group", Groups), ("rule", Rule))
        for field in msgspec.structs.fields(kind)
    }
    own = {field.name for field in msgspec.structs.fields(configuration._File)} - {
        "server",
        "user",
        "group",
        "rule",
    }
    assert told == names | own
