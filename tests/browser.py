"""A real browser for the page: Debian's Chromium, driven by Playwright."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright

__all__ = ["Opened", "find_chromium", "open_page", "start_chromium"]

_NAMES = ("chromium", "chromium-browser", "google-chrome")
_OPTIONS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    "--disable-background-networking",
)


def find_chromium() -> str | None:
    """Where it is; None where it is not installed."""
    return next(filter(None, map(shutil.which, _NAMES)), None)


@contextmanager
def start_chromium() -> Iterator[Browser]:
    """A browser without a window."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=list(_OPTIONS))
        try:
            yield browser
        finally:
            browser.close()


@dataclass(frozen=True)
class Opened:
    """A page that is shown, and what it did that it must not: messages, errors, requests, dialogs."""

    page: Page
    noise: list[str] = field(default_factory=list)


@contextmanager
def open_page(browser: Browser, file: Path, **options: Any) -> Iterator[Opened]:
    """Show a file as somebody would who opens it; ``options`` are those of a browser's context."""
    with browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **options}) as context:
        page = context.new_page()
        opened = Opened(page)
        page.on("console", lambda message: opened.noise.append(f"console: {message.text}"))
        page.on("pageerror", lambda error: opened.noise.append(f"error: {error}"))
        page.on("dialog", lambda dialog: opened.noise.append(f"dialog: {dialog.message}"))
        page.on("request", lambda request: opened.noise.append(f"request: {request.url[:200]}"))
        page.goto(file.as_uri())
        opened.noise.remove(f"request: {file.as_uri()}")
        opened.noise[:] = [noise for noise in opened.noise if not noise.startswith("request: data:")]
        yield opened
