"""Outbound web identity federation: the switch, and the issuer that an account becomes. Facts: facts/iam.md 3.1."""

from __future__ import annotations

import re
from typing import Any

from services_support import refusal

from world import World


def test_the_switch(iam: Any) -> None:
    off = refusal(iam.get_outbound_web_identity_federation_info)
    assert off[0] == "FeatureDisabled"
    assert refusal(iam.disable_outbound_web_identity_federation) == off
    issuer = iam.enable_outbound_web_identity_federation()["IssuerIdentifier"]
    assert re.fullmatch(r"http://127\.0\.0\.1:4577/tokens/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", issuer)
    assert refusal(iam.enable_outbound_web_identity_federation)[0] == "FeatureEnabled"
    told = iam.get_outbound_web_identity_federation_info()
    assert (told["IssuerIdentifier"], told["JwtVendingEnabled"]) == (issuer, True)
    iam.disable_outbound_web_identity_federation()
    assert refusal(iam.get_outbound_web_identity_federation_info) == off
    assert iam.enable_outbound_web_identity_federation()["IssuerIdentifier"] == issuer  # it stays the account's


def test_each_account_is_an_issuer_of_its_own(world: World, iam: Any) -> None:
    other = world.client("iam", world.account("210987654321"))
    first = iam.enable_outbound_web_identity_federation()["IssuerIdentifier"]
    assert refusal(other.get_outbound_web_identity_federation_info)[0] == "FeatureDisabled"
    assert other.enable_outbound_web_identity_federation()["IssuerIdentifier"] != first
