"""Takes the README's pictures of the demo's page, and keeps what they show beside them.

    make demo && python -m bench.pictures

It reads out/demo.html and out/demo.jsonl. Beside the pictures it writes demo.jsonl.gz, the demo's
comparisons, and taken.json: each picture's digest and the words in it. Tests render the comparisons
with the code as it is, and fail when README or pictures show something else. It needs a Chromium on
the PATH.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path

from playwright.sync_api import Page, ViewportSize, sync_playwright

PICTURES = Path(__file__).parents[1] / "docs" / "pictures"
SECTIONS = "section[aria-labelledby=gates], section[aria-labelledby=different]"
SHOWN = {"night.png": f"header, {SECTIONS}", "recording.png": "#drawer"}
"""Each picture, and what of the page it is of."""
READY = "html[data-ready]"
VIEW: ViewportSize = {"width": 1200, "height": 900}


def main() -> int:
    """0 when both pictures are written, 4 when there is no browser or no page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("out"), help="where `make demo` wrote")
    parser.add_argument("--into", type=Path, default=PICTURES, help="the folder of the pictures")
    options = parser.parse_args()
    page, lines = options.out / "demo.html", options.out / "demo.jsonl"
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None or not (page.is_file() and lines.is_file()):
        sys.stderr.write(
            f"no {'Chromium on the PATH' if browser is None else f'{page}, {lines}'}\n"
        )
        return 4
    with sync_playwright() as play:
        launched = play.chromium.launch(executable_path=browser, args=["--no-sandbox"])
        try:
            light = launched.new_page(color_scheme="light", viewport=VIEW)
            taken = [_night(light, page, options.into)]
            dark = launched.new_page(color_scheme="dark", viewport=VIEW)
            taken.append(_recording(dark, page, options.into))
        finally:
            launched.close()
    keep(lines.read_bytes(), taken, options.into)
    return 0


def texts(page: Page, selector: str) -> list[str]:
    """The words that a part of the page shows, line by line."""
    shown: list[str] = page.locator(selector).all_inner_texts()
    return [line for text in shown for line in map(str.strip, text.splitlines()) if line]


def open_worst(page: Page) -> None:
    """Open the first row's drawer."""
    page.click("#table tbody tr:first-child a")
    page.wait_for_selector("dialog[open]")


def keep(lines: bytes, taken: Iterable[tuple[str, list[str]]], into: Path) -> None:
    """Write the comparisons and, for each picture, its digest and words."""
    (into / "demo.jsonl.gz").write_bytes(gzip.compress(lines, mtime=0))
    record = {
        name: {"sha256": hashlib.sha256((into / name).read_bytes()).hexdigest(), "texts": shown}
        for name, shown in taken
    }
    text = json.dumps(record, ensure_ascii=False, indent=1) + "\n"
    (into / "taken.json").write_text(text, encoding="utf-8")


def _night(page: Page, source: Path, into: Path) -> tuple[str, list[str]]:
    page.goto(source.resolve().as_uri())
    page.wait_for_selector(READY)
    page.screenshot(path=into / "night.png")
    return "night.png", texts(page, SHOWN["night.png"])


def _recording(page: Page, source: Path, into: Path) -> tuple[str, list[str]]:
    page.goto(source.resolve().as_uri())
    page.wait_for_selector(READY)
    open_worst(page)
    page.screenshot(path=into / "recording.png")
    return "recording.png", texts(page, SHOWN["recording.png"])


if __name__ == "__main__":
    sys.exit(main())
