"""Which changed sentences a check of facts sees, and which paraphrases it takes for changes.

    python -m bench.wordings [--page FILE]

fixtures/wording has the texts. A legacy run words each sentence in one of three ways; two of
them are a pair, sixty pairs are the floors. A candidate is the primary but for one sentence.
"""

from __future__ import annotations

import argparse
import random
import tomllib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reflector_migrate.judge.compare import compare
from reflector_migrate.judge.cross_run import divergences
from reflector_migrate.judge.noise import NoiseFloors, floors_of, stratum_of
from reflector_migrate.model import (
    Check,
    Event,
    Observation,
    Outputs,
    Participant,
    Role,
    Verdict,
    Word,
)

FOLDER = Path(__file__).parents[1] / "fixtures" / "wording"
PAIRS, SEED = 60, 11
CHECK = "summary_facts"
SHOWN = {Verdict.DIVERGED: "seen", Verdict.INCONCLUSIVE: "doubted"}


@dataclass(frozen=True)
class Meeting:
    """Sentences in three wordings, and what is tried on them."""

    name: str
    language: str
    people: tuple[str, ...]
    sentences: tuple[tuple[str, ...], ...]
    changes: tuple[dict[str, Any], ...]
    paraphrases: tuple[dict[str, Any], ...]

    @classmethod
    def read(cls, path: Path) -> Meeting:
        """The meeting in a file."""
        found = tomllib.loads(path.read_text("utf-8"))
        return cls(
            path.stem,
            found["language"],
            tuple(found["people"]),
            tuple((one["said"], *one["also"]) for one in found["sentences"]),
            tuple(found["changes"]),
            tuple(found["paraphrases"]),
        )

    def run(self, texts: list[str], role: Role = Role.PRIMARY) -> Observation:
        """A run with that summary; what is said is the same in all."""
        spoken = " ".join(wordings[0] for wordings in self.sentences).split()
        words = tuple(
            Word(text=f"{text} ", start=n * 0.5, end=n * 0.5 + 0.4, speaker=0)
            for n, text in enumerate(spoken)
        )
        people = tuple(
            Participant(id=f"p{n}", speaker=n, name=name) for n, name in enumerate(self.people)
        )
        return Observation(
            recording=self.name, role=role, engine="celery", status="completed",
            language=self.language, track_count=3,
            outputs=Outputs(words=words, participants=people, duration_ms=60_000.0,
                            long_summary=" ".join(texts), row={"id": "t", "status": "ended"}),
            events=(Event(event="STATUS", data={"value": "ended"}),),
        )  # fmt: skip

    def worded(self, rng: random.Random) -> list[str]:
        """The summary of one more legacy run."""
        return [rng.choice(wordings) for wordings in self.sentences]

    def floors(self) -> NoiseFloors:
        """Of sixty pairs."""
        rng = random.Random(SEED)
        pairs = [(self.run(self.worded(rng)), self.run(self.worded(rng))) for _ in range(PAIRS)]
        return floors_of((stratum_of(one), divergences(one, other)) for one, other in pairs)

    def judged(self, trial: dict[str, Any], floors: NoiseFloors) -> Check:
        """The check of a candidate that is the primary but for the trial's sentence."""
        plain = [wordings[0] for wordings in self.sentences]
        changed = [*plain[: trial["of"]], trial["text"], *plain[trial["of"] + 1 :]]
        found = compare(self.run(plain), self.run(changed, Role.CANDIDATE), floors=floors)
        return next(check for check in found.checks if check.name == CHECK)


def meetings() -> list[Meeting]:
    """All of them."""
    return [Meeting.read(path) for path in sorted(FOLDER.glob("*.toml"))]


def tried() -> Iterator[tuple[str, str, Check]]:
    """(kind, text, check) of every change, and of every paraphrase under that name."""
    for meeting in meetings():
        floors = meeting.floors()
        for trial in meeting.changes:
            yield trial["kind"], trial["text"], meeting.judged(trial, floors)
        for trial in meeting.paraphrases:
            yield "paraphrase", trial["text"], meeting.judged(trial, floors)


def page(found: list[tuple[str, str, Check]]) -> Iterator[str]:
    """The table, and each text that is judged wrong."""
    counted = Counter((kind, SHOWN.get(check.verdict, "not seen")) for kind, _, check in found)
    kinds = dict.fromkeys(kind for kind, *_ in found if kind != "paraphrase")
    yield "| changed | of | DIVERGED | INCONCLUSIVE | not seen |"
    yield "|---|---|---|---|---|"
    for kind in (*sorted(kinds), "paraphrase"):
        numbers = [counted[kind, how] for how in ("seen", "doubted", "not seen")]
        yield f"| {kind} | {sum(numbers)} | {' | '.join(map(str, numbers))} |"
    yield ""
    for kind, text, check in found:
        if (kind == "paraphrase") is (check.verdict is Verdict.DIVERGED):
            findings = check.measure.findings if check.measure else ()
            why = "; ".join(finding.message for finding in findings) or "no finding"
            yield f"- {kind}: “{text}” {check.verdict} ({why})"


def main() -> None:
    """Print the page, or write it."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--page", default="", help="a Markdown file to write")
    options = parser.parse_args()
    lines = list(page(list(tried())))
    print("\n".join(lines))
    if options.page:
        title = "# Changes and paraphrases\n\n`python -m bench.wordings` wrote this page.\n"
        Path(options.page).write_text("\n".join([title, *lines]) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
