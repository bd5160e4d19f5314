"""Composition: settings and a key ring become a running inside. The only place that knows every part.

Each process that serves has one World. On a data folder any number of processes share the database.
"""

from __future__ import annotations

import math
import os
import threading
from collections.abc import Callable, Mapping

import msgspec
import structlog

from bailiwick import services
from bailiwick.api import Chore, Transaction
from bailiwick.app import company, home, issuer, outward, rotation, throttling
from bailiwick.app.audit import Trail
from bailiwick.app.edge import Edge, Own
from bailiwick.app.export import exporters
from bailiwick.app.happenings import Happenings, Kept
from bailiwick.app.history import TrailHistory
from bailiwick.app.home import Deployment, Home, RootKey
from bailiwick.app.observer import Observer
from bailiwick.app.pages import LatePages, options_of
from bailiwick.app.place import shelf_of, signer_of
from bailiwick.app.probes import Ready, of_store
from bailiwick.app.settings import Settings
from bailiwick.app.stages import Stages
from bailiwick.app.traces import Traced, begin
from bailiwick.core.attempts import Attempts
from bailiwick.core.seal import ROOT_KEY_BYTES, KeyRing
from bailiwick.directory import guesses, web_sessions
from bailiwick.directory.guesses import Guesses
from bailiwick.directory.snapshot import Directory
from bailiwick.federation.fetch import Fetcher
from bailiwick.federation.oidc import Issuers
from bailiwick.pipeline import Event, Pipeline
from bailiwick.store import Store, StoreError
from bailiwick.trail.files import Files
from bailiwick.trail.keeping import Keeper
from bailiwick.trail.shelf import Shelf

log = structlog.get_logger()

_CHORES_PAUSE = 60.0  # seconds between rounds of what comes due by itself
_USAGE_PAUSE = 1.0  # seconds between writings of when keys and roles were last used, and of failed guesses
_GUESSES = "guesses"


class World:
    """Everything behind the edge of one process. `close` it when the edge is closed."""

    def __init__(
        self,
        deployment: Deployment,
        ring: KeyRing,
        store: Store,
        trail: Trail | None,
        settings: Settings,
        roots: rotation.Keeper | None = None,
    ) -> None:
        """Take an open store; without a trail events are not kept. `roots` follows the root keys of a folder."""
        self._roots = roots
        self.deployment = deployment
        self.store = store
        self.trail = trail
        self._happenings = Happenings(store, trail) if trail else None
        self._company = company.directory(settings)
        self.hsms, self.key_proxies = outward.hsms(settings), outward.key_proxies(settings)
        self._ended, self._woken = threading.Event(), threading.Event()
        self.environment = msgspec.structs.replace(
            deployment.environment(ring),
            names_policies=settings.name_policies,
            history=TrailHistory(trail.shelf, trail) if trail else None,
            attempts=Attempts(ring.derive(ring.primary, _GUESSES, b"")),
            public_url=settings.address,
            people=self._company,
            issuers=Issuers(Fetcher(settings.issuers_networks), settings.oidc_keys),
            saml_weak_signatures=settings.saml_weak_signatures,
            hsms=self.hsms,
            key_proxies=self.key_proxies,
            peers=outward.peers(settings, deployment.region, self._woken),
            rates=throttling.rates(settings.throttling, ephemeral=settings.ephemeral, workers=settings.workers),
        )
        self._guesses = Guesses(store, self.environment.attempts)
        self.directory = Directory(store, self.environment)
        write = trail.write if trail else _nowhere
        self.observer = Observer(write, access_log=settings.access_log, slow=settings.slow_request)
        self.pipeline = Pipeline(services.LATER, self.environment, store, self.directory, self.observer)
        self._tracing = begin() if settings.traces else None
        self.exporters = exporters(settings, trail.shelf) if trail else []
        for exporter in self.exporters:
            exporter.start()
        self._threads = [
            threading.Thread(target=self._write_usage, name="usage", daemon=True),
            threading.Thread(target=self._do_chores, name="chores", daemon=True),
        ]
        self.courier = outward.courier(self.pipeline) if self.environment.peers.all else None
        if self.courier is not None:
            work = self.courier.run
            self._threads.append(
                threading.Thread(target=work, args=(self._woken, self._ended), name="peers", daemon=True)
            )
        if roots is not None:
            self._threads.append(
                threading.Thread(target=self._follow_roots, args=(roots,), name="root keys", daemon=True)
            )
        for thread in self._threads:
            thread.start()

    def edge(self, settings: Settings, own: Mapping[tuple[str, str], Own] | None = None) -> Edge:
        """The way in, with further handlers by method and path."""
        stored = self.trail.stored if self.trail and settings.audit_first else None
        checks = {"store": of_store(self.store)}
        if self.trail:
            checks["audit"] = self.trail.trouble
        if self._roots:
            checks["root key"] = self._roots.trouble
        pipeline = self.pipeline
        stages = Traced(pipeline, self._tracing.tracer) if self._tracing else Stages(pipeline)
        return Edge(
            stages if self._tracing else pipeline,
            max_body=settings.max_body,
            own={("GET", issuer.PATH): issuer.Issuer(self.environment, self.store), **(own or {})},
            proxies=settings.proxies,
            stored=stored,
            ready=Ready(checks),
            stages=stages,
            pages=LatePages(pipeline, options_of(settings)),
            gate=self.trail,
            xks=outward.xks_proxy(settings, pipeline),
        )

    def close(self) -> None:
        """Write what is still in memory, and let go of everything."""
        self._ended.set()
        self._woken.set()
        for thread in self._threads:
            thread.join()
        if self.trail:
            self.trail.close()
        if self._tracing:
            self._tracing.close()
        if self._company:
            self._company.close()
        self.key_proxies.close()
        self.store.close()

    def _write_usage(self) -> None:
        ended, pause = False, 0.0
        while not ended:
            ended, pause = self._ended.wait(pause), _USAGE_PAUSE
            due = math.inf if ended else self.environment.now()
            try:
                self._guesses.share(self.environment.now())
            except StoreError as error:
                log.warning("failed guesses are counted by each process for itself", reason=str(error))
            try:
                self.directory.usage.flush(self.store, due)
                if self.environment.key_uses.uses:
                    from bailiwick.services.kms import last_use

                    last_use.flush(self.store, self.environment, due)
            except StoreError as error:
                log.warning("the last use of keys could not be noted", reason=str(error))

    def _follow_roots(self, roots: rotation.Keeper) -> None:
        pause = 0.0
        while not self._ended.wait(pause):
            pause = rotation.PAUSE
            try:
                roots.look()
            except StoreError as error:
                log.warning("the root keys are looked after later", reason=str(error))
            except Exception as error:  # it must go on all the same
                log.error("the root keys could not be looked after", exc_info=error)
        try:
            roots.leave()
        except StoreError as error:
            log.debug("the end of this process is not noted", reason=str(error))

    def _do_chores(self) -> None:
        while not self._ended.wait(_CHORES_PAUSE):
            for chore in (web_sessions.sweep, guesses.sweep, *self._found(services.chores)):
                self.do(chore)
            for errand in self._found(services.errands):
                self.do(errand, writes=False)
            if self._happenings is not None:
                try:
                    self._happenings.tell_what_is_left(self.environment.now())
                except StoreError as error:
                    log.warning("what happened is told later", reason=str(error))

    def do(self, chore: Chore, *, writes: bool = True) -> None:
        """A chore, if it can be done now, with its records; the others must be done all the same."""
        kept: list[Kept] = []
        try:
            with self.store.transaction(write=writes) as transaction:
                now = self.environment.now()
                happened = chore(transaction, self.environment, now)
                if self._happenings is not None:
                    kept = self._happenings.keep(transaction, happened or (), now)
            if self._happenings is not None:
                self._happenings.tell(kept)
        except StoreError as error:
            log.warning("a chore is put off", chore=chore.__name__, reason=str(error))
        except Exception as error:
            log.error("a chore failed", chore=chore.__name__, exc_info=error)

    def _found(self, those: Callable[[Transaction], tuple[Chore, ...]]) -> tuple[Chore, ...]:
        try:
            with self.store.transaction() as reading:
                return those(reading)
        except StoreError as error:
            log.warning("chores are put off", reason=str(error))
            return ()


def on_folder(found: Home, settings: Settings) -> World:
    """The world of one process on a data folder. Raises store.StoreError, OSError."""
    store = Store(found.database)
    trail = _trail(shelf_of(settings, found.folder, store), found.ring, settings)
    roots = rotation.Keeper(store, found.ring, found.folder, found.held)
    roots.refresh()  # a worker that replaces another was given what its parent knew at the start
    return World(found.deployment, found.ring, store, trail, settings, roots)


class Ephemeral(msgspec.Struct, frozen=True):
    """A world in memory, and the key of its root user."""

    world: World
    root: RootKey

    def reset(self) -> None:
        """Empty every account; what is left is the first account with its root key."""
        world = self.world
        deployment = world.deployment
        settings = Settings(
            account_id=deployment.account_id,
            region=deployment.region,
            partition=deployment.partition,  # type: ignore[arg-type]  # it came from settings
        )
        world.store.clear()
        with world.store.transaction(write=True) as transaction:
            home.begin(transaction, settings, world.environment.ring, self.root)


def in_memory(settings: Settings) -> Ephemeral:
    """A new world in memory. Raises SettingsError for root credentials that cannot be read."""
    adopted = home.adopted_key(settings)
    _ = services.ALL  # their tables are made now, for no migration makes them later
    ring, store = KeyRing(os.urandom(ROOT_KEY_BYTES)), Store.in_memory()
    with store.transaction(write=True) as transaction:
        deployment, root = home.begin(transaction, settings, ring, adopted)
    shelf = shelf_of(settings, None, store)
    trail = _trail(shelf, ring, settings) if shelf else None
    return Ephemeral(World(deployment, ring, store, trail, settings), root)


def _trail(shelf: Shelf, ring: KeyRing, settings: Settings) -> Trail:
    if isinstance(shelf, Files):
        shelf.make()  # a folder that cannot be had is told at the start
    keeper = Keeper(
        shelf, signer_of(ring), keep_days=settings.audit_keep_days, keep_bytes=settings.audit_keep_bytes
    )
    return Trail(shelf, rotate_bytes=settings.audit_rotate_bytes, keeper=keeper)


def _nowhere(event: Event) -> None:
    """The audit of an ephemeral server that was given no folder."""
