"""Certificates that were revoked: who joins with one is refused, and lists are taken with suspicion."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA224
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ObjectIdentifier

from bailiwick.directory import instances, join_lists, joining
from bailiwick.directory.join_lists import JoinList, ListRefused
from bailiwick.directory.joining import Authority
from hosts_support import FakeHost, Refused, p256
from join_authority import JoinAuthority, named
from still_clock import Clock
from world import ACCOUNT, REGION, World

NOW = 1_800_000_000.0
DAY = 86400.0


@pytest.fixture
def clock() -> Clock:
    return Clock(now=NOW)


@pytest.fixture
def world(clock: Clock) -> World:
    return World(clock)


@pytest.fixture
def ca(world: World) -> JoinAuthority:
    made = JoinAuthority(NOW)
    add(world, "company", made)
    return made


def add(world: World, name: str, made: JoinAuthority) -> None:
    grants = json.dumps({"region": REGION, "zone": f"{REGION}b"})
    with world.store.transaction(write=True) as transaction:
        joining.add_authority(transaction, Authority(name, ACCOUNT, NOW, made.pem, grants))


def take(world: World, ca: JoinAuthority, data: bytes, *between: JoinAuthority, name: str = "company") -> JoinList:
    with world.store.transaction(write=True) as transaction:
        certificates = [each.certificate for each in between]
        return join_lists.take(transaction, name, data, [ca.certificate], certificates, world.now())


def join(world: World, key: Any, *chain: x509.Certificate, own: Any = None) -> FakeHost:
    host = FakeHost(world, own)
    shown = [base64.b64encode(each.public_bytes(Encoding.DER)).decode() for each in chain]
    host.join(CertificateChain=shown, also=key)
    return host


def refused(world: World, key: Any, *chain: x509.Certificate, own: Any = None) -> str:
    with pytest.raises(Refused) as error:
        join(world, key, *chain, own=own)
    assert error.value.code == "InvalidCertificateException"
    return str(error.value.args[1])


def test_a_revoked_certificate_joins_no_host(world: World, ca: JoinAuthority) -> None:
    key, other = p256(), p256()
    gone, good = ca.issue(key), ca.issue(other)
    take(world, ca, ca.revoking(gone))
    assert "was revoked" in refused(world, key, gone)
    assert "was revoked" in refused(world, key, gone, own=key)  # though its key would be the host's
    assert join(world, other, good).id.startswith("i-")
    take(world, ca, ca.revoking(number=2))  # the authority has taken it back
    assert join(world, key, gone).id.startswith("i-")


def test_lists_of_authorities_below(world: World, ca: JoinAuthority) -> None:
    below = JoinAuthority(NOW, "Issuing CA", ca)
    lowest = JoinAuthority(NOW, "Lowest CA", below)
    key = p256()
    leaf = lowest.issue(key)
    with pytest.raises(ListRefused, match="did not sign"):
        take(world, ca, lowest.revoking(leaf))
    with pytest.raises(ListRefused, match="did not sign"):
        take(world, ca, lowest.revoking(leaf), lowest)  # what is between is missing
    take(world, ca, ca.revoking())
    join(world, p256_key := p256(), lowest.issue(p256_key), lowest.certificate, below.certificate)
    take(world, ca, lowest.revoking(leaf), lowest, below)
    assert "was revoked" in refused(world, key, leaf, lowest.certificate, below.certificate)
    second = p256()
    take(world, ca, ca.revoking(below.certificate, number=2))
    assert "was revoked" in refused(world, second, lowest.issue(second), lowest.certificate, below.certificate)


def test_a_list_that_is_out_of_date_lets_nobody_of_its_issuer_in(
    world: World, ca: JoinAuthority, clock: Clock
) -> None:
    key = p256()
    good = ca.issue(key)
    take(world, ca, ca.revoking())
    clock.now += 31 * DAY
    assert "out of date since 2027-02-14" in refused(world, key, good)
    take(world, ca, ca.revoking(number=2, days=(30, 60)))
    assert join(world, key, good).id.startswith("i-")


def test_another_authority_has_lists_of_its_own(world: World, ca: JoinAuthority) -> None:
    other = JoinAuthority(NOW)  # of the same name
    add(world, "other", other)
    key = p256()
    with pytest.raises(ListRefused, match="did not sign"):
        take(world, ca, other.revoking())
    gone = ca.issue(key)
    take(world, other, other.revoking(gone), name="other")
    assert join(world, key, gone).id.startswith("i-")


def test_the_newest_list_is_kept(world: World, ca: JoinAuthority) -> None:
    take(world, ca, ca.revoking(number=7))
    take(world, ca, ca.revoking(number=7))  # the same once more
    with pytest.raises(ListRefused, match="a newer list"):
        take(world, ca, ca.revoking(number=6))
    take(world, ca, ca.revoking(number=8, days=(-1, 30)))  # the number says which is newer
    take(world, ca, ca.revoking(number=None))
    with pytest.raises(ListRefused, match="a newer list"):
        take(world, ca, ca.revoking(number=None, days=(-2, 30)))
    with world.store.transaction() as transaction:
        assert [each.number for each in join_lists.lists(transaction, "company")] == [None]


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"days": (-10, -1)}, "out of date since"),
        ({"days": (1, 30)}, "of the future"),
        ({"extensions": [(x509.DeltaCRLIndicator(1), True)]}, "delta CRL"),
        ({"extensions": [(x509.UnrecognizedExtension(ObjectIdentifier("1.2.3"), b"\x05\x00"), True)]}, "1.2.3"),
        ({"extensions": [(x509.UnrecognizedExtension(ObjectIdentifier("1.2.3"), b"\x05\x00"), False)]}, ""),
        ({"number": 1 << 168}, "too long"),
    ],
)
def test_lists_that_are_not_taken(world: World, ca: JoinAuthority, more: dict[str, Any], why: str) -> None:
    data = ca.revoking(**more)
    if why:
        with pytest.raises(ListRefused, match=why):
            take(world, ca, data)
    else:
        assert take(world, ca, data).number == "1"


def test_what_is_no_list(world: World, ca: JoinAuthority, monkeypatch: pytest.MonkeyPatch) -> None:
    good = ca.revoking()
    for data in (b"", b"-----BEGIN X509 CRL-----\nAA==\n", good[:-1], ca.der):
        with pytest.raises(ListRefused, match="could not be read"):
            take(world, ca, data)
    with pytest.raises(ListRefused, match="did not sign"):
        take(world, ca, good[:-1] + bytes((good[-1] ^ 1,)))
    silent = JoinAuthority(NOW, lists=False)  # its certificate does not let it sign lists
    add(world, "silent", silent)
    with pytest.raises(ListRefused, match="did not sign"):
        take(world, silent, silent.revoking(), name="silent")
    monkeypatch.setattr(join_lists, "MOST_BYTES", 10)
    with pytest.raises(ListRefused, match="too large"):
        take(world, ca, good)


def _point(**scope: bool) -> x509.IssuingDistributionPoint:
    every = ("only_contains_user_certs", "only_contains_ca_certs", "indirect_crl", "only_contains_attribute_certs")
    return x509.IssuingDistributionPoint(
        full_name=[x509.DirectoryName(named("here"))],
        relative_name=None,
        only_some_reasons=None,
        **{each: scope.get(each, False) for each in every},
    )


def test_lists_of_parts_stand_side_by_side(world: World, ca: JoinAuthority) -> None:
    with pytest.raises(ListRefused, match="others' certificates"):
        take(world, ca, ca.revoking(extensions=[(_point(indirect_crl=True), True)]))
    key = p256()
    gone = ca.issue(key)
    take(world, ca, ca.revoking(gone, extensions=[(_point(only_contains_user_certs=True), True)]))
    take(world, ca, ca.revoking(number=2, extensions=[(_point(only_contains_ca_certs=True), True)]))
    assert "was revoked" in refused(world, key, gone)
    with world.store.transaction(write=True) as transaction:
        assert len(join_lists.lists(transaction, "company")) == 2
        assert joining.remove_authority(transaction, "company")
        assert join_lists.lists(transaction, "company") == []


def test_a_list_with_a_weak_digest(world: World, ca: JoinAuthority) -> None:
    with pytest.raises(ListRefused, match="SHA-256"):
        take(world, ca, ca.revoking(digest=SHA224()))


def test_hosts_that_joined_before_are_found(world: World, ca: JoinAuthority) -> None:
    first, second, third = p256(), p256(), p256()
    certificates = [ca.issue(each) for each in (first, second, third)]
    with_its_key = join(world, first, certificates[0], own=first)
    with_another = join(world, second, certificates[1])
    join(world, third, certificates[2])
    made = take(world, ca, ca.revoking(*certificates[:2]))
    with world.store.transaction(write=True) as transaction:
        assert join_lists.hosts_on(transaction, made) == {with_its_key.id: True, with_another.id: False}
        for each in (with_its_key, with_another):
            found = instances.find(transaction, each.id)
            assert found is not None
            instances.terminate(transaction, found, NOW)
        instances.forget_terminated(transaction, NOW + DAY)
        assert join_lists.hosts_on(transaction, made) == {}
