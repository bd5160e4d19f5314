"""What the settings name of other places where keys are: their code is imported only then."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from bailiwick.app.key_proxies import KeyProxies
from bailiwick.app.settings import Settings, SettingsError
from bailiwick.core.message import Request, Response
from bailiwick.core.peers import Peers
from bailiwick.federation.fetch import Fetcher
from bailiwick.federation.kept import Kept
from bailiwick.pipeline import Pipeline

if TYPE_CHECKING:
    from bailiwick.app.courier import Courier
    from bailiwick.app.hsm import Pkcs11Token
    from bailiwick.app.xks import File


def hsms(settings: Settings) -> Mapping[str, Pkcs11Token]:
    """The operator's HSMs, each opened when it is first asked. Raises SettingsError for a file of no use."""
    if settings.hsm is None:
        return {}
    from bailiwick.app.hsm import HsmError, opened

    try:
        return opened(settings.hsm.expanduser(), os.environ)
    except HsmError as error:
        raise SettingsError(f"`hsm`: {error}") from None


def peers(settings: Settings, home: str, woken: threading.Event) -> Peers:
    """The deployments that share keys with this one, whose home is `home`. Raises SettingsError."""
    if settings.peers is None:
        return Peers()
    from bailiwick.app import peering

    try:
        return peering.read(settings.peers.expanduser(), home, woken)
    except peering.PeeringError as error:
        raise SettingsError(f"`peers`: {error}") from None


def courier(pipeline: Pipeline) -> Courier:
    """What tells the peers of keys."""
    from bailiwick.app.courier import Courier
    from bailiwick.app.peering import Road

    return Courier(pipeline, Road(pipeline.environment.peers).post)


def key_proxies(settings: Settings) -> KeyProxies:
    """The way to proxies that the settings give. Raises SettingsError."""
    seconds, places = 1.0, {}
    if settings.xks is not None:
        found = _file(settings.xks)
        seconds, places = found.timeout, found.proxies
    return KeyProxies(Kept(Fetcher(settings.issuers_networks, seconds=seconds, limit=32_768)), places)


def xks_proxy(settings: Settings, pipeline: Pipeline) -> Callable[[Request], Response] | None:
    """What answers other key services, if the settings let any in. Raises SettingsError."""
    if settings.xks is None:
        return None
    from bailiwick.app import xks

    try:
        clients = xks.clients(_file(settings.xks))
    except xks.XksError as error:
        raise SettingsError(f"`xks`: {error}") from None
    return xks.XksProxy(pipeline, clients) if clients else None


def _file(path: Path) -> File:
    from bailiwick.app import xks

    try:
        return xks.read(path.expanduser())
    except xks.XksError as error:
        raise SettingsError(f"`xks`: {error}") from None
