"""Lists of credentials in pages, and names that two want at once: properties of every such list."""

from __future__ import annotations

import threading
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from papers import certificate, curve_key, private, ssh
from services_support import refusal

from world import World

# operation, what is listed, what names an entry, parameters
LISTS = [
    ("list_virtual_mfa_devices", "VirtualMFADevices", "SerialNumber", {}),
    ("list_ssh_public_keys", "SSHPublicKeys", "SSHPublicKeyId", {"UserName": "u"}),
    ("list_signing_certificates", "Certificates", "CertificateId", {"UserName": "u"}),
    ("list_server_certificates", "ServerCertificateMetadataList", "ServerCertificateName", {}),
    (
        "list_service_specific_credentials",
        "ServiceSpecificCredentials",
        "ServiceSpecificCredentialId",
        {"AllUsers": True},
    ),
    ("list_mfa_device_tags", "Tags", "Key", {"SerialNumber": "arn:aws:iam::123456789012:mfa/d0"}),
    ("list_server_certificate_tags", "Tags", "Key", {"ServerCertificateName": "C0"}),
]


@cache
def full() -> Any:
    """The client of a world with several of each."""
    iam = World().client("iam")
    tags = [{"Key": f"k{number}", "Value": ""} for number in range(7)]
    given_certificate = {
        "CertificateBody": certificate(curve_key(1), curve_key(0)),
        "PrivateKey": private(curve_key(1)),
    }
    for name in ("u", "v"):
        iam.create_user(UserName=name)
        for service in ("codecommit.amazonaws.com", "cassandra.amazonaws.com"):
            for _ in range(2):
                iam.create_service_specific_credential(UserName=name, ServiceName=service)
    for number in range(5):
        iam.create_virtual_mfa_device(VirtualMFADeviceName=f"d{number}", Tags=tags)
        iam.upload_ssh_public_key(UserName="u", SSHPublicKeyBody=ssh(number))
        iam.upload_server_certificate(ServerCertificateName=f"C{number}", Tags=tags, **given_certificate)
    for number in (1, 2):
        iam.upload_signing_certificate(UserName="u", CertificateBody=certificate(curve_key(number), curve_key(0)))
    return iam


@pytest.mark.parametrize(("operation", "entries", "name", "parameters"), LISTS, ids=[each[0] for each in LISTS])
@settings(max_examples=6, deadline=None)
@given(size=st.integers(1, 9))
def test_pages_of_any_size_are_the_whole_list(
    operation: str, entries: str, name: str, parameters: dict[str, Any], size: int
) -> None:
    call = getattr(full(), operation)
    whole = call(**parameters)
    assert whole["IsTruncated"] is False
    seen: list[str] = []
    marker: dict[str, str] = {}
    while True:
        page = call(**parameters, MaxItems=size, **marker)
        assert len(page[entries]) <= size
        seen += [each[name] for each in page[entries]]
        assert page["IsTruncated"] is ("Marker" in page)
        if not page["IsTruncated"]:
            break
        marker = {"Marker": page["Marker"]}
    assert seen == [each[name] for each in whole[entries]]
    assert len(seen) >= 2


@pytest.mark.parametrize("operation", [each[0] for each in LISTS])
def test_a_marker_of_another_list_is_refused(operation: str) -> None:
    iam = full()
    other = iam.list_users(MaxItems=1)["Marker"]
    parameters = next(each[3] for each in LISTS if each[0] == operation)
    for marker in (other, "invalid-marker-value"):
        told = refusal(getattr(iam, operation), **parameters, Marker=marker)
        assert told == ("ValidationError", "Invalid Marker.")


@pytest.mark.parametrize(
    ("operation", "parameters"),
    [
        ("create_virtual_mfa_device", {"VirtualMFADeviceName": "same"}),
        ("create_account_alias", {"AccountAlias": "same-name"}),
        ("create_login_profile", {"UserName": "u", "Password": "Correct-Horse-1"}),
        ("upload_server_certificate", {"ServerCertificateName": "same"}),
    ],
)
def test_one_of_many_who_want_the_same_gets_it(operation: str, parameters: dict[str, str]) -> None:
    world = World()
    world.client("iam").create_user(UserName="u")
    if operation == "upload_server_certificate":
        body = certificate(curve_key(1), curve_key(0))
        parameters = parameters | {"CertificateBody": body, "PrivateKey": private(curve_key(1))}
    outcomes: list[str] = []

    def attempt(client: Any) -> None:
        try:
            getattr(client, operation)(**parameters)
            outcomes.append("made")
        except client.exceptions.EntityAlreadyExistsException:
            outcomes.append("taken")

    threads = [threading.Thread(target=attempt, args=(world.client("iam"),)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["made", "taken", "taken", "taken"]
