"""What no single setting can know of the others; and what a value should look like."""

from __future__ import annotations

import typing
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from msgspec import Meta

from bailiwick.app import throttling
from bailiwick.core.loopback import is_here

if TYPE_CHECKING:
    from bailiwick.app.settings import Settings


def trouble(settings: Settings) -> str | None:
    """Why these settings cannot be used together; None if they can."""
    if (settings.tls_cert is None) != (settings.tls_key is None):
        return "`tls_cert` and `tls_key` belong together: give both or neither"
    if not (settings.secure or settings.loopback or settings.plaintext_on_network):
        return (
            f"`{settings.host}` can be reached from other machines, and without TLS whoever is on the way can "
            "read and change answers; give --tls-cert and --tls-key, or accept it with --plaintext-on-network"
        )
    try:
        _ = settings.proxies
    except ValueError as error:
        return f"`trusted_proxies`: {error}"
    try:
        _ = settings.issuers_networks
    except ValueError as error:
        return f"`oidc_networks`: {error}"
    try:
        throttling.rates(settings.throttling, ephemeral=settings.ephemeral, workers=settings.workers)
    except ValueError as error:
        return f"`throttling`: {error}"
    if (settings.audit_export_webhook is None) != (settings.audit_export_webhook_secret is None):
        return "`audit_export_webhook` and `audit_export_webhook_secret` belong together: give both"
    for name in ("audit_export_webhook", "audit_export_otlp"):
        url = urlsplit(getattr(settings, name) or "")
        if url.scheme == "http" and not (is_here(url.hostname or "") or settings.plaintext_on_network):
            return (
                f"`{name}` would send the audit trail over the network without TLS; give an https URL, "
                "or accept it with --plaintext-on-network"
            )
    if settings.ephemeral and settings.workers > 1:
        return "`ephemeral` keeps everything in one process: it cannot have several workers"
    if settings.ephemeral and settings.data:
        return "`ephemeral` keeps everything in memory: it cannot have a data folder"
    if settings.ephemeral and settings.database:
        return "`ephemeral` keeps everything in memory: it cannot have a database"
    if settings.credentials_out and not settings.ephemeral:
        return "`credentials_out` is for ephemeral servers; others keep `root-credentials` in data"
    return None


def form(kind: Any) -> str:
    """What a value of this type looks like: its choices, or the title of its pattern; empty if it has neither."""
    if typing.get_origin(kind) is typing.Literal:
        return f"one of {', '.join(typing.get_args(kind))}"
    parts = typing.get_args(kind)
    titles = [part.title for part in parts if isinstance(part, Meta) and part.title]
    return next((said for said in [*titles, *map(form, parts)] if said), "")
