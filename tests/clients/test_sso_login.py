"""`aws sso login` of the distribution's `aws` CLI, and boto3's refresh of what it left, against a running server.

The CLI is too old for AWS_ENDPOINT_URL, so it finds AWS's names at a proxy of this test, as a company's DNS would have
it; a person with a browser is played by an opener that keeps cookies and fills in forms.
"""

from __future__ import annotations

import datetime
import html
import json
import re
import shutil
import socket
import ssl
import subprocess
import sys
import threading
import urllib.parse
import urllib.request
from collections.abc import Iterator
from http.cookiejar import CookieJar
from pathlib import Path
from typing import Any

import boto3
import botocore.session
import pytest
from clients_support import ServerProcess, clean_environment
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

import bailiwick.wire

AWS = shutil.which("aws", path="/usr/bin:/usr/local/bin")
HOSTS = ("oidc.us-east-1.amazonaws.com", "portal.sso.us-east-1.amazonaws.com")
PASSWORD = "correct Horse 1"
START = "https://company.awsapps.com/start"
CONFIG = """[sso-session company]
sso_start_url = {start}
sso_region = us-east-1
sso_registration_scopes = sso:account:access

[profile audit]
sso_session = company
sso_account_id = {account}
sso_role_name = Auditor
region = us-east-1
"""


class Proxy:
    """What stands where AWS's names lead: it ends TLS and hands everything to the server."""

    def __init__(self, port: int, folder: Path) -> None:
        self.port, self.authority = port, folder / "authority.pem"
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(*_certificate(folder))
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.address = f"http://127.0.0.1:{self.listening.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self.listening.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        asked = b""
        while b"\r\n\r\n" not in asked:
            asked += connection.recv(4096)
        assert asked.startswith(b"CONNECT ")
        assert asked.split()[1].decode().partition(":")[0] in HOSTS
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        outer = self.context.wrap_socket(connection, server_side=True)
        inner = socket.create_connection(("127.0.0.1", self.port))
        threading.Thread(target=_pump, args=(outer, inner), daemon=True).start()
        _pump(inner, outer)

    def close(self) -> None:
        self.listening.close()


def _pump(source: socket.socket, target: socket.socket) -> None:
    try:
        while data := source.recv(65536):
            target.sendall(data)
    except OSError:
        pass
    finally:
        target.close()


def _certificate(folder: Path) -> tuple[Path, Path]:
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.datetime.now(datetime.UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(now - datetime.timedelta(1))
    builder = builder.not_valid_after(now + datetime.timedelta(1))
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(host) for host in HOSTS]), False)
    builder = builder.add_extension(x509.BasicConstraints(True, None), True)
    paths = folder / "authority.pem", folder / "key.pem"
    paths[0].write_bytes(builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM))
    paths[1].write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return paths


class Browser:
    """Cookies, and forms filled in."""

    def __init__(self) -> None:
        self.opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))
        self.url = self.text = ""

    def get(self, url: str) -> str:
        return self._read(urllib.request.Request(url))

    def send(self, action: str, **fields: str) -> str:
        """Send the form of the present page that goes to `action`."""
        form = next(each for each in re.findall(r"(?s)<form.*?</form>", self.text) if f'action="{action}"' in each)
        hidden = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', form)
        values = {name: html.unescape(value) for name, value in hidden} | fields
        target = urllib.parse.urljoin(self.url, action)
        origin = "{0.scheme}://{0.netloc}".format(urllib.parse.urlsplit(self.url))
        request = urllib.request.Request(target, urllib.parse.urlencode(values).encode(), {"Origin": origin})
        return self._read(request)

    def _read(self, request: urllib.request.Request) -> str:
        with self.opener.open(request, timeout=30) as answer:
            self.url, self.text = answer.url, answer.read().decode()
        return self.text


@pytest.fixture
def company(server: ServerProcess) -> str:
    """A person with a password who may be an Auditor; returns the account."""
    core = botocore.session.get_session()
    core.get_component("data_loader").search_paths.append(str(Path(bailiwick.wire.__file__).parent / "extras"))
    session = boto3.Session(botocore_session=core, region_name="us-east-1", **server.root())
    admin, store = (session.client(name, endpoint_url=server.endpoint) for name in ("sso-admin", "identitystore"))
    instance = admin.create_instance(Name="company")["InstanceArn"]
    in_store = admin.describe_instance(InstanceArn=instance)["IdentityStoreId"]
    user = store.create_user(
        IdentityStoreId=in_store,
        UserName="alice",
        DisplayName="Alice",
        Name={"FamilyName": "Liddell", "GivenName": "Alice"},
    )["UserId"]
    store.update_password(IdentityStoreId=in_store, UserId=user, Password=PASSWORD)
    made = admin.create_permission_set(InstanceArn=instance, Name="Auditor")["PermissionSet"]["PermissionSetArn"]
    both = {"InstanceArn": instance, "PermissionSetArn": made}
    admin.attach_managed_policy_to_permission_set(**both, ManagedPolicyArn="arn:aws:iam::aws:policy/SecurityAudit")
    account = str(session.client("sts", endpoint_url=server.endpoint).get_caller_identity()["Account"])
    admin.create_account_assignment(
        **both, TargetId=account, TargetType="AWS_ACCOUNT", PrincipalType="USER", PrincipalId=user
    )
    return account


@pytest.fixture
def proxy(server: ServerProcess, tmp_path: Path) -> Iterator[Proxy]:
    made = Proxy(server.port, tmp_path)
    yield made
    made.close()


def environment(home: Path, **more: str) -> dict[str, str]:
    return clean_environment(HOME=str(home), AWS_CONFIG_FILE=str(home / "config"), **more)


def logged_in(proxy: Proxy, home: Path) -> None:
    """Run the CLI, and let it in as the person would."""
    assert AWS is not None
    process = subprocess.Popen(
        [AWS, "sso", "login", "--profile", "audit", "--no-browser"],
        env=environment(home, HTTPS_PROXY=proxy.address, AWS_CA_BUNDLE=str(proxy.authority), PYTHONUNBUFFERED="1"),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    told = ""
    for line in process.stdout:
        told += line
        if "user_code=" in line:
            break
    found = re.search(r"http\S+user_code=\S+", told)
    assert found is not None, told
    browser = Browser()
    assert "Sign in with Identity Center" in browser.get(found[0])
    assert "asks to act for you" in browser.send("/signin/center", user="alice", password=PASSWORD)
    assert "was let in" in browser.send("/device", answer="allow")
    rest = process.communicate(timeout=60)[0]
    assert process.returncode == 0, told + rest


@pytest.mark.clients
@pytest.mark.slow
@pytest.mark.skipif(AWS is None, reason="no `aws` CLI version 2 on this machine")
def test_the_cli_logs_in_and_boto3_refreshes(
    server: ServerProcess, company: str, proxy: Proxy, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "config").write_text(CONFIG.format(start=START, account=company))
    logged_in(proxy, home)
    assert AWS is not None
    done = subprocess.run(
        [AWS, "sts", "get-caller-identity", "--profile", "audit", "--endpoint-url", server.endpoint],
        env=environment(
            home,
            HTTPS_PROXY=proxy.address,
            NO_PROXY="127.0.0.1",
            AWS_CA_BUNDLE=str(proxy.authority),
        ),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["Arn"].endswith("/alice")
    _refresh(server, home)


def _refresh(server: ServerProcess, home: Path) -> None:
    """boto3 finds the CLI's token, which is about to end, and gets another one."""
    (path,) = [each for each in (home / ".aws/sso/cache").glob("*.json") if "accessToken" in each.read_text()]
    token: dict[str, Any] = json.loads(path.read_text())
    soon = datetime.datetime.now(datetime.UTC) + datetime.timedelta(minutes=5)
    path.write_text(json.dumps({**token, "expiresAt": soon.strftime("%Y-%m-%dT%H:%M:%SZ")}))
    for cached in (home / ".aws/cli/cache").glob("*.json"):
        cached.unlink()
    program = "import boto3; print(boto3.Session(profile_name='audit').client('sts').get_caller_identity()['Arn'])"
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=environment(home, AWS_ENDPOINT_URL=server.endpoint),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stdout.strip().endswith("/alice"), done.stderr
    fresh = json.loads(path.read_text())
    assert fresh["accessToken"] != token["accessToken"]
    assert fresh["refreshToken"] != token["refreshToken"]
