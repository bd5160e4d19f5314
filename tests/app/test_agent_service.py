"""The metadata service and the container endpoint of an agent, over sockets; its server is a world without one."""

from __future__ import annotations

import asyncio
import json
import socket
import stat
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest

from bailiwick.app.agent import client, containers
from bailiwick.app.agent.containers import Containers
from bailiwick.app.agent.front import Front
from bailiwick.app.agent.keeper import Keeper
from bailiwick.app.agent.metadata import Metadata
from bailiwick.app.agent.programs import Container, Mapping, Program
from bailiwick.app.agent.state import Folder
from bailiwick.app.agent.tokens import Tokens
from hosts_support import FakeHost, Refused, joined, role_in_profile
from still_clock import Clock
from world import World

T = TypeVar("T")
TTL, TOKEN = "X-aws-ec2-metadata-token-ttl-seconds", "X-aws-ec2-metadata-token"
ROLE = "/latest/meta-data/iam/security-credentials/"


class Server:
    """What the agent's client is: a host of a world, which can be away."""

    def __init__(self, host: FakeHost) -> None:
        self.host, self.instance = host, host.id
        self.away = False
        self.asked: list[str] = []

    def ask(self, operation: str, values: dict[str, Any]) -> dict[str, Any]:
        self.asked.append(operation)
        if self.away:
            raise client.Unreachable("the server cannot be reached")
        try:
            return self.host.ask(operation, **values)
        except Refused as error:
            raise client.Refused(*error.args) from None


class Agent:
    """An agent in this process. `get` and `put` are a program's requests."""

    def __init__(self, folder: Path, clock: Clock, server: Server, mapping: Mapping | None = None) -> None:
        self.clock, self.server = clock, server
        self.keeper = Keeper(Folder(folder), server, now=clock)  # type: ignore[arg-type]  # what it needs of a client
        tokens = Tokens(b"s" * 32, server.instance)
        mapping = mapping or Mapping()
        containers.prepare(mapping.container)
        metadata = Metadata(self.keeper, tokens, clock)
        self.front = Front(metadata, Containers(self.keeper, mapping.container), mapping)
        self.port = 0

    async def send(self, request: bytes, address: str = "127.0.0.1") -> tuple[int, dict[str, str], bytes]:
        reader, writer = await asyncio.open_connection(address, self.port)
        writer.write(request)
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        lines = head.split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in lines[1:] if line)
        body = b"" if request.startswith(b"HEAD") else await reader.readexactly(int(headers["content-length"]))
        writer.close()
        return int(lines[0].split()[1]), headers, body

    async def ask(self, method: str, path: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
        given = {"Host": f"127.0.0.1:{self.port}"} | {
            name.replace("_", "-"): value for name, value in headers.items()
        }
        lines = "".join(f"{name}: {value}\r\n" for name, value in given.items())
        return await self.send(f"{method} {path} HTTP/1.1\r\n{lines}\r\n".encode())

    async def token(self, seconds: int = 60) -> str:
        status, _, body = await self.ask("PUT", "/latest/api/token", **{TTL: str(seconds)})
        assert status == 200
        return body.decode()

    async def get(self, path: str) -> tuple[int, str]:
        status, _, body = await self.ask("GET", path, **{TOKEN: await self.token()})
        return status, body.decode()

    async def role(self) -> dict[str, str]:
        """What the metadata service tells of the role that there is."""
        _, name = await self.get(ROLE)
        status, body = await self.get(ROLE + name)
        assert status == 200, body
        found: dict[str, str] = json.loads(body)
        return found


Run = Callable[..., None]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch, 1_800_000_000.0)


@pytest.fixture
def world(clock: Clock) -> World:
    made = World(clock)
    role_in_profile(made)
    return made


@pytest.fixture
def host(world: World) -> FakeHost:
    made = joined(world, profile="web", further=(), tags={"team": "a"}, user_data="IyEvYmluL3No")
    made.source = "127.0.0.1"
    return made


@pytest.fixture
def run(tmp_path: Path, clock: Clock, host: FakeHost) -> Run:
    """Run a test with an agent that serves."""

    def running(test: Callable[[Agent], Awaitable[None]], mapping: Mapping | None = None) -> None:
        async def whole() -> None:
            agent = Agent(tmp_path / "agent", clock, Server(host), mapping)
            await agent.keeper.refresh()
            agent.port = await agent.front.open("127.0.0.1", 0)
            try:
                await test(agent)
            finally:
                await agent.front.close()

        asyncio.run(whole())

    return running


# -- Tokens -------------------------------------------------------------------------------------------------


RULES: list[tuple[str, str, dict[str, str], int]] = [
    ("PUT", "/latest/api/token", {TTL: "21600"}, 200),
    ("PUT", "/latest/api/token", {TTL: "1"}, 200),
    ("PUT", "/latest/api/token", {TTL: "0"}, 400),
    ("PUT", "/latest/api/token", {TTL: "21601"}, 400),
    ("PUT", "/latest/api/token", {TTL: "-1"}, 400),
    ("PUT", "/latest/api/token", {TTL: "1.5"}, 400),
    ("PUT", "/latest/api/token", {}, 400),
    ("PUT", "/latest/api/token", {TTL: "60", "X-Forwarded-For": "10.0.0.1"}, 403),
    ("PUT", "/latest/api/token", {TTL: "60", "Forwarded": "for=10.0.0.1"}, 403),
    ("PUT", "/2021-03-23/api/token", {TTL: "60"}, 403),
    ("PUT", "/latest/meta-data/", {TTL: "60"}, 405),
    ("GET", "/latest/api/token", {}, 405),
    ("POST", "/latest/api/token", {TTL: "60"}, 405),
    ("GET", ROLE, {}, 401),
    ("GET", ROLE, {TOKEN: ""}, 401),
    ("GET", ROLE, {TOKEN: "AQ" * 28}, 401),
    ("GET", "/", {}, 401),
]


def test_the_rules_of_tokens(run: Run) -> None:
    async def test(agent: Agent) -> None:
        for method, path, headers, status in RULES:
            assert (method, path, headers, (await agent.ask(method, path, **headers))[0]) == (
                *(method, path, headers),
                status,
            )

    run(test)


def test_a_token_ends_and_tells_for_how_long_it_is_good(run: Run) -> None:
    async def test(agent: Agent) -> None:
        token = await agent.token(60)
        assert len(token) == 56
        agent.clock.now += 20
        status, headers, body = await agent.ask("GET", ROLE, **{TOKEN: token})
        assert (status, headers[TTL.lower()], body) == (200, "40", b"web")
        assert (await agent.ask("HEAD", ROLE, **{TOKEN: token}))[0] == 200
        agent.clock.now += 40
        assert (await agent.ask("GET", ROLE, **{TOKEN: token}))[0] == 401

    run(test)


def test_a_token_of_one_host_is_refused_on_another(run: Run) -> None:
    async def test(agent: Agent) -> None:
        for secret, instance in ((b"t" * 32, agent.server.instance), (b"s" * 32, "i-00000000000000001")):
            token = Tokens(secret, instance).make(60, agent.clock.now)
            assert (await agent.ask("GET", ROLE, **{TOKEN: token}))[0] == 401

    run(test)


def test_the_first_version_is_there_where_it_was_asked_for(run: Run, world: World, host: FakeHost) -> None:
    async def test(agent: Agent) -> None:
        from bailiwick.core.formats import open_session

        ec2 = world.client("ec2")
        ec2.modify_instance_metadata_options(InstanceId=host.id, HttpTokens="optional", HttpPutResponseHopLimit=3)
        await agent.keeper.refresh()
        status, _, body = await agent.ask("GET", ROLE + "web")
        assert status == 200
        ring = world.environment.ring
        assert open_session(ring, json.loads(body)["Token"]).said["ec2:roledelivery"] == "1.0"
        assert open_session(ring, (await agent.role())["Token"]).said["ec2:roledelivery"] == "2.0"
        ec2.modify_instance_metadata_options(InstanceId=host.id, HttpEndpoint="disabled")
        await agent.keeper.refresh()
        assert (await agent.ask("GET", ROLE + "web"))[0] == 403
        assert (await agent.ask("PUT", "/latest/api/token", **{TTL: "60"}))[0] == 403

    run(test)


# -- Who may ask --------------------------------------------------------------------------------------------


def test_what_came_through_a_proxy_is_refused(run: Run) -> None:
    async def test(agent: Agent) -> None:
        token = await agent.token()
        for name in ("X-Forwarded-For", "Forwarded", "X-Forwarded-Host", "Via"):
            assert (await agent.ask("GET", ROLE, **{TOKEN: token, name: "10.0.0.1"}))[0] == 403

    run(test)


NAMES = {
    "169.254.169.254": 200,
    "localhost:80": 200,
    "127.0.0.1": 200,
    "evil.example.org": 403,
    "169.254.169.254.example.org": 403,
    "": 403,
}


def test_a_name_that_leads_here_by_accident(run: Run) -> None:
    async def test(agent: Agent) -> None:
        for name, status in NAMES.items():
            assert (await agent.ask("PUT", "/latest/api/token", **{TTL: "60", "Host": name}))[0] == status

    run(test)


def test_only_this_host_is_served(run: Run) -> None:
    async def test(agent: Agent) -> None:
        assert agent.front.lets_in("127.0.0.1")
        assert agent.front.lets_in("127.9.9.9")
        assert agent.front.lets_in("::1")
        for stranger in ("192.0.2.1", "10.255.255.254", "2001:db8::1"):
            assert not agent.front.lets_in(stranger)

    run(test)


MALFORMED = [
    b"nonsense\r\n\r\n",
    b"GET http://169.254.169.254/latest/ HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET /latest/ HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n",
    b"GET /" + b"x" * 20000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"PUT /latest/api/token HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2000\r\n\r\n" + b"x" * 2000,
]


def test_what_is_malformed_is_refused(run: Run) -> None:
    async def test(agent: Agent) -> None:
        for sent in MALFORMED:
            assert (await agent.send(sent))[0] == 400

    run(test)


def test_several_requests_on_one_connection(run: Run) -> None:
    async def test(agent: Agent) -> None:
        token = await agent.token()
        one = f"GET {ROLE} HTTP/1.1\r\nHost: localhost\r\n{TOKEN}: {token}\r\n\r\n".encode()
        reader, writer = await asyncio.open_connection("127.0.0.1", agent.port)
        writer.write(one * 3)
        for _ in range(3):
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200")
            assert await reader.readexactly(3) == b"web"
        writer.close()

    run(test)


def test_how_far_an_answer_may_go(run: Run) -> None:
    async def test(agent: Agent) -> None:
        (listening,) = agent.front.sockets
        assert listening.getsockopt(socket.IPPROTO_IP, socket.IP_TTL) == 1
        agent.front.limit_hops(3)
        assert listening.getsockopt(socket.IPPROTO_IP, socket.IP_TTL) == 3

    run(test)


# -- What there is ------------------------------------------------------------------------------------------


def test_facts(run: Run, host: FakeHost, world: World) -> None:
    async def test(agent: Agent) -> None:
        found = {
            "/": "latest",
            "/latest/": "dynamic\nmeta-data\nuser-data",
            "/latest/meta-data/instance-id": host.id,
            "/2021-03-23/meta-data/instance-id": host.id,
            "/latest/meta-data/placement/availability-zone": "us-east-1a",
            "/latest/meta-data/placement/": "availability-zone\nregion",
            "/latest/meta-data/local-ipv4": "127.0.0.1",
            "/latest/user-data": "#!/bin/sh",
            "/latest/meta-data/iam/": "info\nsecurity-credentials/",
            "/latest/dynamic/instance-identity/": "document\npkcs7\nrsa2048\nsignature",
        }
        for path, text in found.items():
            status, body = await agent.get(path)
            assert status == 200
            assert body == text if path != "/" else text in body.split("\n")
        for path in ("/latest/meta-data/x", "/x/", "/latest/meta-data/instance-id/", "/latest/meta-data/tags/"):
            assert (await agent.get(path))[0] == 404
        world.client("ec2").modify_instance_metadata_options(InstanceId=host.id, InstanceMetadataTags="enabled")
        await agent.keeper.refresh()
        assert await agent.get("/latest/meta-data/tags/instance/team") == (200, "a")
        assert await agent.get("/latest/meta-data/tags/instance/") == (200, "team")
        document = json.loads((await agent.get("/latest/dynamic/instance-identity/document"))[1])
        assert document["instanceId"] == host.id

    run(test)


def test_credentials_are_the_same_until_half_of_their_life_is_over(run: Run, world: World) -> None:
    async def test(agent: Agent) -> None:
        first = await agent.role()
        assert list(first) == [
            *("Code", "LastUpdated", "Type", "AccessKeyId", "SecretAccessKey", "Token", "Expiration")
        ]
        agent.clock.now += 2.9 * 3600
        await agent.keeper.refresh()
        assert await agent.role() == first
        agent.clock.now += 0.2 * 3600
        await agent.keeper.refresh()
        second = await agent.role()
        assert second["AccessKeyId"] != first["AccessKeyId"]
        info = json.loads((await agent.get("/latest/meta-data/iam/info"))[1])
        assert info["InstanceProfileArn"].endswith(":instance-profile/web")
        assert (await agent.get(ROLE + "other"))[0] == 404

    run(test)


def test_a_profile_swapped_a_role_detached_and_a_host_revoked(run: Run, world: World, host: FakeHost) -> None:
    role_in_profile(world, "batch")

    async def test(agent: Agent) -> None:
        ec2, iam = world.client("ec2"), world.client("iam")
        await agent.role()
        (old,) = ec2.describe_iam_instance_profile_associations()["IamInstanceProfileAssociations"]
        ec2.replace_iam_instance_profile_association(
            IamInstanceProfile={"Name": "batch"}, AssociationId=old["AssociationId"]
        )
        await agent.keeper.refresh()
        assert await agent.get(ROLE) == (200, "batch")
        first = await agent.role()
        ec2.revoke_instance_credentials(InstanceIds=[host.id])
        agent.clock.now += 2
        await agent.keeper.refresh()
        assert (await agent.role())["AccessKeyId"] != first["AccessKeyId"]
        iam.remove_role_from_instance_profile(InstanceProfileName="batch", RoleName="batch")
        await agent.keeper.refresh()
        assert (await agent.get(ROLE))[0] == 404
        iam.add_role_to_instance_profile(InstanceProfileName="batch", RoleName="web")
        await agent.keeper.refresh()
        assert await agent.get(ROLE) == (200, "web")
        ec2.terminate_instances(InstanceIds=[host.id])
        await agent.keeper.refresh()
        assert agent.keeper.revoked
        assert (await agent.get(ROLE))[0] == (await agent.get(ROLE + "web"))[0] == 404

    run(test)


def test_a_role_that_ec2_cannot_take_is_told_and_not_asked_for_in_vain(run: Run, world: World) -> None:
    async def test(agent: Agent) -> None:
        trust = json.loads('{"Version":"2012-10-17","Statement":[]}')
        trust["Statement"] = [
            {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
        ]
        world.client("iam").update_assume_role_policy(RoleName="web", PolicyDocument=json.dumps(trust))
        agent.clock.now += 4 * 3600  # the old ones are stale
        await agent.keeper.refresh()
        before = len(agent.server.asked)
        for _ in range(5):
            status, body = await agent.get(ROLE + "web")
            assert (status, json.loads(body)["Code"]) == (200, "AssumeRoleUnauthorizedAccess")
        assert len(agent.server.asked) == before

    run(test)


# -- Without the server -------------------------------------------------------------------------------------


def test_what_is_there_serves_on_without_the_server_and_after_a_restart(run: Run, tmp_path: Path) -> None:
    async def test(agent: Agent) -> None:
        first = await agent.role()
        kept = tmp_path / "agent" / "credentials.json"
        assert stat.S_IMODE(kept.stat().st_mode) == 0o600
        agent.server.away = True
        agent.clock.now += 4 * 3600
        await agent.keeper.refresh()
        assert await agent.role() == first
        again = Agent(tmp_path / "agent", agent.clock, agent.server)
        await again.keeper.refresh()
        again.port = await again.front.open("127.0.0.1", 0)
        assert await again.role() == first
        again.clock.now += 2 * 3600  # now they have ended
        assert (await again.get(ROLE + "web"))[0] == 503
        agent.server.away = False
        agent.clock.now += 400
        assert (await again.role())["AccessKeyId"] != first["AccessKeyId"]
        await again.front.close()

    run(test)


def test_while_it_waits_for_the_server_it_asks_seldom(run: Run) -> None:
    async def test(agent: Agent) -> None:
        agent.server.away = True
        agent.clock.now += 7 * 3600
        agent.server.asked.clear()
        for _ in range(50):
            await agent.get(ROLE + "web")
        assert len(agent.server.asked) == 1
        for _ in range(100):  # an hour of questions, one every 36 s
            agent.clock.now += 36
            await agent.get(ROLE + "web")
        assert len(agent.server.asked) < 40

    run(test)


def test_an_agent_that_was_told_nothing_yet(tmp_path: Path, clock: Clock, host: FakeHost) -> None:
    async def whole() -> None:
        server = Server(host)
        server.away = True
        agent = Agent(tmp_path / "agent", clock, server)
        await agent.keeper.refresh()
        agent.port = await agent.front.open("127.0.0.1", 0)
        assert (await agent.ask("PUT", "/latest/api/token", **{TTL: "60"}))[0] == 503
        assert agent.keeper.status == "waiting for the server"
        await agent.front.close()

    asyncio.run(whole())


# -- Containers, and programs by their user -----------------------------------------------------------------


def test_the_container_endpoint(run: Run, tmp_path: Path) -> None:
    path, file = "/v2/credentials/batch", tmp_path / "token"
    mapping = Mapping(default="none", container=(Container(path=path, token_file=str(file)),))

    async def test(agent: Agent) -> None:
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        status, headers, body = await agent.ask("GET", path, Authorization=file.read_text())
        found = json.loads(body)
        assert (status, headers["content-type"]) == (200, "application/json")
        assert set(found) == {"RoleArn", "AccessKeyId", "SecretAccessKey", "Token", "Expiration", "AccountId"}
        assert found["RoleArn"].endswith(":role/web")
        for shown in ({}, {"Authorization": "x"}, {"Authorization": file.read_text()[:-1]}):
            assert (await agent.ask("GET", path, **shown))[0] == 401
        assert (await agent.ask("POST", path, Authorization=file.read_text()))[0] == 405
        assert (await agent.ask("GET", f"{path}x", Authorization=file.read_text()))[
            0
        ] == 401  # for the metadata service
        file.write_text("")
        assert (await agent.ask("GET", path, Authorization="x"))[0] == 401
        assert (await agent.get(ROLE))[0] == 404  # by default there is nothing
        assert (await agent.ask("GET", "/v1/credentials", Authorization="x"))[0] == 401

    run(test, mapping)


def test_what_a_user_gets(run: Run, host: FakeHost, world: World) -> None:
    import os

    from bailiwick.directory import instance_profiles, instances
    from bailiwick.directory.instances import Association

    role_in_profile(world, "batch")
    with world.store.transaction(write=True) as transaction:
        profile = instance_profiles.find(transaction, "123456789012", "batch")
        assert profile is not None
        made = Association("iip-assoc-1", host.id, profile.account, profile.id, profile.arn("aws"), False, 1.0)
        instances.associate(transaction, made)

    async def test(agent: Agent) -> None:
        assert await agent.get(ROLE) == (200, "batch")
        assert (await agent.role())["Code"] == "Success"
        assert (await agent.get(ROLE + "web"))[0] == 404
        info = json.loads((await agent.get("/latest/meta-data/iam/info"))[1])
        assert info["InstanceProfileArn"].endswith("/batch")

    me = os.geteuid()
    run(test, Mapping(program=(Program("web", me + 1), Program("batch", str(me)), Program("web", me))))

    async def nothing(agent: Agent) -> None:
        assert (await agent.get(ROLE))[0] == (await agent.get(ROLE + "web"))[0] == 404

    run(nothing, Mapping(program=(Program("none", me),)))
    run(nothing, Mapping(default="none", program=(Program("web", me, cgroup="/no/such/group"),)))
