"""A person with Chromium at a real server: every way in, and what she does with her own credentials.

With --pictures the screens of the docs are made.
"""

from __future__ import annotations

import base64
import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, urlencode, urlsplit

import pytest
from browser_support import Tab, chromium
from clients_support import ServerProcess, clean_environment, policy

from bailiwick.core import totp
from issuer import public, rsa_key, signed
from ldap_fake import FakeDirectory, mapping
from ldap_fake import company as directory_entries
from saml_idp import IdentityProvider

pytestmark = pytest.mark.clients

PASSWORD, OTHER = "Correct-Horse-1", "Another-Horse-2"


class Providers:
    """The sites of a SAML and an OpenID Connect provider, which let everybody in as Carol."""

    def __init__(self) -> None:
        self.saml = IdentityProvider("https://idp.example.org/saml")
        self.endpoint = ""
        self.roles: list[tuple[str, str]] = []
        self.asked: dict[str, Any] = {}
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                parts = urlsplit(self.path)
                fields = {name: values[0] for name, values in parse_qs(parts.query).items()}
                if parts.path == "/.well-known/openid-configuration":
                    names = {"authorization_endpoint": "authorize", "token_endpoint": "token", "jwks_uri": "keys"}
                    found = {name: f"{outer.issuer}/{path}" for name, path in names.items()}
                    return self._json({"issuer": outer.issuer, **found})
                if parts.path == "/keys":
                    return self._json({"keys": [public(rsa_key())]})
                if parts.path == "/authorize":
                    outer.asked = fields
                    back = urlencode({"code": "c0de", "state": fields["state"]})
                    self.send_response(302)
                    self.send_header("location", f"{fields['redirect_uri']}?{back}")
                    return self.end_headers()
                return self._html(outer.assertion(fields.get("RelayState", "")))

            def do_POST(self) -> None:
                form = parse_qs(self.rfile.read(int(self.headers["content-length"])).decode())
                assert form["code"] == ["c0de"]
                outer.asked["verifier"] = form["code_verifier"][0]
                now = int(time.time())
                claims = {"iss": outer.issuer, "sub": "carol", "aud": "bailiwick", "email": "carol@example.org"}
                claims |= {"iat": now, "exp": now + 600, "nonce": outer.asked["nonce"]}
                return self._json({"id_token": signed(claims, rsa_key())})

            def _json(self, found: Any) -> None:
                self._send("application/json", json.dumps(found).encode())

            def _html(self, text: str) -> None:
                self._send("text/html", text.encode())

            def _send(self, kind: str, body: bytes) -> None:
                self.send_response(200)
                self.send_header("content-type", kind)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.issuer = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def assertion(self, relay: str) -> str:
        """The page with which a SAML provider sends somebody to us."""
        response = self.saml.response(
            time.time(), roles=self.roles, recipient=f"{self.endpoint}/saml", destination=f"{self.endpoint}/saml"
        )
        encoded = base64.b64encode(response).decode()
        return (
            f'<!doctype html><title>idp</title><form method="post" action="{self.endpoint}/saml">'
            f'<input type="hidden" name="SAMLResponse" value="{encoded}">'
            f'<input type="hidden" name="RelayState" value="{relay}"><button>Go</button></form>'
        )

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


class House:
    """A server with an account in which everything is set up, and a browser."""

    def __init__(self, folder: Path, browser: Any, pictures: bool) -> None:
        self.providers = Providers()
        self.people = FakeDirectory(directory_entries())
        self.browser, self.pictures = browser, pictures
        account = "123456789012"
        role = f"arn:aws:iam::{account}:role/Developer"
        auditor = role.replace("Developer", "Auditor")
        rule = f'[[rule]]\ngroup = "staff"\nroles = ["{role}", "{auditor}"]'
        ldap = mapping(folder, self.people.url(), rest=rule)
        (folder / "signin.toml").write_text(
            f"""
[example]
kind = "oidc"
title = "Example ID"
account = "{account}"
issuer = "{self.providers.issuer}"
client_id = "bailiwick"
roles = ["{role}"]
[idp]
kind = "saml"
title = "Example SAML"
provider = "arn:aws:iam::{account}:saml-provider/idp"
sign_in = "{self.providers.issuer}/saml"
"""
        )
        arguments = ("--account-id", account, "--ldap", str(ldap))
        self.server = ServerProcess(
            folder / "data", arguments=(*arguments, "--signin", str(folder / "signin.toml"))
        )
        self.server.arguments += ("--public-url", f"http://localhost:{self.server.port}")
        self.server.start()
        self.account = account
        self.endpoint = self.providers.endpoint = f"http://localhost:{self.server.port}"
        self.iam = self.server.client("iam")
        self._set_up(role)

    def _set_up(self, role: str) -> None:
        iam, account = self.iam, self.account
        federated = {
            "Effect": "Allow",
            "Action": [
                "sts:AssumeRoleWithSAML",
                "sts:AssumeRoleWithWebIdentity",
                "sts:AssumeRoleWithLDAPIdentity",
                "sts:TagSession",
            ],
            "Principal": {
                "Federated": [
                    f"arn:aws:iam::{account}:saml-provider/idp",
                    iam.create_open_id_connect_provider(Url=self.providers.issuer, ClientIDList=["bailiwick"])[
                        "OpenIDConnectProviderArn"
                    ],
                    f"arn:aws:iam::{account}:ldap-provider/company",
                ]
            },
        }
        iam.create_saml_provider(Name="idp", SAMLMetadataDocument=self.providers.saml.metadata)
        own = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": account}}
        for name in ("Developer", "Auditor"):
            iam.create_role(RoleName=name, AssumeRolePolicyDocument=policy(federated, own))
        provider = f"arn:aws:iam::{account}:saml-provider/idp"
        self.providers.roles = [
            (f"arn:aws:iam::{account}:role/{name}", provider) for name in ("Developer", "Auditor")
        ]
        iam.create_account_alias(AccountAlias="example-corp")
        iam.update_account_password_policy(MinimumPasswordLength=10, AllowUsersToChangePassword=True)
        for name in ("alice", "bob", "eve", "frank", "grace"):
            iam.create_user(UserName=name)
            iam.create_login_profile(UserName=name, Password=PASSWORD)
            iam.attach_user_policy(UserName=name, PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess")
        iam.update_login_profile(UserName="eve", PasswordResetRequired=True)

    def tab(self, **options: Any) -> Tab:
        return Tab(self.browser, self.endpoint, self.pictures, **options)

    def sign_in(self, tab: Tab, name: str, password: str = PASSWORD) -> None:
        tab.go("/signin?account=example-corp")
        tab.fill("User name", name)
        tab.fill("Password", password)
        tab.press("Sign in")

    def close(self) -> None:
        self.server.stop()
        self.providers.close()
        self.people.close()


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> Iterator[House]:
    with chromium() as browser:
        made = House(tmp_path_factory.mktemp("house"), browser, bool(pytestconfig.getoption("--pictures")))
        yield made
        made.close()


def test_a_user_signs_in_and_out(house: House) -> None:
    with house.tab() as tab:
        tab.go("/")
        assert tab.path == "/signin?next=%2Fconsole"
        tab.looks_good("signin")
        house.sign_in(tab, "bob", "wrong")
        assert "incorrect" in tab.words
        tab.looks_good()
        house.sign_in(tab, "bob")
        assert tab.path == "/console"
        tab.looks_good()
        tab.page.locator("details.who summary").click()
        tab.looks_good("signin-menu")
        tab.press("Sign out")
        assert "You are signed out" in tab.words
        tab.looks_good()
        tab.go("/console")
        assert tab.path.startswith("/signin")


def test_it_works_without_javascript(house: House) -> None:
    with house.tab(java_script_enabled=False) as tab:
        house.sign_in(tab, "bob")
        assert tab.path == "/console"
        tab.page.locator("details.who summary").click()
        tab.page.locator("#theme").select_option("dark")
        tab.press("Set")
        assert tab.page.locator("html").get_attribute("data-theme") == "dark"
        tab.page.locator("details.who summary").click()
        tab.press("Sign out")
        assert "You are signed out" in tab.words


def test_an_authenticator_app_is_enrolled_and_asked_for(house: House) -> None:
    with house.tab() as tab:
        house.sign_in(tab, "alice")
        tab.go("/signin/credentials")
        tab.looks_good("credentials")
        tab.fill("Name of the device", "phone")
        tab.press("Authenticator app")
        tab.looks_good("credentials-app")
        tab.open("I cannot scan it")
        seed = base64.b32decode(tab.page.locator("#seed").inner_text())
        here = totp.step_at(time.time())  # an app whose clock is behind, so that nobody waits for the next code
        tab.fill("First code", totp.code(seed, here - 6))
        tab.fill("The code after it", totp.code(seed, here - 5))
        tab.press("Add the app")
        assert "authenticator app is registered" in tab.words
        tab.looks_good()
    with house.tab() as tab:
        house.sign_in(tab, "alice")
        assert tab.path == "/signin/mfa"
        tab.looks_good("signin-mfa")
        tab.fill("Code of your authenticator app", totp.code(seed, totp.step_at(time.time()) - 4))
        tab.press("Continue")
        assert tab.path == "/console"


def test_a_passkey_is_registered_and_asked_for(house: House) -> None:
    with house.tab() as tab:
        tab.authenticator()
        house.sign_in(tab, "grace")
        tab.go("/signin/credentials")
        tab.fill("Name of the device", "laptop")
        tab.press("Passkey or security key")
        tab.looks_good("credentials-passkey")
        tab.press("Register it")
        assert "passkey or security key is registered" in tab.words
        tab.page.locator("details.who summary").click()
        tab.press("Sign out")
        house.sign_in(tab, "grace")
        assert tab.path == "/signin/mfa"
        tab.looks_good("signin-passkey")
        tab.press("Use a passkey or security key")
        assert tab.path == "/console"
        tab.go("/signin/credentials")
        tab.press("Remove")
        assert "yours no more" in tab.words


def test_a_password_must_be_changed(house: House) -> None:
    with house.tab() as tab:
        house.sign_in(tab, "eve")
        assert tab.path == "/signin/password"
        tab.looks_good("signin-password")
        tab.fill("Old password", PASSWORD)
        tab.page.locator("#new_password").fill(OTHER)
        tab.page.locator("#new_password_again").fill(OTHER)
        tab.press("Change the password and sign in")
        assert tab.path == "/console"
        tab.go("/signin/credentials")
        tab.press("Create access key")
        tab.looks_good("credentials-new-key")
        assert "only time that the secret is shown" in tab.words


def test_root_signs_in(house: House) -> None:
    for arguments, text in (
        (("set-email", "root@example.org"), ""),
        (("reset-password", "--password-file", "-"), f"{PASSWORD}\n"),
    ):
        command = [sys.executable, "-m", "bailiwick", "root", *arguments, "--data", str(house.server.data)]
        subprocess.run(command, input=text, text=True, check=True, capture_output=True, env=clean_environment())
    with house.tab() as tab:
        tab.go("/signin?kind=root")
        tab.looks_good("signin-root")
        tab.fill("E-mail address", "root@example.org")
        tab.fill("Password", PASSWORD)
        tab.press("Sign in")
        assert tab.path == "/console"
        tab.go("/signin/credentials")
        assert "root user" in tab.words
        tab.looks_good()


def test_a_role_is_switched_to(house: House) -> None:
    with house.tab() as tab:
        house.sign_in(tab, "frank")
        link = {"account": house.account, "roleName": "Auditor", "displayName": "Audit", "color": "B3152F"}
        tab.go(f"/switchrole?{urlencode(link)}")
        tab.looks_good("switch-role")
        tab.press("Switch role")
        assert "assumed-role/Auditor/frank" in tab.words
        tab.go("/signin/sessions")
        tab.looks_good("sessions")
        tab.press("Use")
        assert "user/frank" in tab.words


def test_a_broker_made_with_boto3(house: House) -> None:
    keys = house.iam.create_access_key(UserName="frank")["AccessKey"]
    frank = {"aws_access_key_id": keys["AccessKeyId"], "aws_secret_access_key": keys["SecretAccessKey"]}
    sts = house.server.client("sts", frank)
    role = f"arn:aws:iam::{house.account}:role/Developer"
    found = sts.assume_role(RoleArn=role, RoleSessionName="broker")["Credentials"]
    names = {"sessionId": "AccessKeyId", "sessionKey": "SecretAccessKey", "sessionToken": "SessionToken"}
    session = json.dumps({name: found[member] for name, member in names.items()})
    with house.tab() as tab:
        asking = f"/federation?Action=getSigninToken&Session={quote(session)}"
        token = tab.context.request.get(asking).json()["SigninToken"]
        fields = {"Issuer": "https://broker.example.org", "Destination": f"{house.endpoint}/console"}
        tab.go("/federation?" + urlencode({"Action": "login", "SigninToken": token, **fields}))
        assert "assumed-role/Developer/broker" in tab.words


def test_saml_from_here_and_from_the_provider(house: House) -> None:
    with house.tab() as tab:
        tab.go("/signin")
        tab.follow("Example SAML")
        tab.press("Go")
        assert tab.path == "/signin/roles"
        tab.looks_good("signin-roles")
        tab.press("Auditor")
        assert "assumed-role/Auditor/alice@example.org" in tab.words
    with house.tab() as tab:
        tab.page.goto(f"{house.providers.issuer}/idp-initiated?RelayState=/signin/sessions")
        tab.press("Go")
        tab.press("Developer")
        assert tab.path == "/signin/sessions"


def test_openid_connect(house: House) -> None:
    with house.tab() as tab:
        tab.go("/signin?next=/signin/sessions")
        tab.follow("Example ID")
        assert tab.path == "/signin/sessions"
        assert "assumed-role/Developer/carol@example.org" in tab.words
        assert house.providers.asked["code_challenge_method"] == "S256"


def test_the_companys_directory(house: House) -> None:
    with house.tab() as tab:
        tab.go("/signin?kind=directory")
        tab.looks_good("signin-directory")
        tab.fill("User name", "alice")
        tab.fill("Password", "wrong")
        tab.press("Sign in")
        assert "incorrect" in tab.words
        tab.fill("Password", "alice's password")
        tab.press("Sign in")
        tab.press("Developer")
        assert "assumed-role/Developer/alice" in tab.words


def test_a_stranger_is_refused_kindly(house: House) -> None:
    with house.tab() as tab:
        tab.go("/signin/nowhere")
        assert "There is no such page" in tab.words
        tab.looks_good()
