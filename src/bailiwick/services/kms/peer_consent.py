"""Whether a key here becomes the primary that a peer moves here: who asked there must be allowed it here as well.

What is hers (identity policies, boundary, session) was asked where she is, for the ARN of the key here. What is of
this deployment is asked here: the key policy, and the control policies of the account. The users and roles that a
policy here names are those of this deployment; she is none of them, but of the account. So a key policy lets her in
that leaves it to the account, or to everyone, and her condition keys are those that her deployment tells.
Source: AWS KMS API Reference, UpdatePrimaryRegion, "Required permissions".
"""

from __future__ import annotations

import msgspec

from bailiwick.api import Call, Target, Transaction
from bailiwick.authorization import context_of
from bailiwick.core import arn
from bailiwick.core.policy.compile import compile_policy
from bailiwick.core.policy.decide import Layers, decide
from bailiwick.core.policy.layer import Attached, Layer
from bailiwick.core.policy.question import Decision, Principal, PrincipalKind, Question, Rule, Value
from bailiwick.directory import organizations
from bailiwick.services.kms.families import Family
from bailiwick.services.kms.peer_messages import MOST_KEYS, MOST_LETTERS, MOST_VALUES, Mover
from bailiwick.services.kms.records import Key

_ACTION = "kms:UpdatePrimaryRegion"
_VOUCHED = Layer(
    [Attached(compile_policy('{"Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}'), "told by a peer")]
)


def asking(call: Call) -> str:
    """The caller, as a peer is told of her, in JSON. Condition keys with values that are too long are left out."""
    context = context_of(call, Target(account=call.account))
    told = [(key, value) for key, value in context.items() if _fits(key, value)]
    return msgspec.json.encode(Mover(arn=call.caller.arn, context=dict(told[:MOST_KEYS]))).decode()


def mover(found: Family) -> Mover | None:
    """Who had the primary moved where it is; None if it was no call."""
    return None if found.moved_by is None else msgspec.json.decode(found.moved_by, type=Mover)


def decision(transaction: Transaction, who: Mover, key: Key, peer: str) -> Decision:
    """Whether a key here may become the primary. `peer` is the name of the deployment that told."""
    partition = arn.parse(key.arn).partition
    place = organizations.membership(transaction, partition, key.account)
    stranger = f"arn:{partition}:kms:{key.region}:{key.account}:peer/{peer}"
    principal = Principal(PrincipalKind.USER, partition, key.account, stranger, stranger, stranger)
    context: dict[str, Value] = {
        **{name: value for name, value in who.context.items() if _is_of_call(name)},
        **key.context,
        "kms:multiregionkeytype": "REPLICA",
        "aws:principalaccount": key.account,
        "aws:resourceaccount": key.account,
        "kms:calleraccount": key.account,
        "kms:primaryregion": key.region,
    }
    if place is not None:
        context |= {"aws:resourceorgid": place.organization, "aws:resourceorgpaths": (place.path,)}
    layers = Layers(
        identity=_VOUCHED,
        resource=key.layer,
        scps=place.scps if place is not None else (),
        rcps=place.rcps if place is not None else (),
    )
    return decide(Question(principal, _ACTION, key.arn, key.account, context, Rule.KEY), layers)


def _is_of_call(key: str) -> bool:
    """Whether a condition key is of a call, and so for the peer to tell; what a key here is like is not."""
    return key == "kms:viaservice" or not key.startswith(("aws:resource", "kms:"))


def _fits(key: str, value: Value) -> bool:
    values = (value,) if isinstance(value, str) else value
    return len(values) <= MOST_VALUES and all(len(each) <= MOST_LETTERS for each in (key, *values))
