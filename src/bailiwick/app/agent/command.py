"""`bailiwick agent`: join a host, and serve its programs. argparse, so that the agent stays small."""

from __future__ import annotations

import argparse
import asyncio
import base64
import ipaddress
import logging
import os
import platform
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from bailiwick.app.agent import containers, keeper, programs
from bailiwick.app.agent.client import Client, Refused, Unreachable, certificates_in
from bailiwick.app.agent.containers import Containers
from bailiwick.app.agent.front import Front, Network
from bailiwick.app.agent.keeper import Keeper
from bailiwick.app.agent.metadata import Metadata
from bailiwick.app.agent.notify import Notifier
from bailiwick.app.agent.pods import Pods
from bailiwick.app.agent.programs import Mapping
from bailiwick.app.agent.state import HOST, AgentError, Folder, Joined, new_key, public_key
from bailiwick.app.agent.token_key import InToken, TokenKey, forget
from bailiwick.app.agent.tokens import Tokens
from bailiwick.app.files import UnsafeFile, read_private
from bailiwick.core.errors import HsmUnavailable

STATE = "/var/lib/bailiwick-agent"
LISTEN = "169.254.169.254:80"
_STATE_VARIABLE = "BAILIWICK_AGENT_STATE"
_TICK = 1.0

log = logging.getLogger("bailiwick.agent")


def installed() -> None:
    """The installed command, `bailiwick agent ...`."""
    main(sys.argv[2:])


def main(arguments: Sequence[str]) -> None:
    """The command. What goes wrong is one sentence on standard error."""
    asked = _parser().parse_args(arguments)
    os.umask(0o077)
    try:
        asked.run(asked)
    except (AgentError, UnsafeFile, Refused, Unreachable) as error:
        _fail(str(error))
    except OSError as error:
        _fail(f"{error.filename or 'the system'}: {error.strerror or error}")


def _fail(text: str) -> None:
    sys.stderr.write(f"bailiwick agent: {text}\n")
    sys.exit(1)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="bailiwick agent", description="Credentials for the programs of a host.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    state = os.environ.get(_STATE_VARIABLE, STATE)
    both = argparse.ArgumentParser(add_help=False)
    both.add_argument("--state", type=Path, default=Path(state), help=f"folder [env: {_STATE_VARIABLE}]")

    join = commands.add_parser("join", parents=[both], help="make this host an instance, once")
    join.add_argument("--endpoint", required=True, help="address of the server: https://iam.example.org")
    join.add_argument("--ca-file", type=Path, help="authorities (PEM) of the server's certificate")
    join.add_argument("--token-file", type=Path, help="private file with the join token, - for standard input")
    join.add_argument("--certificate", type=Path, help="instead of a token: this host's certificate, and its chain")
    join.add_argument("--private-key", type=Path, help="the key of that certificate (PEM)")
    join.add_argument("--key-type", choices=("ed25519", "p256"), help="of the host's own key [default: ed25519]")
    join.add_argument("--pkcs11-module", help="make the host's own key (P-256) in a token: the PKCS#11 library")
    join.add_argument("--pkcs11-token", help="label of that token")
    join.add_argument("--pkcs11-pin-file", type=Path, help="private file with the PIN of the token's user")
    join.add_argument("--pkcs11-pin-credential", help="instead: name of the service manager's credential with it")
    join.add_argument("--again", action="store_true", help="though this host has joined before")
    join.set_defaults(run=_join)

    run = commands.add_parser("run", parents=[both], help="serve the programs of this host")
    run.add_argument("--listen", action="append", help=f"ADDRESS:PORT, may be repeated [default: {LISTEN}]")
    run.add_argument("--map", type=Path, help="mapping file (TOML): which program gets which profile")
    run.add_argument("--allow", action="append", default=[], help="network of containers that may ask as well")
    run.add_argument("--poll", type=float, default=keeper.POLL, help="seconds between questions to the server")
    run.set_defaults(run=_run)
    return parser


# -- Joining ------------------------------------------------------------------------------------------------


def _join(asked: argparse.Namespace) -> None:
    folder = Folder(asked.state)
    if not asked.again and (asked.state / HOST).exists():
        raise AgentError(
            f"this host has joined already, as {folder.joined().instance_id}; --again makes it another"
        )
    if (asked.token_file is None) == (asked.certificate is None):
        raise AgentError("give --token-file, or --certificate with --private-key")
    before = folder.joined().pkcs11 if (asked.state / HOST).exists() else None
    where = _in_token(asked)
    key = new_key(asked.key_type or "ed25519") if where is None else TokenKey(where, folder.path)
    ca_file = str(asked.ca_file.resolve()) if asked.ca_file else None
    client = Client(asked.endpoint, key, "", ca_file)
    try:
        instance_id = _joined(asked, client)
        folder.join(key, Joined(asked.endpoint, instance_id, ca_file, where))
    except BaseException:
        if isinstance(key, TokenKey):
            with suppress(HsmUnavailable):
                key.destroy()
        raise
    sys.stdout.write(f"joined as {instance_id}\n")
    left = forget(before, folder.path)
    if left is not None:
        sys.stderr.write(f"bailiwick agent: the key of the instance before is left in its token: {left}\n")


def _in_token(asked: argparse.Namespace) -> InToken | None:
    """Where the key of this host is going to be, if in a token."""
    if asked.pkcs11_module is None and asked.pkcs11_token is None:
        if asked.pkcs11_pin_file is not None or asked.pkcs11_pin_credential is not None:
            raise AgentError("a PIN opens a token: give --pkcs11-module and --pkcs11-token")
        return None
    if asked.pkcs11_module is None or asked.pkcs11_token is None:
        raise AgentError("a token is named by --pkcs11-module and --pkcs11-token")
    if (asked.pkcs11_pin_file is None) == (asked.pkcs11_pin_credential is None):
        raise AgentError("a token needs either --pkcs11-pin-file or --pkcs11-pin-credential")
    if asked.key_type == "ed25519":
        raise AgentError("the key in a token is a P-256 key: leave --key-type out")
    return InToken(
        module=asked.pkcs11_module,
        token=asked.pkcs11_token,
        key=os.urandom(16).hex(),
        pin_file=str(asked.pkcs11_pin_file.resolve()) if asked.pkcs11_pin_file else None,
        pin_credential=asked.pkcs11_pin_credential,
    )


def _joined(asked: argparse.Namespace, client: Client) -> str:
    """The instance that the server makes of this host; a key in a token is made first."""
    also = None
    values: dict[str, object] = {
        "Hostname": keeper.hostname(),
        "Architecture": platform.machine().lower()[:16] or "x86_64",
    }
    if asked.token_file is not None:
        values["JoinToken"] = _token(asked.token_file)
    else:
        if asked.private_key is None:
            raise AgentError("--certificate wants --private-key")
        from cryptography.hazmat.primitives.serialization import load_pem_private_key

        values["CertificateChain"] = certificates_in(asked.certificate)
        also = load_pem_private_key(read_private(asked.private_key), None)
    try:
        made = client.key.make() if isinstance(client.key, TokenKey) else public_key(client.key)
    except HsmUnavailable as error:
        raise AgentError(str(error)) from None
    values["PublicKey"] = base64.b64encode(made).decode("ascii")
    told = client.ask("JoinInstance", values, also)
    return str(told["Instance"]["InstanceId"])


def _token(path: Path) -> str:
    if str(path) == "-":
        return sys.stdin.readline(512).strip()
    return read_private(path).decode("ascii", "replace").strip()


# -- Serving ------------------------------------------------------------------------------------------------


def _run(asked: argparse.Namespace) -> None:
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    mapping = programs.read(asked.map) if asked.map else Mapping()
    places = [_place(each) for each in asked.listen or [LISTEN]]
    try:
        allowed = [ipaddress.ip_network(each) for each in asked.allow]
    except ValueError as error:
        raise AgentError(f"--allow: {error}") from None
    asyncio.run(serve(Folder(asked.state), places, mapping, allowed, asked.poll))


async def serve(
    folder: Folder, places: Sequence[tuple[str, int]], mapping: Mapping, allowed: Sequence[Network], poll: float
) -> None:
    """Serve until SIGTERM or SIGINT."""
    joined, key = folder.joined(), folder.key()
    client = Client(joined.endpoint, key, joined.instance_id, joined.ca_file)
    kept = Keeper(folder, client, poll=poll)
    metadata = Metadata(kept, Tokens(folder.secret("imds-tokens"), joined.instance_id))
    containers.prepare(mapping.container)
    pods = Pods(kept, client, mapping.pods) if mapping.pods is not None else None
    front = Front(metadata, Containers(kept, mapping.container, pods), mapping, allowed)
    notifier, stop = Notifier(os.environ), asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    for address, port in places:
        log.info("listening on %s port %d", address, await front.open(address, port))
    tasks = [loop.create_task(work) for work in (stop.wait(), kept.run(), _beat(kept, front, notifier))]
    try:
        ended, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in ended:
            task.result()  # whatever ends a part of the agent ends the agent, which is started again
    finally:
        notifier.tell("STOPPING=1")
        for task in tasks:
            task.cancel()
        await front.close()


async def _beat(kept: Keeper, front: Front, notifier: Notifier) -> None:
    """Tell the service manager how it is, and the sockets how far answers may go."""
    ready, tick = False, min(_TICK, notifier.watchdog or _TICK)
    while True:
        if kept.instance is not None:
            front.limit_hops(kept.instance.metadata_options.http_put_response_hop_limit)
        if not ready and (kept.instance is not None or kept.revoked):
            ready = True
            notifier.tell("READY=1")
            log.info("ready: %s", kept.status)
        notifier.status(kept.status)
        if notifier.watchdog is not None:
            notifier.tell("WATCHDOG=1")
        await asyncio.sleep(tick if ready else _TICK / 20)


def _place(text: str) -> tuple[str, int]:
    address, _, port = text.rpartition(":")
    try:
        found = ipaddress.ip_address(address.strip("[]"))
        number = int(port)
    except ValueError:
        raise AgentError(f"`{text}` is not ADDRESS:PORT, such as {LISTEN}") from None
    if not (found.is_loopback or found.is_link_local or str(found) in ("fd00:ec2::254", "fd00:ec2::23")):
        raise AgentError(f"{found} is for others to reach: choose a loopback or link-local address")
    return str(found), number
