"""Takes the README's two pictures of a nightly page, as a reader would see it.

    python docs/pictures/take.py out/shadow-2026-11-23.html

The page should come from a real run. Needs a Chromium on the PATH.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

HERE = Path(__file__).parent


def main() -> int:
    """0 when both pictures are written, 4 when there is no browser or no page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("page", type=Path, help="a page written by `migrate report`")
    parser.add_argument("--into", type=Path, default=HERE, help="the folder of the pictures")
    told = parser.parse_args()
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None or not told.page.is_file():
        sys.stderr.write(f"no {'Chromium on the PATH' if browser is None else told.page}\n")
        return 4
    with sync_playwright() as play:
        launched = play.chromium.launch(executable_path=browser, args=["--no-sandbox"])
        try:
            night(launched.new_page(**view("light", 1200, 900)), told.page, told.into)
            recording(launched.new_page(**view("dark", 1200, 900)), told.page, told.into)
        finally:
            launched.close()
    return 0


def view(scheme: str, width: int, height: int) -> dict[str, object]:
    """How a picture is looked at."""
    return {"color_scheme": scheme, "viewport": {"width": width, "height": height}}


def night(page: Page, source: Path, into: Path) -> None:
    """The head of the page: verdict, tiles, gates, what is different."""
    page.goto(source.resolve().as_uri())
    page.wait_for_selector("html[data-ready]")
    page.screenshot(path=into / "night.png")


def recording(page: Page, source: Path, into: Path) -> None:
    """The worst recording's drawer."""
    page.goto(source.resolve().as_uri())
    page.wait_for_selector("html[data-ready]")
    page.click("#table tbody tr:first-child a")
    page.wait_for_selector("dialog[open]")
    page.screenshot(path=into / "recording.png")


if __name__ == "__main__":
    sys.exit(main())
