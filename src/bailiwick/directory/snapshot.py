"""From a credential to a Caller: who it is, and every policy that applies, compiled and kept in memory.

A long-term key is looked up. A session is inside its token; what is looked up for it is the present state of the
role or user behind it, so that deleted means dead at once. Source: facts/policy.md sections 3.1 and 3.2.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

import msgspec
from sqlalchemy import BindParameter, bindparam, select

from bailiwick.api import Caller, Environment, Transaction
from bailiwick.core import arn
from bailiwick.core.bounded import Bounded, Use
from bailiwick.core.errors import ExpiredToken, SealError, UnknownToken
from bailiwick.core.formats import Session, SessionKind, open_session
from bailiwick.core.policy.compile import compile_policy
from bailiwick.core.policy.layer import Attached, Layer
from bailiwick.core.policy.question import Principal, PrincipalKind, Value
from bailiwick.directory import (
    access_keys,
    accounts,
    entities,
    forwarding,
    instances,
    organizations,
    service_principals,
    tables,
)
from bailiwick.directory.entities import Role, User
from bailiwick.directory.usage import Usage
from bailiwick.store import Store

_INVALID = "The security token included in the request is invalid."
_EXPIRED = "The security token included in the request is expired"
_TOKENS_REMEMBERED = 20_000
_TOKEN_BYTES = 24 << 20
_EVERYTHING = Layer(
    [
        Attached(
            compile_policy('{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}'),
            "everything",
            None,
        )
    ]
)


_inline, _attachment, _membership = tables.inline_policy.c, tables.attachment.c, tables.membership.c
_OWNERS: BindParameter[list[str]] = bindparam("owners", expanding=True)
_INLINE = (
    select(_inline.name, _inline.document)
    .where(_inline.owner_id.in_(_OWNERS))
    .order_by(_inline.owner_id, _inline.name)
)
_ATTACHED = (
    select(_attachment.policy_arn)
    .where(_attachment.owner_id.in_(_OWNERS))
    .order_by(_attachment.policy_arn)
    .distinct()
)
_GROUPS = select(_membership.group_id).where(_membership.user_id == bindparam("user"))


class Credential(msgspec.Struct, frozen=True):
    """What proves a caller, and who that is. Its repr shows no secret."""

    secret: str
    caller: Caller
    weight: int = 2_500

    def __repr__(self) -> str:
        return f"Credential({self.caller.arn})"


class Known(msgspec.Struct, frozen=True):
    """Whom several keys and sessions stand for, and the topics that this rests on: made once for all of them."""

    caller: Caller
    topics: tuple[str, ...]

    @property
    def weight(self) -> int:
        """About how many bytes it holds."""
        return 4_000 + sum(_bytes_of(layer) for layer in (self.caller.identity, self.caller.boundary))


class Directory:
    """The directory as the pipeline asks it: whose credential is this?"""

    def __init__(self, store: Store, environment: Environment) -> None:
        self.store = store
        self.environment = environment
        self.usage = Usage()
        self._opened: Bounded[str, Session] = Bounded(
            _TOKENS_REMEMBERED, most=_TOKEN_BYTES, parts=lambda token, _: ((token, 1_000 + 4 * len(token)),)
        )

    @property
    def remembered(self) -> Use:
        """How the memory of opened session tokens is used."""
        return self._opened.use

    def credential(self, access_key_id: str, token: str | None, now: float) -> Credential:
        """The secret and the caller of a credential.

        `token` is the session token that came with the key. Raises UnknownToken for a key or token that is
        unknown, inactive or of someone who is gone, ExpiredToken for a session that has ended.
        """
        if token is None:
            return self.store.remembered("credential", access_key_id, lambda tx: self._long_term(tx, access_key_id))
        session = self._session(access_key_id, token, now)
        return self.store.remembered("session", token, lambda tx: self._of_session(tx, session))

    def acting(self, service: Caller, source_arn: str | None, account: str | None) -> Caller:
        """A service as it acts for a resource (an ARN) of an account, either of which may be None."""
        key = service.access_key_id, source_arn, account
        return self.store.remembered(
            "acting", key, lambda tx: service_principals.acting_for(tx, service, source_arn, account)
        )

    def _session(self, access_key_id: str, token: str, now: float) -> Session:
        session = self._opened.get(token)
        if session is None:
            try:
                session = open_session(self.environment.ring, token)
            except SealError:
                raise UnknownToken(_INVALID) from None
            self._opened.put(token, session)
        if session.access_key_id != access_key_id:
            raise UnknownToken(_INVALID)
        if session.expires <= now:
            raise ExpiredToken(_EXPIRED)
        return session

    def _long_term(self, transaction: Transaction, key_id: str) -> tuple[Credential, Iterable[str]]:
        topic = f"access-key:{key_id}"
        key = entities.access_key(transaction, key_id)
        if key is None or key.status != "Active":
            raise UnknownToken(_INVALID)  # and nothing is remembered: strangers must not fill the memory
        known = self._known(transaction, "user", key.owner_id)
        caller, topics = known.caller, known.topics
        caller, more = self._governed(transaction, msgspec.structs.replace(caller, access_key_id=key_id))
        secret = access_keys.open_secret(self.environment.ring, key)
        return Credential(secret, caller), dict.fromkeys((topic, *topics, *more))

    def _of_session(self, transaction: Transaction, session: Session) -> tuple[Credential, Iterable[str]]:
        known = self._known(transaction, "role" if session.kind is SessionKind.ROLE else "user", session.principal)
        base, topics = known.caller, known.topics
        if session.via:
            topics = (*topics, *forwarding.check_alive(transaction, session))
        if session.said:
            topics = (*topics, *instances.check_alive(transaction, session))
        if session.kind is SessionKind.FEDERATED and base.kind is PrincipalKind.ROOT:
            base = msgspec.structs.replace(base, identity=_EVERYTHING)  # what it passes on is what limits it
        filtered, more = self._session_policies(transaction, session)
        caller, above = self._governed(transaction, _in_session(base, session, filtered))
        weight = 5_000 + _bytes_of(filtered) + sum(map(len, session.policies))
        return Credential(session.secret, caller, weight), dict.fromkeys((*topics, *more, *above))

    # INVARIANT: nobody leaves this class who did not go through `_governed`; these are beginnings of callers.
    # -- Who --------------------------------------------------------------------------------------------

    def _known(self, transaction: Transaction, kind: str, principal_id: str) -> Known:
        """The user, root user or role of this id, from memory if it is there. Raises UnknownToken."""

        def load(reading: Transaction) -> tuple[Known, Iterable[str]]:
            find = self._role if kind == "role" else self._user_or_root
            known = Known(*find(reading, principal_id))
            return known, known.topics

        return transaction.remember(kind, principal_id, load)

    def _user_or_root(self, transaction: Transaction, owner_id: str) -> tuple[Caller, tuple[str, ...]]:
        if owner_id.isdigit():
            topics = (f"account:{owner_id}", f"principal:{owner_id}")
            if accounts.find(transaction, owner_id) is None:
                raise UnknownToken(_INVALID)
            return _root(self.environment.partition, owner_id), topics
        if owner_id.startswith(service_principals.PREFIX):
            return self._service(transaction, owner_id)
        user = entities.user_by_id(transaction, owner_id)
        if user is None:
            raise UnknownToken(_INVALID)
        return self._user(transaction, user)

    def _service(self, transaction: Transaction, service_id: str) -> tuple[Caller, tuple[str, ...]]:
        service = service_principals.by_id(transaction, service_id)
        if service is None:
            raise UnknownToken(_INVALID)
        return service_principals.caller(self.environment.partition, service), (f"principal:{service_id}",)

    def _user(self, transaction: Transaction, user: User) -> tuple[Caller, tuple[str, ...]]:
        groups = [row.group_id for row in transaction.all(_GROUPS, {"user": user.id})]
        layer, topics = self._identity(transaction, [user.id, *groups])
        boundary, more = self._boundary(transaction, user.boundary)
        user_arn = user.arn(self.environment.partition)
        principal = Principal(
            PrincipalKind.USER, self.environment.partition, user.account, user_arn, user_arn, user.id
        )
        tags = entities.tags(transaction, user.id)
        context = {**_context(principal, user.id, "User", tags), "aws:username": user.name}
        caller = Caller(
            principal,
            user_id=user.id,
            name=user.name,
            tags=tags,
            context=context,
            identity=layer,
            boundary=boundary,
        )
        return caller, (f"principal:{user.id}", *(f"group:{group}" for group in groups), *topics, *more)

    def _role(self, transaction: Transaction, role_id: str) -> tuple[Caller, tuple[str, ...]]:
        """A role as the base of its sessions; the session's own ARN comes with the session."""
        role: Role | None = entities.role_by_id(transaction, role_id)
        if role is None:
            raise UnknownToken(_INVALID)
        layer, topics = self._identity(transaction, [role.id])
        boundary, more = self._boundary(transaction, role.boundary)
        role_arn = role.arn(self.environment.partition)
        principal = Principal(
            PrincipalKind.ROLE, self.environment.partition, role.account, role_arn, role_arn, role.id
        )
        tags = entities.tags(transaction, role.id)
        caller = Caller(principal, user_id=role.id, name=role.name, tags=tags, identity=layer, boundary=boundary)
        return caller, (f"principal:{role.id}", *topics, *more)

    def _governed(self, transaction: Transaction, caller: Caller) -> tuple[Caller, tuple[str, ...]]:
        """The caller as a member of its account's organization: its condition keys, and what binds it.

        Service-linked roles are bound by no service control policy. Raises UnknownToken if the account was closed.
        """
        topic = f"account:{caller.account}"
        place = organizations.membership(transaction, self.environment.partition, caller.account)
        if place is None:
            return caller, (topic,)
        if not place.active:
            raise UnknownToken(_INVALID)
        organization: dict[str, Value] = {
            "aws:principalorgid": place.organization,
            "aws:principalorgpaths": (place.path,),
        }
        governed = msgspec.structs.replace(
            caller,
            context={**caller.context, **organization},
            membership=place,
            scps=() if arn.is_service_linked(caller.principal.issuer_arn) else place.scps,
        )
        return governed, (topic, f"organization:{place.organization}")

    # -- What applies -------------------------------------------------------------------------------------

    def _identity(self, transaction: Transaction, owners: list[str]) -> tuple[Layer, list[str]]:
        """The inline and attached policies of a user and her groups, or of a role, as one layer."""
        found = [
            Attached(compile_policy(row.document), row.name, None)
            for row in transaction.all(_INLINE, {"owners": owners})
        ]
        attached, topics = self._managed(
            transaction, [row.policy_arn for row in transaction.all(_ATTACHED, {"owners": owners})]
        )
        return Layer([*found, *attached]), topics

    def _boundary(self, transaction: Transaction, policy_arn: str | None) -> tuple[Layer | None, list[str]]:
        """The permissions boundary as a layer; one whose policy is gone allows nothing."""
        if policy_arn is None:
            return None, []
        attached, topics = self._managed(transaction, [policy_arn])
        return Layer(attached), topics

    def _session_policies(self, transaction: Transaction, session: Session) -> tuple[Layer | None, list[str]]:
        """The session policies as a layer; None for a session that was given none and is not filtered."""
        if not (session.policies or session.policy_arns or session.kind is SessionKind.FEDERATED):
            return None, []
        inline = [Attached(compile_policy(text), "session policy", None) for text in session.policies]
        attached, topics = self._managed(transaction, session.policy_arns)
        if session.kind is SessionKind.ROOT:
            inline = [*_EVERYTHING.policies]  # the policy of a task only denies what does not belong to it
        return Layer([*inline, *attached]), topics

    def _managed(self, transaction: Transaction, arns: Iterable[str]) -> tuple[list[Attached], list[str]]:
        found, topics = [], []
        for policy_arn in arns:
            topics.append(f"policy:{policy_arn}")
            policy = entities.policy(transaction, policy_arn)
            if policy is not None:
                text = entities.default_document(transaction, policy)
                found.append(Attached(compile_policy(text), policy.name, policy_arn))
        return found, topics


def _bytes_of(layer: Layer | None) -> int:
    return 0 if layer is None else layer.weight


def _root(partition: str, account: str) -> Caller:
    root = arn.root(partition, account)
    principal = Principal(PrincipalKind.ROOT, partition, account, root, root, account)
    return Caller(principal, user_id=account, context=_context(principal, account, "Account", {}))


def _in_session(base: Caller, session: Session, policies: Layer | None) -> Caller:
    """The base caller as it is within a session: its name, its tags, its further condition keys."""
    principal, user_id, name, kind = base.principal, base.user_id, base.name, "User"
    if session.kind is SessionKind.ROLE:
        session_arn = arn.assumed_role(principal.partition, principal.account, base.name or "", session.name)
        principal = msgspec.structs.replace(principal, arn=session_arn)
        user_id, name, kind = f"{base.user_id}:{session.name}", None, "AssumedRole"
    elif session.kind is SessionKind.FEDERATED:
        federated = f"arn:{principal.partition}:sts::{principal.account}:federated-user/{session.name}"
        principal = msgspec.structs.replace(
            principal, kind=PrincipalKind.FEDERATED, arn=federated, issuer_arn=principal.arn
        )
        user_id, name, kind = f"{principal.account}:{session.name}", None, "FederatedUser"
    elif principal.kind is PrincipalKind.ROOT:
        name, kind = None, "Account"
    tags = _overlaid(base.tags, session.tags)
    context = _context(principal, user_id, kind, tags)
    if session.kind is SessionKind.FEDERATED:
        context["aws:principalarn"] = principal.arn
    if name is not None:
        context["aws:username"] = name
    if session.kind is not SessionKind.FORWARDED:
        context["aws:tokenissuetime"] = datetime.fromtimestamp(session.issued, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    if session.kind in (SessionKind.SESSION, SessionKind.FORWARDED):
        context["aws:multifactorauthpresent"] = "true" if session.mfa is not None else "false"
    if session.kind is SessionKind.ROOT:
        context["aws:assumedroot"] = "true"
    if session.source_identity:
        context["aws:sourceidentity"] = session.source_identity
    context |= session.said
    if session.federated_provider:
        context["aws:federatedprovider"] = session.federated_provider
    return msgspec.structs.replace(
        base,
        principal=principal,
        user_id=user_id,
        name=name,
        access_key_id=session.access_key_id,
        session=session,
        tags=tags,
        context=context,
        session_policy=policies,
    )


def _overlaid(tags: dict[str, str], over: dict[str, str]) -> dict[str, str]:
    """Tags with others laid over them; a key is the same in any letter case."""
    taken = {key.lower() for key in over}
    return {**{key: value for key, value in tags.items() if key.lower() not in taken}, **over}


def _context(principal: Principal, user_id: str, kind: str, tags: dict[str, str]) -> dict[str, Value]:
    """The condition keys of a caller that are the same at every request."""
    return {
        "aws:principalarn": principal.issuer_arn,
        "aws:principalaccount": principal.account,
        "aws:principaltype": kind,
        "aws:userid": user_id,
        "aws:principalisawsservice": "false",
        **{f"aws:principaltag/{key.lower()}": value for key, value in tags.items()},
    }
