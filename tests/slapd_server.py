"""A real OpenLDAP of one's own: Debian's slapd as an ordinary process on loopback, with a database in a folder."""

from __future__ import annotations

import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path

from ldap_fake import Authority
from ports import free_port

SUFFIX = "dc=example,dc=org"
PEOPLE, GROUPS = f"ou=people,{SUFFIX}", f"ou=groups,{SUFFIX}"
_FOLDERS = ("/usr/lib/ldap", "/usr/lib/openldap", "/usr/lib64/openldap")

_CONFIGURATION = """
{schemas}
pidfile {folder}/pid
modulepath {modules}
moduleload back_mdb
moduleload memberof
TLSCertificateFile {certificate}
TLSCertificateKeyFile {key}
TLSCACertificateFile {authority}
database mdb
suffix "{suffix}"
rootdn "cn=root,{suffix}"
rootpw root
directory {folder}/db
overlay memberof
access to attrs=userPassword by anonymous auth by * none
access to * by dn.exact="cn=bailiwick,{suffix}" read by self read by * none
"""

_ENTRIES = f"""
dn: {SUFFIX}
objectClass: dcObject
objectClass: organization
dc: example
o: Example

dn: {PEOPLE}
objectClass: organizationalUnit
ou: people

dn: {GROUPS}
objectClass: organizationalUnit
ou: groups

dn: cn=bailiwick,{SUFFIX}
objectClass: organizationalRole
objectClass: simpleSecurityObject
cn: bailiwick
userPassword: service secret

dn: uid=alice,{PEOPLE}
objectClass: inetOrgPerson
uid: alice
cn: Alice
sn: A
mail: alice@example.org
departmentNumber: R&D
userPassword: alice's password

dn: uid=bob,{PEOPLE}
objectClass: inetOrgPerson
uid: bob
cn: Bob
sn: B
userPassword: bob's password

dn: uid=o\\2c(x)*,{PEOPLE}
objectClass: inetOrgPerson
uid: o,(x)*
cn: odd
sn: O
userPassword: odd

dn: cn=admins,{GROUPS}
objectClass: groupOfNames
cn: admins
member: uid=alice,{PEOPLE}

dn: cn=staff,{GROUPS}
objectClass: groupOfNames
cn: staff
member: uid=alice,{PEOPLE}
member: uid=bob,{PEOPLE}
member: uid=o\\2c(x)*,{PEOPLE}
"""


def missing() -> str | None:
    """Why there can be no OpenLDAP here; None if there can."""
    if _slapd() is None:
        return "no OpenLDAP here: slapd was not found"
    if _modules() is None:
        return "no OpenLDAP here: slapd's modules were not found"
    return None


def _slapd() -> str | None:
    return shutil.which("slapd", path="/usr/sbin:/usr/bin:/usr/libexec:/usr/local/libexec")


def _modules() -> Path | None:
    return next((Path(each) for each in _FOLDERS if list(Path(each).glob("memberof*"))), None)


class SlapdServer:
    """One server, with plain LDAP that knows StartTLS on `port`, and LDAPS on `secure_port`."""

    def __init__(self) -> None:
        program, modules = _slapd(), _modules()
        assert program is not None
        assert modules is not None
        self._program = program
        self.folder = Path(tempfile.mkdtemp(prefix="bailiwick-ldap-"))
        (self.folder / "db").mkdir()
        self.authority = Authority(self.folder)
        certificate, key = self.authority.issue("localhost", "127.0.0.1")
        schemas = [f"include /etc/ldap/schema/{name}.schema" for name in ("core", "cosine", "inetorgperson")]
        self._configuration = self.folder / "slapd.conf"
        self._configuration.write_text(
            _CONFIGURATION.format(
                schemas="\n".join(schemas),
                folder=self.folder,
                modules=modules,
                certificate=certificate,
                key=key,
                authority=self.authority.file,
                suffix=SUFFIX,
            )
        )
        self.port, self.secure_port = free_port(), free_port()
        self._process: subprocess.Popen[bytes] | None = None
        add = [program, "-T", "add", "-f", str(self._configuration)]
        subprocess.run(add, input=_ENTRIES.encode(), check=True, capture_output=True)
        self.start()

    def start(self) -> None:
        urls = f"ldap://127.0.0.1:{self.port}/ ldaps://127.0.0.1:{self.secure_port}/"
        command = [self._program, "-d", "0", "-f", str(self._configuration), "-h", urls]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, cwd="/")
        deadline = time.monotonic() + 20
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.secure_port), 1).close()
                return
            except OSError:
                assert self._process.poll() is None, (self.folder / "log").read_text()
                assert time.monotonic() < deadline, "slapd did not come up"
                time.sleep(0.01)  # until another process has opened its port

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(20)
            self._process = None

    def close(self) -> None:
        self.stop()
        shutil.rmtree(self.folder)
