"""Chromium for tests: a browser of the distribution, driven by playwright, that looks at each page it comes to.

with Tab(chromium, endpoint) as tab:      # a browser context of its own: cookies, nobody else's
    tab.go("/signin")
    tab.fill("Account ID or alias", "123456789012")
    tab.press("Sign in")
    tab.looks_good("signin")              # axe, 360 px, a picture for the docs if --pictures was given
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
PICTURES = ROOT / "docs" / "images"
_DOCUMENTS = [*(ROOT / "docs").rglob("*.md"), ROOT / "README.md"]
_AXE = Path(__file__).parent / "javascript" / "node_modules" / "axe-core" / "axe.min.js"
_SECONDS = 15
_NARROW, _WIDE = {"width": 360, "height": 740}, {"width": 1180, "height": 760}


def chromium_path() -> str | None:
    """The distribution's Chromium, or None."""
    return shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@contextmanager
def chromium() -> Iterator[Any]:
    """A browser. Skips the test where there is none, and says why."""
    path = chromium_path()
    if path is None:
        pytest.skip("no Chromium here: scripts/test installs it where it is root")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        arguments = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"]
        browser = playwright.chromium.launch(executable_path=path, args=arguments)
        yield browser
        browser.close()


class Tab:
    """One page in a browser context of its own. Whatever its console says of an error fails the test."""

    def __init__(self, browser: Any, endpoint: str, pictures: bool = False, **options: Any) -> None:
        self.endpoint = endpoint
        self.pictures = pictures
        options = {"viewport": _WIDE, "locale": "en-US", "reduced_motion": "reduce", **options}
        self.context = browser.new_context(base_url=endpoint, **options)  # no color is seen on its way to another
        self.context.set_default_timeout(_SECONDS * 1000)
        self.page = self.context.new_page()
        self.troubles: list[str] = []
        self.page.on("pageerror", lambda error: self.troubles.append(str(error)))
        self.page.on("console", self._hear)

    def __enter__(self) -> Tab:
        return self

    def __exit__(self, *_: object) -> None:
        self.context.close()

    def _hear(self, message: Any) -> None:
        if message.type == "error" and "status of 4" not in message.text:  # a refused password is no trouble
            self.troubles.append(message.text)

    # -- What a person does -------------------------------------------------------------------------------

    def go(self, path: str) -> None:
        """Ask for a page."""
        self.page.goto(path)

    def fill(self, label: str, text: str) -> None:
        """Write into a field."""
        self.page.get_by_label(label, exact=False).first.fill(text)

    def press(self, name: str, within: str | None = None) -> None:
        """Press a button, and wait for what comes."""
        scope = self.page.locator(within) if within else self.page
        with self.page.expect_navigation():
            scope.get_by_role("button", name=name, exact=True).first.click()

    def follow(self, name: str) -> None:
        """Follow a link, and wait for what comes."""
        with self.page.expect_navigation():
            self.page.get_by_role("link", name=name).first.click()

    def open(self, summary: str) -> None:
        """Open what is folded."""
        self.page.locator("summary", has_text=summary).first.click()

    # -- What a test sees -----------------------------------------------------------------------------------

    @property
    def path(self) -> str:
        """Where the browser is."""
        return str(self.page.url).removeprefix(self.endpoint)

    @property
    def words(self) -> str:
        """What the page says."""
        return str(self.page.locator("body").inner_text())

    def looks_good(self, picture: str = "", *, dark: bool = False) -> None:
        """No accessibility finding, nothing wider than a narrow screen, no trouble in the console."""
        assert not self.troubles, self.troubles
        self._is_accessible()
        self.page.set_viewport_size(_NARROW)
        wide = self.page.evaluate("document.documentElement.scrollWidth")
        assert wide <= _NARROW["width"], f"{self.path} is {wide} px wide on a screen of {_NARROW['width']}"
        if picture and self.pictures:
            self._picture(f"{picture}-narrow")
        self.page.set_viewport_size(_WIDE)
        if picture and self.pictures:
            self._picture(picture)
            self.page.emulate_media(color_scheme="dark")
            self._picture(f"{picture}-dark")
        if dark or (picture and self.pictures):
            self.page.emulate_media(color_scheme="dark")
            self._is_accessible()
            self.page.emulate_media(color_scheme="light")

    def _is_accessible(self) -> None:
        found = self.findings()
        assert not found, f"{self.path}: {found}"

    def findings(self) -> list[str]:
        """What axe finds wrong with the page; nothing where axe is not installed."""
        if not _AXE.exists():
            return []
        self.page.evaluate(_AXE.read_text("utf-8"))
        found = self.page.evaluate("async () => (await axe.run()).violations")
        return [f"{each['id']}: {[node['target'] for node in each['nodes']]}" for each in found]

    def _picture(self, name: str) -> None:
        """One that a document shows; no others are kept."""
        if not any(f"images/{name}.png" in document.read_text("utf-8") for document in _DOCUMENTS):
            return
        PICTURES.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=str(PICTURES / f"{name}.png"), animations="disabled")

    def authenticator(self) -> Any:
        """Plug a virtual security key in, through the DevTools protocol."""
        tools = self.context.new_cdp_session(self.page)
        tools.send("WebAuthn.enable", {"enableUI": False})
        options = {
            "protocol": "ctap2",
            "transport": "internal",
            "hasResidentKey": True,
            "hasUserVerification": True,
            "isUserVerified": True,
            "automaticPresenceSimulation": True,
        }
        return tools.send("WebAuthn.addVirtualAuthenticator", {"options": options})["authenticatorId"]
