"""The company's directory: name and password are shown to it, and it gives roles (docs/federation/ldap.md)."""

from __future__ import annotations

from bailiwick.api import ApiError, Throttling
from bailiwick.core.identity import Grants, Identity
from bailiwick.core.message import Response
from bailiwick.directory.web_sessions import Kind
from bailiwick.outside import People
from bailiwick.services.signin import choosing
from bailiwick.services.signin.choosing import Choice, Offer, Remembered
from bailiwick.services.signin.passwords import TOO_OFTEN, WRONG, sheet
from bailiwick.web.events import FAILED, HIDDEN, happened
from bailiwick.web.guard import own_path
from bailiwick.web.pages import Pages
from bailiwick.web.visit import Visit

pages = Pages()


class _Noting:
    """The directory, with what it said last."""

    def __init__(self, inner: People) -> None:
        self._inner = inner
        self.said: Remembered | None = None

    def identify(self, user: str, password: str) -> Identity | None:
        """As the directory."""
        found = self._inner.identify(user, password)
        if found is not None:
            self.said = Remembered(found, self._inner.granted(found))
        return found

    def granted(self, identity: Identity) -> Grants:
        """As the directory has just said."""
        return self.said.grants if self.said else self._inner.granted(identity)


@pages.post("/signin/directory", open=True)
def sign_in(visit: Visit) -> Response:
    """A name and a password of the directory."""
    directory = visit.environment.people
    if directory is None:
        return visit.redirect("/signin", bad="No directory is set up here.")
    name, noting = visit.form.get("username", "").strip(), _Noting(directory)
    members = {"LDAPUsername": name, "LDAPPassword": visit.form.get("password", "")}
    try:
        proven = visit.proven("sts", "AssumeRoleWithLDAPIdentity", noting, **members)
    except ApiError as refused:
        if noting.said is not None:
            return choosing.refused(visit, str(refused))
        identity = {"type": "LDAPUser", "principalId": "", "userName": HIDDEN}
        happened(visit, "ConsoleLogin", account=None, identity=identity, failure=FAILED)
        if isinstance(refused, Throttling):
            return sheet(visit, "directory", status=429, wrong=TOO_OFTEN, username=name)
        unable = type(refused).__name__.startswith("IDPCommunication")
        return sheet(visit, "directory", status=401, wrong=str(refused) if unable else WRONG, username=name)
    assert noting.said is not None, "the directory was asked"
    roles = [role for role in noting.said.grants.roles if "*" not in role]
    choices = [Choice(role, {"RoleArn": role}) for role in dict.fromkeys(roles)]
    # Of the password nothing is kept while she chooses: the directory's word stands in for it.
    common = {"LDAPUsername": name, "LDAPPassword": "shown"}
    offered = Offer(
        "AssumeRoleWithLDAPIdentity",
        Kind.LDAP,
        common,
        choices,
        own_path(visit.form.get("next")),
        Remembered(noting.said.identity, noting.said.grants),
    )
    return choosing.offer(visit, offered, proven)
