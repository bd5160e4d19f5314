"""What each AWS managed policy is for, and how ours is written: the source of directory/managed_policies.json.

Names, paths, default versions and (where known) dates are AWS's: facts/iam.md section 7, and the reference pages of
the policies. What they allow is ours: from the access levels of the action data (`reads`, `lists`, `audits`), and
from what each is for. A policy is (description, statements); `VERSIONS` and `DATES` hold what is not the rule.
"""

from __future__ import annotations

import re
from typing import Any

from bailiwick.analysis import actions
from bailiwick.analysis.actions import Action

Statement = dict[str, Any]
DATA = actions.load()

# Read actions that give away what opens more than they show: a session, a secret, a password.
_GIVES_AWAY = re.compile(
    r"(SecretValue|Credentials?|CredentialsForIdentity|AuthorizationToken|SessionToken|FederationToken|BearerToken"
    r"|AccessToken|AuthToken|OAuth2Token|DelegatedAccessToken|WebIdentityToken|PasswordData|Password|PrivateKey"
    r"|ApiKeySecret|ConnectionToken|SigningKey|CallerIdentityToken|GetDataAccess|ForOrganization|StreamKey|"
    r"DecryptedAPIKey|OpenIdToken|OpenIdTokenForDeveloperIdentity|ResourceApiKey|ResourceOauth2Token|ResourcePaymentToken|"
    r"GetToken|ChatToken|UserPoolClientSecrets|BluinsightsUrl)$"
)
_READING = re.compile(
    r"(Batch(Get|Describe|Check|List|Is|Read)|Describe|Get|List|Lookup|Search|Query|Scan|Select|View|Check|Count|"
    r"Estimate|Evaluate|Filter|Find|GenerateCredentialReport|GenerateServiceLastAccessed|Head|Is[A-Z]|PartiQLSelect|"
    r"Preview|GET$|Read|Retrieve|Show|Simulate|Test|Validate|Verify|Detect|Discover|Export|StartQuery|StopQuery|Conditional)"
)
_CONFIGURATION = re.compile(
    r"(Account|Acl|Access|Alias|Analyzer|Attribute|Audit|Authorizer|Backup|Block|Certificate|Cluster|Compliance|Config|"
    r"Cors|Credential|Detail|Distribution|Domain|Encryption|Endpoint|Feature|Finding|Function|Gateway|Grant|Group|Identity|"
    r"Inventory|Key|Lifecycle|Location|Logging|Membership|Metadata|Monitor|Notification|Options|Organization|Ownership|"
    r"Permission|Pipeline|Plan|Polic|Profile|Protection|Provider|Public|Quota|Replication|Repository|Resource|Retention|"
    r"Role|Rotation|Rule|Scan|Schedule|Security|Settings?|Stage|Standard|Status|Summary|Tag|Template|Trail|Trust|User|"
    r"Version|Vpc|Web|Website|Zone)"
)
_CONTENT = re.compile(
    r"^(Get|BatchGet)(Object|ObjectVersion|ObjectTorrent|ObjectVersionTorrent|Item|Items|Records?|LogEvents|LogRecord|QueryResults|Message|Messages|Document|DocumentText|"
    r"Image|Clip|Media|File|Content|Blob|Thumbnail|Parameter|Parameters|ParametersByPath|ParameterHistory|Transcript|"
    r"Recording|Artifact|Data|Value|Row|Rows|Table(Data|Row)s?|SessionLog|ConsoleOutput|ConsoleScreenshot)$"
)


def allow(*names: str, on: str | list[str] = "*", when: dict[str, Any] | None = None) -> Statement:
    """Allow actions, on resources, under conditions."""
    made: Statement = {"Effect": "Allow", "Action": list(names) if len(names) > 1 else names[0], "Resource": on}
    return made | ({"Condition": when} if when else {})


def deny(*names: str, on: str | list[str] = "*", when: dict[str, Any] | None = None) -> Statement:
    """Deny actions, on resources, under conditions."""
    return allow(*names, on=on, when=when) | {"Effect": "Deny"}


def full(*services: str) -> Statement:
    """Allow everything of these services."""
    return allow(*(f"{service}:*" for service in services))


def reads(*services: str) -> list[str]:
    """The patterns of what reads of these services (of all, if none is named) and gives no key to more."""
    return _chosen(services, _is_reading)


def lists(*services: str) -> list[str]:
    """The patterns of what lists and describes, without content."""
    return _chosen(services, lambda each: _is_reading(each) and (each.level == "List" or _begins(each, "Describe")))


def audits(*services: str) -> list[str]:
    """The patterns of what shows how things are set up, and not what they hold."""
    return _chosen(services, _is_auditing)


def passing(*services: str, role: str = "*") -> Statement:
    """Allow a role to be passed to these services."""
    hosts = [f"{service}.amazonaws.com" for service in services]
    return allow("iam:PassRole", on=role, when={"StringEquals": {"iam:PassedToService": hosts}})


def linking(*services: str) -> Statement:
    """Allow the service-linked roles of these services to be made."""
    hosts = [f"{service}.amazonaws.com" for service in services]
    return allow("iam:CreateServiceLinkedRole", when={"StringEquals": {"iam:AWSServiceName": hosts}})


def _begins(action: Action, *words: str) -> bool:
    return action.name.startswith(words)


def _is_reading(action: Action) -> bool:
    reading = action.level in ("Read", "List") and _READING.match(action.name) is not None
    names_only = action.level == "List" and action.name != "ListUserPoolClientSecrets"
    return reading and (names_only or not _GIVES_AWAY.search(action.name))


def _is_auditing(action: Action) -> bool:
    if not _is_reading(action) or _CONTENT.match(action.name):
        return False
    if action.level == "List" or _begins(action, "Describe", "List", "GenerateCredential", "GenerateService"):
        return True
    return _begins(action, "Get", "BatchGet", "Simulate") and _CONFIGURATION.search(action.name) is not None


def _chosen(services: tuple[str, ...], wanted: Any) -> list[str]:
    found: list[str] = []
    for prefix in services or sorted(DATA.services):
        service = DATA.service(prefix)
        assert service is not None, f"no service has the prefix {prefix}"
        names = [each.name for each in service.actions.values()]
        picked = {each.name for each in service.actions.values() if wanted(each)}
        found += [f"{prefix}:{pattern}" for pattern in sorted(patterns(picked, names))]
    return found


def patterns(picked: set[str], names: list[str]) -> set[str]:
    """The fewest prefixes, cut between words, that cover `picked` and nothing else of `names`."""
    found: set[str] = set()
    for name in sorted(picked):
        if any(each.endswith("*") and name.startswith(each[:-1]) for each in found):
            continue
        words = re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z0-9]+|[^A-Za-z]+", name)
        for count in range(1, len(words)):
            prefix = "".join(words[:count])
            under = {each for each in names if each.lower().startswith(prefix.lower())}  # as policies match
            if under <= picked and len(under) > 1:
                found.add(prefix + "*")
                break
        else:
            found.add(name)
    stars = tuple(each[:-1] for each in found if each.endswith("*"))
    return {each for each in found if each.endswith("*") or not each.startswith(stars)}
