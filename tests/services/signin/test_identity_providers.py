"""People whom an identity provider sends: SAML, OpenID Connect, the company's directory; and who is not let in."""

from __future__ import annotations

import base64
import ipaddress
import json
import time
import zlib
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from cryptography.hazmat.primitives import serialization

from bailiwick.core.identity import Grants, Identity
from bailiwick.federation.fetch import Fetcher
from bailiwick.services.signin import configured
from bailiwick.services.signin.configured import Configured, Oidc, Saml
from bailiwick.web.events import DoorEvent
from issuer import Issuer, rsa_key, signed
from person import Page, Person
from saml_idp import IdentityProvider
from saml_idp import rsa_key as saml_rsa_key
from world import ACCOUNT, World

ROLES = [f"arn:aws:iam::{ACCOUNT}:role/{name}" for name in ("Developer", "Auditor")]
SAML = f"arn:aws:iam::{ACCOUNT}:saml-provider/idp"


class Company:
    """A directory of one person."""

    def __init__(self, *roles: str) -> None:
        self.roles = roles

    def identify(self, user: str, password: str) -> Identity | None:
        return Identity("company", "uid=dora", "dora") if (user, password) == ("dora", "right") else None

    def granted(self, identity: Identity) -> Grants:
        return Grants(roles=self.roles)


def made(people: Any = None, *providers: Oidc | Saml, issuer: str = "") -> World:
    world = World(people=people)
    world.options = {  # type: ignore[attr-defined]
        "signin": Configured(providers),
        "fetcher": Fetcher([ipaddress.ip_network("127.0.0.0/8")]),
    }
    federated = [SAML, f"arn:aws:iam::{ACCOUNT}:ldap-provider/company"]
    iam = world.client("iam")
    if issuer:
        answer = iam.create_open_id_connect_provider(Url=issuer, ClientIDList=["bailiwick"])
        federated.append(answer["OpenIDConnectProviderArn"])
    actions = [f"sts:AssumeRoleWith{kind}" for kind in ("SAML", "WebIdentity", "LDAPIdentity")]
    trust = {"Effect": "Allow", "Action": actions, "Principal": {"Federated": federated}}
    for role in ROLES:
        document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
        iam.create_role(RoleName=role.rpartition("/")[2], AssumeRolePolicyDocument=document)
    return world


def logins(world: World) -> list[tuple[str, str]]:
    events = [each for each in world.events if isinstance(each, DoorEvent) and each.name == "ConsoleLogin"]
    return [(each.failure or "in", each.caller.arn if each.caller else "") for each in events]


# -- SAML -----------------------------------------------------------------------------------------------------


@pytest.fixture
def idp() -> IdentityProvider:
    return IdentityProvider()


@pytest.fixture
def saml_world(idp: IdentityProvider) -> World:
    world = made(None, Saml(title="IdP", provider=SAML, sign_in="https://idp.example.org/sso?a=b", name="idp"))
    world.client("iam").create_saml_provider(Name="idp", SAMLMetadataDocument=idp.metadata)
    return world


def send(world: World, idp: IdentityProvider, path: str = "/saml", relay: str = "", **said: Any) -> Page:
    said = {"roles": [(ROLES[0], SAML)], **said}
    response = base64.b64encode(idp.response(world.now(), **said)).decode()
    fields = {"SAMLResponse": response, "RelayState": relay}
    return Person(world).post(path, fields, origin="https://idp.example.org")


@pytest.mark.parametrize("path", ["/saml", "/static/saml"])
def test_an_assertion_lets_in(saml_world: World, idp: IdentityProvider, path: str) -> None:
    page = send(saml_world, idp, path, relay="/signin/sessions")
    assert page.url == "/signin/sessions"
    assert logins(saml_world) == [("in", f"arn:aws:sts::{ACCOUNT}:assumed-role/Developer/alice@example.org")]


def test_an_address_of_one_provider(saml_world: World, idp: IdentityProvider) -> None:
    uuid = saml_world.client("iam").get_saml_provider(SAMLProviderArn=SAML)["SAMLProviderUUID"]
    address = f"http://127.0.0.1:4577/saml/acs/{uuid}"
    assert send(saml_world, idp, f"/saml/acs/{uuid}", recipient=address, destination=address).url == "/console"
    assert send(saml_world, idp, "/saml/acs/else").status == 403


def test_an_encrypted_assertion(idp: IdentityProvider) -> None:
    world, key = made(), saml_rsa_key("sp")
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    world.client("iam").create_saml_provider(
        Name="idp",
        SAMLMetadataDocument=idp.metadata,
        AssertionEncryptionMode="Required",
        AddPrivateKey=pem.decode(),
    )
    assert send(world, idp, encrypt=key.public_key()).url == "/console"
    assert send(world, idp).status == 403  # which it must be


@pytest.mark.parametrize("relay", ["https://evil.example/", "//evil.example", "/\\evil.example"])
def test_relay_state_leads_nowhere_else(saml_world: World, idp: IdentityProvider, relay: str) -> None:
    assert send(saml_world, idp, relay=relay).url == "/console"


def test_of_several_roles_one_is_chosen(saml_world: World, idp: IdentityProvider) -> None:
    page = send(saml_world, idp, roles=[(role, SAML) for role in ROLES])
    assert page.url == "/signin/roles"
    fields = page.form("/signin/roles")["fields"]
    assert page.person.post("/signin/roles", {**fields, "roleIndex": ROLES[1].replace("Auditor", "Admin")}).url == (
        "/signin"
    )
    page = page.person.post("/signin/roles", {**fields, "roleIndex": ROLES[1]})
    assert "assumed-role/Auditor" in page.words


def test_an_assertion_is_good_for_one_session(saml_world: World, idp: IdentityProvider) -> None:
    response = base64.b64encode(idp.response(saml_world.now(), roles=[(ROLES[0], SAML)])).decode()
    pages = [Person(saml_world).post("/saml", {"SAMLResponse": response}) for _ in range(2)]
    assert [page.status for page in pages] == [200, 403]


@pytest.mark.parametrize(
    "said",
    [
        {"sign": "none"},
        {"recipient": "https://elsewhere.example/saml"},
        {"audience": "urn:else"},
        {"issuer": "https://else.example"},
        {"issued": 1.0},
        {"roles": []},
        {"roles": [(ROLES[0].replace("Developer", "Nowhere"), SAML)]},
        {"roles": [(ROLES[0], SAML.replace("idp", "else"))]},
    ],
    ids=lambda said: ",".join(said),
)
def test_other_assertions_do_not(saml_world: World, idp: IdentityProvider, said: dict[str, Any]) -> None:
    page = send(saml_world, idp, **said)
    assert page.status == 403
    assert page.person.get("/console", follow=False).status == 303
    assert [failure for failure, _ in logins(saml_world)] == ["Failed authentication"]


@pytest.mark.parametrize("text", ["", "!", "PHg+", base64.b64encode(b"<x/>").decode(), "A" * 500_000])
def test_what_is_no_response(saml_world: World, text: str) -> None:
    assert Person(saml_world).post("/saml", {"SAMLResponse": text}).status == 403


def test_another_providers_signature(saml_world: World) -> None:
    from cryptography.hazmat.primitives.asymmetric import rsa

    other = IdentityProvider(key=rsa.generate_private_key(65537, 2048))
    assert send(saml_world, other).status == 403


def test_a_sign_in_that_begins_here(saml_world: World) -> None:
    page = Person(saml_world).get("/signin/saml?provider=idp&next=/signin/sessions", follow=False)
    parts = urlsplit(page.headers["location"])
    assert (parts.netloc, parts.path) == ("idp.example.org", "/sso")
    fields = {name: values[0] for name, values in parse_qs(parts.query).items()}
    assert (fields["a"], fields["RelayState"]) == ("b", "/signin/sessions")
    request = zlib.decompress(base64.b64decode(fields["SAMLRequest"]), -15).decode()
    assert "AuthnRequest" in request
    assert "urn:amazon:webservices" in request
    assert "no such provider" in Person(saml_world).get("/signin/saml?provider=else").words


def test_our_metadata(saml_world: World) -> None:
    page = Person(saml_world).get("/static/saml-metadata.xml")
    assert 'entityID="urn:amazon:webservices"' in page.text
    assert 'Location="http://127.0.0.1:4577/saml"' in page.text


# -- OpenID Connect -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def issuer() -> Iterator[Issuer]:
    with Issuer() as running:
        yield running


@pytest.fixture
def oidc_world(issuer: Issuer) -> World:
    found = {"issuer": issuer.url, "jwks_uri": f"{issuer.url}/keys"}
    found |= {"authorization_endpoint": f"{issuer.url}/authorize", "token_endpoint": f"{issuer.url}/token"}
    issuer.raw["/.well-known/openid-configuration"] = (200, {}, json.dumps(found).encode())
    issuer.raw["/keys"] = (200, {}, json.dumps({"keys": issuer.keys}).encode())
    provider = Oidc(
        title="ID",
        account=ACCOUNT,
        issuer=issuer.url,
        client_id="bailiwick",
        roles=[ROLES[0]],
        name="id",
        secret="s",
    )
    return made(None, provider, issuer=issuer.url)


def begun(world: World) -> tuple[Person, dict[str, str]]:
    person = Person(world)
    page = person.get("/signin/oidc?provider=id&next=/signin/sessions", follow=False)
    asked = parse_qs(urlsplit(page.headers["location"]).query)
    return person, {name: values[0] for name, values in asked.items()}


def back(person: Person, issuer: Issuer, asked: dict[str, str], state: str = "", **claims: Any) -> Page:
    now = int(time.time())
    said = {"iss": issuer.url, "sub": "carol", "aud": "bailiwick", "email": "carol@example.org"}
    said = {**said, "iat": now, "exp": now + 300, "nonce": asked["nonce"], **claims}
    token = {"id_token": signed({k: v for k, v in said.items() if v is not None}, rsa_key())}
    issuer.raw["/token"] = (200, {}, json.dumps(token).encode())
    return person.get(f"/signin/oidc/callback?code=abc&state={state or asked['state']}")


def test_an_id_token_lets_in(oidc_world: World, issuer: Issuer) -> None:
    person, asked = begun(oidc_world)
    assert asked["code_challenge_method"] == "S256"
    assert asked["redirect_uri"] == "http://127.0.0.1:4577/signin/oidc/callback"
    page = back(person, issuer, asked)
    assert page.url == "/signin/sessions"
    assert logins(oidc_world) == [("in", f"arn:aws:sts::{ACCOUNT}:assumed-role/Developer/carol@example.org")]


def test_the_token_names_further_roles(oidc_world: World, issuer: Issuer) -> None:
    person, asked = begun(oidc_world)
    page = back(person, issuer, asked, roles=[ROLES[1], "arn:aws:iam::999999999999:role/Other"])
    assert page.url == "/signin/roles"
    assert "Other" not in page.words
    page = person.post("/signin/roles", {**page.form("/signin/roles")["fields"], "roleIndex": ROLES[1]})
    assert "assumed-role/Auditor/carol@example.org" in page.words


@pytest.mark.parametrize(
    "wrong",
    [{"nonce": "else"}, {"nonce": None}, {"aud": "else"}, {"exp": 1}, {"iss": "https://else.example"}],
    ids=lambda wrong: ",".join(wrong),
)
def test_other_tokens_do_not(oidc_world: World, issuer: Issuer, wrong: dict[str, Any]) -> None:
    person, asked = begun(oidc_world)
    assert back(person, issuer, asked, **wrong).status == 403
    assert person.get("/console", follow=False).status == 303


def test_a_sign_in_of_another_browser(oidc_world: World, issuer: Issuer) -> None:
    _, asked = begun(oidc_world)
    assert "not begun here" in back(Person(oidc_world), issuer, asked).words
    person, asked = begun(oidc_world)
    assert "not begun here" in back(person, issuer, asked, state="else").words
    person, asked = begun(oidc_world)
    assert back(person, issuer, asked).url == "/signin/sessions"
    assert "not begun here" in back(person, issuer, asked).words  # a second time


def test_a_refusal_of_the_provider(oidc_world: World) -> None:
    person, asked = begun(oidc_world)
    assert person.get(f"/signin/oidc/callback?error=access_denied&state={asked['state']}").status == 403


def test_a_provider_that_does_not_answer(oidc_world: World, issuer: Issuer) -> None:
    issuer.raw["/.well-known/openid-configuration"], before = (500, {}, b""), len(issuer.asked)
    for _ in range(3):
        assert "cannot be asked" in Person(oidc_world).get("/signin/oidc?provider=id").words
    assert len(issuer.asked) - before == 1, "it is left alone for a moment"


# -- The company's directory ----------------------------------------------------------------------------------


def test_a_person_of_the_directory() -> None:
    world = made(Company(ROLES[0]))
    page = Person(world).get("/signin?kind=directory")
    assert page.send("/signin/directory", username="dora", password="wrong").status == 401
    assert logins(world) == [("Failed authentication", "")]
    page = page.send("/signin/directory", username="dora", password="right")
    assert "assumed-role/Developer/dora" in page.words


def test_she_chooses_a_role_without_a_password() -> None:
    world = made(Company(*ROLES))
    page = Person(world).get("/signin?kind=directory")
    page = page.send("/signin/directory", username="dora", password="right")
    page = page.person.post("/signin/roles", {**page.form("/signin/roles")["fields"], "roleIndex": ROLES[1]})
    assert "assumed-role/Auditor/dora" in page.words
    with world.store.transaction() as transaction:
        from sqlalchemy import select

        from bailiwick.directory.credential_tables import web_step

        assert transaction.all(select(web_step)) == []


def test_a_person_without_a_role() -> None:
    page = Person(made(Company())).get("/signin?kind=directory")
    assert page.send("/signin/directory", username="dora", password="right").status == 403


def test_guesses_at_the_directory_are_slowed_down() -> None:
    page = Person(made(Company(ROLES[0]))).get("/signin?kind=directory")
    answers = [page.send("/signin/directory", username="dora", password="wrong").status for _ in range(7)]
    assert answers == [401] * 5 + [429] * 2


# -- The file -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[a", "is not TOML"),
        ('[a]\nkind = "ldap"', "Invalid value"),
        ('[a]\nkind = "saml"\ntitle = "x"', "provider"),
        ('[a]\nkind = "saml"\ntitle = "x"\nprovider = "x"', "provider"),
        (f'[a]\nkind = "saml"\ntitle = "x"\nprovider = "{SAML}"\nelse = 1', "else"),
        (f'[a]\nkind = "saml"\ntitle = "x"\nprovider = "{SAML}"\nname = "b"', "name"),
    ],
)
def test_what_is_wrong_with_the_file_is_told(tmp_path: Any, text: str, told: str) -> None:
    file = tmp_path / "signin.toml"
    file.write_text(text)
    with pytest.raises(configured.BadFile, match=told):
        configured.read(file, lambda path: b"")


def test_the_file_names_providers(tmp_path: Any) -> None:
    file = tmp_path / "signin.toml"
    file.write_text(
        '[id]\nkind = "oidc"\ntitle = "ID"\naccount = "123456789012"\nissuer = "https://id.example"\n'
        'client_id = "b"\nclient_secret_file = "/s"\n'
        f'[idp]\nkind = "saml"\ntitle = "IdP"\nprovider = "{SAML}"\n'
    )
    found = configured.read(file, lambda path: b" secret\n")
    assert [each.name for each in found.providers] == ["id", "idp"]
    named = found.named("id")
    assert isinstance(named, Oidc)
    assert named.secret == "secret"
    assert "secret" not in repr(named)
