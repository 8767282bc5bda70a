"""A real Chromium for tests of pages: opened from file://, with all that it asked for and said."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

READY = "html[data-ready]"
FIRST = "#table tbody tr:first-child"


def missing(what: str) -> None:
    """Something the test needs is not there: a failure in CI, loud elsewhere."""
    if os.environ.get("CI"):
        pytest.fail(f"no {what}: the page was not looked at")
    pytest.skip(f"NO {what.upper()}: THE PAGE WAS NOT LOOKED AT")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's Chromium, found on the PATH."""
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
    if found is None:
        missing("chromium")
    with sync_playwright() as play:
        launched = play.chromium.launch(
            executable_path=found, args=["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
        )
        yield launched
        launched.close()


def saved(folder: Path, name: str, page: str) -> str:
    """The page as a file, by its address."""
    path = folder / f"{name}.html"
    path.write_text(page, encoding="utf-8")
    return path.as_uri()


class Watched:
    """A page with everything it asked for and complained about."""

    def __init__(self, browser: Browser, **context) -> None:
        self.context = browser.new_context(**context)
        self.page: Page = self.context.new_page()
        self.requests: list[str] = []
        self.complaints: list[str] = []
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("dialog", lambda dialog: self.complaints.append(f"dialog {dialog.message}"))

    def __enter__(self) -> Watched:
        return self

    def __exit__(self, *_: object) -> None:
        self.context.close()

    def open(self, address: str) -> Page:
        """The page, once its script is done."""
        self.page.goto(address)
        self.page.wait_for_selector(READY)
        return self.page
