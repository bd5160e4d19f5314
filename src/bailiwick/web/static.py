"""Style sheets, scripts and pictures: read once, served under an address that changes with what is in them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

_KINDS = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".woff2": "font/woff2",
}


class Static:
    """The files of these folders, by name."""

    def __init__(self, folders: Sequence[Path]) -> None:
        """Raises ValueError for two files of one name."""
        self._files: dict[str, tuple[str, bytes]] = {}
        self._urls: dict[str, str] = {}
        for path in (path for folder in folders if folder.is_dir() for path in sorted(folder.iterdir())):
            if path.suffix not in _KINDS:
                continue
            if path.name in self._urls:
                raise ValueError(f"two static files are called {path.name}")
            body = path.read_bytes()
            url = f"/static/{hashlib.sha256(body).hexdigest()[:12]}/{path.name}"
            self._urls[path.name] = url
            self._files[url] = (_KINDS[path.suffix], body)

    def url(self, name: str) -> str:
        """The address of a file. Raises KeyError."""
        return self._urls[name]

    def find(self, url: str) -> tuple[str, bytes] | None:
        """The content type and bytes of what is at an address."""
        return self._files.get(url)
