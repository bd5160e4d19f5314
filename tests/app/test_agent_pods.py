"""The agent as a node of a cluster: what pods get for the tokens of their service accounts, and for how long."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import pytest

from bailiwick.app.agent import pods, programs
from bailiwick.app.agent.client import Client, Unreachable
from bailiwick.app.agent.containers import Containers
from bailiwick.app.agent.keeper import Unavailable
from bailiwick.app.agent.pods import Pods
from bailiwick.app.agent.programs import Cluster
from bailiwick.app.agent.state import AgentError, Credentials, new_key
from bailiwick.app.agent.web import Question
from bailiwick.core.message import Request

NOW = 1_795_492_800.0
ROLE = "arn:aws:sts::123456789012:assumed-role/till/eks-shop-till-1"


def token(name: str = "till", lasts: float = 86400) -> str:
    def part(value: Any) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    return f"{part({'alg': 'RS256'})}.{part({'sub': name, 'exp': NOW + lasts})}.c2ln"


class Node:
    """What the exchange needs of a keeper and of a client: both are this."""

    authority, path = "iam.example.org", "/"

    def __init__(self) -> None:
        self.now, self.revoked, self.asked = NOW, False, list[Request]()
        self.says: tuple[int, str, dict[str, Any]] | None = None
        self.away = False
        self.instance = SimpleNamespace(instance_id="i-1", region="eu-west-1")

    async def credentials(self, profile: str | None, delivery: str) -> Credentials:
        if self.revoked:
            raise Unavailable(404, "InstanceProfileNotFound", "There are no credentials.")
        assert (profile, delivery) == ("node", "2.0")
        return Credentials("a", "node", "arn:aws:iam::1:role/node", "ASIANODE", "s", "t", NOW, NOW + 9e9)

    def post(self, request: Request) -> tuple[int, str, dict[str, Any]]:
        self.asked.append(request)
        if self.away:
            raise Unreachable("the server cannot be reached")
        return self.says or (200, "", self.given())

    def given(self) -> dict[str, Any]:
        return {
            "credentials": {
                "accessKeyId": f"ASIA{len(self.asked)}",
                "secretAccessKey": "hidden",
                "sessionToken": "hidden",
                "expiration": self.now + 6 * 3600,
            },
            "assumedRoleUser": {"arn": ROLE, "assumeRoleId": "AROAX:x"},
            "podIdentityAssociation": {"associationId": "a-1", "associationArn": "arn"},
        }


Test = Callable[[Callable[[str], Awaitable[tuple[int, dict[str, Any]]]]], Awaitable[None]]


@pytest.fixture
def node() -> Node:
    return Node()


def running(node: Any, test: Test) -> None:
    """Run a test with what asks the agent for a token: the status and the members of the answer."""

    async def whole() -> None:
        exchange = Pods(node, node, Cluster("shop", "node"), now=lambda: node.now)
        served = Containers(node, (), exchange)
        assert served.serves("/v1/credentials")

        async def nobody() -> None:
            raise AssertionError("a pod's path does not ask who is at the other end")

        async def ask(shown: str) -> tuple[int, dict[str, Any]]:
            answer = await served.answer(Question("GET", "/v1/credentials", {"authorization": shown}, nobody))
            return answer.status, json.loads(answer.body)

        await test(ask)

    asyncio.run(whole())


def test_what_is_asked_and_what_a_pod_gets(node: Node) -> None:
    async def test(ask: Any) -> None:
        status, told = await ask(token())
        assert status == 200
        assert told == {
            "AccessKeyId": "ASIA1",
            "SecretAccessKey": "hidden",
            "Token": "hidden",
            "Expiration": "2026-11-24T10:00:00Z",
            "AccountId": "123456789012",
        }
        (asked,) = node.asked
        assert (asked.method, asked.path) == ("POST", "/clusters/shop/assume-role-for-pod-identity")
        assert json.loads(asked.body)["token"] == token()
        assert json.loads(asked.body)["instanceId"] == "i-1"
        signed = asked.header("authorization") or ""
        assert "Credential=ASIANODE/20261124/eu-west-1/eks-auth/aws4_request" in signed
        assert asked.header("x-amz-security-token") == "t"

    running(node, test)


def test_what_was_given_is_given_again_for_a_while(node: Node) -> None:
    async def test(ask: Any) -> None:
        first, other = (await ask(token()))[1], (await ask(token("other")))[1]
        assert (first["AccessKeyId"], other["AccessKeyId"]) == ("ASIA1", "ASIA2")
        node.now += pods.FRESH - 1
        assert (await ask(token()))[1] == first
        node.now += 2
        assert (await ask(token()))[1]["AccessKeyId"] == "ASIA3"

    running(node, test)


def test_while_the_server_is_away_what_is_there_serves_on(node: Node) -> None:
    async def test(ask: Any) -> None:
        short, long = token("short", lasts=1200), token("long")
        for each in (short, long):
            await ask(each)
        node.away, node.now = True, NOW + 600
        assert (await ask(long))[1]["AccessKeyId"] == "ASIA2"
        assert len(node.asked) == 3
        assert (await ask(short))[1]["AccessKeyId"] == "ASIA1"
        assert len(node.asked) == 3, "it is not asked at each request"
        assert (await ask(token("new")))[0] == 503
        node.now = NOW + 1199
        assert (await ask(short))[0] == 503, "the token has ended"
        assert (await ask(long))[0] == 200
        node.now = NOW + 6 * 3600 - 30
        assert (await ask(long))[0] == 503, "the credentials have ended"
        node.away, node.now = False, node.now + 600
        assert (await ask(long))[0] == 200

    running(node, test)


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (400, "ExpiredTokenException"),
        (400, "InvalidTokenException"),
        (400, "AccessDeniedException"),
        (404, "ResourceNotFoundException"),
    ],
)
def test_what_the_server_refuses_is_given_no_more(node: Node, status: int, code: str) -> None:
    async def test(ask: Any) -> None:
        await ask(token())
        node.now, node.says = NOW + pods.FRESH, (status, code, {"message": "no"})
        for _ in range(3):
            assert await ask(token()) == (status, {"code": code, "message": "no"})
        assert len(node.asked) == 2, "it is not asked at each request"
        node.now, node.says = node.now + 15, None
        assert (await ask(token()))[0] == 200

    running(node, test)


@pytest.mark.parametrize(
    ("status", "code"), [(403, "AccessDeniedException"), (429, "ThrottlingException"), (500, "")]
)
def test_trouble_of_the_node_or_of_the_server_is_not_the_pods(node: Node, status: int, code: str) -> None:
    async def test(ask: Any) -> None:
        await ask(token())
        node.now, node.says = NOW + pods.FRESH, (status, code, {"message": "User: node may not"})
        assert (await ask(token()))[1]["AccessKeyId"] == "ASIA1"
        status_of_others, told = await ask(token("other"))
        assert (status_of_others, told["code"]) == (503, "ServiceUnavailableException")
        assert "node may not" not in told["message"]

    running(node, test)


def test_a_host_that_was_ended_gives_nothing(node: Node) -> None:
    async def test(ask: Any) -> None:
        await ask(token())
        node.revoked = True
        assert (await ask(token()))[0] == 404

    running(node, test)


@pytest.mark.parametrize("shown", ["x", "a.b", "a.b.c.d", "a.b.c\r\n", "ä.b.c", "Bearer a.b.c"])
def test_what_is_no_token_is_not_sent_to_the_server(node: Node, shown: str) -> None:
    async def test(ask: Any) -> None:
        assert (await ask(shown))[0] == 400
        assert node.asked == []

    running(node, test)


def test_an_answer_that_lacks_something(node: Node) -> None:
    async def test(ask: Any) -> None:
        node.says = 200, "", {"credentials": {}}
        assert (await ask(token()))[0] == 503

    running(node, test)


def test_the_cluster_in_the_mapping_file(tmp_path: Path) -> None:
    file = tmp_path / "map.toml"
    file.write_text('[pods]\ncluster = "shop"\n')
    assert programs.read(file).pods == Cluster("shop")
    for bad in ('cluster = "a/b"', 'cluster = ""', "", 'cluster = "c"\nother = 1', 'cluster = "c"\nprofile = ""'):
        file.write_text(f"[pods]\n{bad}\n")
        with pytest.raises(AgentError):
            programs.read(file)


def test_the_path_is_below_that_of_the_server() -> None:
    client = Client("https://iam.example.org/aws/", new_key("ed25519"))
    exchange = Pods(Node(), client, Cluster("shop"))  # type: ignore[arg-type]
    own = Credentials("a", "node", "", "ASIANODE", "s", "t", NOW, NOW + 1)
    assert exchange._request(own, token()).path == "/aws/clusters/shop/assume-role-for-pod-identity"
    assert urlsplit(f"https://{client.authority}").hostname == "iam.example.org"
