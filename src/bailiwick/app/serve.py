"""`bailiwick serve`: bind, open or begin the data folder, serve, drain, close, in this order."""

from __future__ import annotations

import shutil
import socket
import tempfile
from collections.abc import Callable, MutableMapping
from contextlib import AbstractContextManager, closing, nullcontext
from pathlib import Path

import msgspec

from bailiwick.app import company, environment, home
from bailiwick.app.custody import Locked, Opened, Stopped
from bailiwick.app.edge import Edge
from bailiwick.app.files import write_private
from bailiwick.app.gauges import gathered
from bailiwick.app.hardening import harden
from bailiwick.app.metrics import Sample
from bailiwick.app.reset import METHOD, PATH, Reset
from bailiwick.app.server import listen, reserve, server, serves_only
from bailiwick.app.settings import Settings, data_folder
from bailiwick.app.welcome import Welcome, endpoint, reminder, show
from bailiwick.store import Store


def serve(settings: Settings, variables: MutableMapping[str, str]) -> None:
    """Serve until SIGINT or SIGTERM. `variables` is the process's environment.

    Raises SettingsError, ServerError, HomeError, RootKeyError, store.StoreError.
    """
    harden()
    company.directory(settings)  # a mapping file that cannot be used is told before anything is begun
    hold = reserve if settings.workers > 1 else listen
    with closing(hold(settings.host, settings.port)) as listener:
        if settings.ephemeral:
            _serve_memory(settings, listener)
        else:
            _serve_folder(settings, variables, listener)


def _serve_folder(settings: Settings, variables: MutableMapping[str, str], listener: socket.socket) -> None:
    place = data_folder(settings, variables)

    def ask(locked: Locked) -> Opened:
        from bailiwick.app import sealed  # which a server needs whose root key is locked

        return sealed.opener(settings, place, listener, variables)(locked)

    try:
        found = home.open_home(place, settings, variables, ask)
    except Stopped:
        return
    deployment, folder = found.deployment, found.folder
    port = listener.getsockname()[1]
    address = endpoint(settings, port)
    store = Store(found.database)
    with closing(store), store.transaction() as transaction:
        told = reminder(transaction, deployment.account_id, is_new=found.is_new)
    welcome = _welcome(deployment, address, folder, data=folder, is_new=found.is_new, reminder=told)
    if settings.workers > 1:
        from bailiwick.app import workers  # which needs multiprocessing

        workers.supervise(settings, found, port, ready=lambda: show(welcome))
        return
    with closing(environment.on_folder(found, settings)) as world:
        run(world, world.edge(settings), settings, listener, lambda: show(welcome))


def _serve_memory(settings: Settings, listener: socket.socket) -> None:
    made = environment.in_memory(settings)
    deployment = made.world.deployment
    address = endpoint(settings, listener.getsockname()[1])
    # A client reads its key from a file; this one lives as long as the server.
    folder = Path(tempfile.mkdtemp(prefix="bailiwick-"))
    try:
        home.write_credentials(folder / home.ROOT_CREDENTIALS, made.root, deployment.account_id)
        welcome = _welcome(deployment, address, folder, data=None, is_new=True)

        def ready() -> None:
            if settings.credentials_out:
                write_private(settings.credentials_out.absolute(), credentials_json(made, address))
            show(welcome)

        with closing(made.world):
            run(made.world, ephemeral_edge(made, settings), settings, listener, ready)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _welcome(
    deployment: home.Deployment,
    address: str,
    folder: Path,
    *,
    data: Path | None,
    is_new: bool,
    reminder: str | None = None,
) -> Welcome:
    """What is told of a server; the configuration of its clients is written into `folder`."""
    config = folder / home.AWS_CONFIG
    home.write_config(config, deployment.region, address)
    place = deployment.account_id, deployment.region, deployment.partition
    return Welcome(address, *place, folder / home.ROOT_CREDENTIALS, config, data, is_new, reminder)


def credentials_json(made: environment.Ephemeral, address: str) -> bytes:
    """What `--credentials-out` holds."""
    deployment = made.world.deployment
    return msgspec.json.encode(
        {
            "account_id": deployment.account_id,
            "endpoint": address,
            "region": deployment.region,
            "access_key_id": made.root.access_key_id,
            "secret_access_key": made.root.secret,
        }
    )


def ephemeral_edge(made: environment.Ephemeral, settings: Settings) -> Edge:
    """The edge of a server in memory, which alone can be reset."""
    return made.world.edge(settings, own={(METHOD, PATH): Reset(made)})


def run(
    world: environment.World, edge: Edge, settings: Settings, listener: socket.socket, ready: Callable[[], None]
) -> None:
    """Serve in this process until told to end; what is in flight is finished first."""
    serves_only()
    with closing(edge):
        serving = server(edge, settings, ready)
        with _scraped(settings, lambda: gathered(world, edge, serving)):
            serving.run([listener])


def _scraped(settings: Settings, gather: Callable[[], list[Sample]]) -> AbstractContextManager[object]:
    if settings.metrics_port is None:
        return nullcontext()
    from bailiwick.app.scrape import scraped  # which needs an HTTP server of its own

    return scraped(settings, gather)
