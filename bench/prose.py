"""How long the sentences of our documents are: the median and the longest of each page.

    python -m bench.prose [FILE ...]      without files: README, CHANGELOG, CONTRIBUTING and docs/

Code blocks, tables, headings, pictures and the bold words that open a paragraph are not sentences.
A list item is a paragraph. Text in backticks is one word. A colon or a semicolon ends nothing.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from statistics import median

ROOT = Path(__file__).parents[1]
OPENING = re.compile(r"^\s*(?:\*\*[^*]+[.?]\*\*|\*[^*]+[.?]\*)\s")
ITEM = re.compile(r"^[ ]*(?:[-*]|\d+\.)[ ]+", re.MULTILINE)
CODE = re.compile(r"``.+?``|`[^`]+`", re.DOTALL)
LINK = re.compile(r"\[([^\]]*)\]\([^)]*\)")
END = re.compile(r"(?<=[.!?])[)*_\"']*\s+(?=[\"'(*_]*[A-Z0-9`])")


def sentences(markdown: str) -> Iterator[str]:
    """Each sentence of the running text, on one line, code as the word `code`."""
    text = re.sub(r"(?ms)^[ ]*```.*?^[ ]*```[ ]*$|<!--.*?-->", "\n\n", markdown)
    text = re.sub(r"(?m)^(?:[ ]*\||#+ |!\[).*$", "\n", text)
    text = ITEM.sub("\n\n", LINK.sub(r"\1", CODE.sub("Code", text)))
    for paragraph in re.split(r"\n[ ]*\n", text):
        for sentence in END.split(" ".join(OPENING.sub("", paragraph).split())):
            if re.search(r"\w", sentence):
                yield sentence


def words(sentence: str) -> int:
    """How many words it has; a dash or a sign alone is none."""
    return sum(bool(re.search(r"\w", word)) for word in sentence.split())


def pages() -> list[Path]:
    """What a reader is sent to."""
    heads = [ROOT / name for name in ("README.md", "CHANGELOG.md", "CONTRIBUTING.md")]
    return [*heads, *sorted((ROOT / "docs").rglob("*.md"))]


def main() -> int:
    """Print the table, longest sentence in words."""
    chosen = [Path(name) for name in sys.argv[1:]] or pages()
    print("| page | sentences | median | longest |")
    print("|---|--:|--:|--:|")
    whole: list[int] = []
    for page in chosen:
        lengths = [words(s) for s in sentences(page.read_text(encoding="utf-8"))]
        print(_row(page.relative_to(ROOT) if page.is_relative_to(ROOT) else page, lengths))
        whole += lengths
    print(_row("all of them", whole))
    return 0


def _row(name: object, lengths: list[int]) -> str:
    return f"| {name} | {len(lengths)} | {median(lengths or [0]):g} | {max(lengths, default=0)} |"


if __name__ == "__main__":
    sys.exit(main())
