"""Judges the stored observations of fixtures/golden.

`python -m tests.golden --write` judges all and writes fixtures/golden/judgements; `git diff` then
shows which conclusion changed. No engine runs here.
"""

from __future__ import annotations

import hashlib
import json
import lzma
import struct
import sys
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

from fixtures.reports.nights import awkward, night
from reflector_migrate.judge.compare import compare
from reflector_migrate.judge.cross_run import divergences
from reflector_migrate.judge.explanation import explanation_of
from reflector_migrate.judge.noise import MIN_PAIRS, floors_of, stratum_of
from reflector_migrate.judge.waivers import Waiver
from reflector_migrate.model import Comparison, Observation, gist_of

GOLDEN = Path(__file__).parents[1] / "fixtures" / "golden"
OBSERVATIONS, JUDGEMENTS = GOLDEN / "observations", GOLDEN / "judgements"
BASE = "candidate"  # the unaltered one
LONG, WIDTH = 240, 200  # letters
ADDED = frozenset({
    "fact", "is_of_words", "public_path", "reference_amount", "hypothesis_amount",
    "outputs_by", "parts",
})  # fmt: skip
"""Typed fields that findings, measures and links got since: left out, so that the rest is held."""
IN_A_NIGHT = 24
ALWAYS = ("verdict", "first_divergent_step")
TODAY = date(2026, 3, 2)
WAIVERS = (
    Waiver("summary_facts", "the summary is rewritten", "ana", date(2026, 3, 2), cap=1),
    Waiver("*_summary", "the summary is rewritten", "ana", date(2026, 3, 1)),
    Waiver("row/*", "rows are cleaned by another tool", "bob", date(2026, 4, 1)),
    Waiver("title*", "legacy's title is known to be wrong", is_improvement=True),
    Waiver("waveform/length", "legacy drops the last", is_improvement=True, legacy=254, fixed=255),
)

Seen = Mapping[str, Observation]
Case = tuple[str, Comparison]


def recordings() -> list[str]:
    """The names of all archives."""
    return sorted(path.name.removesuffix(".jsonl.xz") for path in OBSERVATIONS.iterdir())


def judgement_of(seen: Seen) -> str:
    """All that is concluded of one recording's observations, as its file holds it."""
    cases = {name: document(comparison) for name, comparison in cases_of(seen)}
    return f"{text_of(told_once(cases))}\n"


def judgement_of_reports() -> str:
    """What a night counts of the reports' synthetic comparisons."""
    gists = {
        f"{number} {comparison.recording}": shortened(plain(gist_of(comparison)._asdict()))
        for number, comparison in enumerate([*night(IN_A_NIGHT).comparisons, awkward()])
    }
    return f"{text_of(gists)}\n"


def cases_of(seen: Seen) -> Iterator[Case]:
    """Every candidate against its primary, alone and beside a second legacy run.

    Where no other legacy run is stored the primary is the second one too.
    """
    primaries = {name: run for name, run in seen.items() if "primary" in name}
    candidates = [name for name in seen if "primary" not in name and "secondary" not in name]
    for name in (name for name in candidates if not name.startswith("noisy")):
        primary = primaries.get(f"primary of {name}", primaries.get("primary"))
        second = seen.get("secondary", primary).model_copy(update={"role": "secondary"})
        yield name, compare(primary, seen[name])
        repeated = compare(primary, seen[name], secondary=second, is_repeatable=True)
        yield f"{name}, secondary", repeated
    if "noisy primary 1" in seen:
        yield from noisy_cases(seen, [name for name in candidates if name.startswith("noisy")])
    primary, candidate = primaries["primary"], seen[BASE]
    yield "sides changed", compare(candidate, primary)
    for status in ("failed", "timed_out", "running", "missing"):
        ended = {"status": status, "error": f"it {status}"}
        yield f"candidate {status}", compare(primary, candidate.model_copy(update=ended))
        yield f"primary {status}", compare(primary.model_copy(update=ended), candidate)


def noisy_cases(seen: Seen, candidates: Iterable[str]) -> Iterator[Case]:
    """Answers that are never alike: beside further runs, floors of few and of many pairs, waivers.

    The third legacy run and the second of the candidate are the worst ones.
    """
    first, second, third = (seen[f"noisy primary {number}"] for number in (1, 2, 3))
    second = second.model_copy(update={"role": "secondary"})
    stratum = stratum_of(first)
    pairs = [
        (stratum, divergences(mine, theirs))
        for mine, theirs in ((first, second), (first, third), (second, third))
    ]
    few, many = floors_of(pairs), floors_of(pairs * (MIN_PAIRS // len(pairs) + 1))
    for name in candidates:
        beside = partial(compare, first, seen[name])
        yield f"{name}, secondary", beside(secondary=second)
        if name in ("noisy 4", "noisy 5"):
            yield f"{name}, few pairs", beside(floors=few)
        yield f"{name}, many pairs", beside(floors=many, secondary=second)
        yield f"{name}, waivers", beside(floors=many, waivers=WAIVERS, today=TODAY)
    earlier = compare(first, seen["noisy 4"], secondary=second, earlier=seen["noisy 5"])
    yield "noisy 4, earlier", earlier
    yield "noisy 4, waivers without a date", compare(first, seen["noisy 4"], waivers=WAIVERS)


def document(comparison: Comparison) -> dict[str, Any]:
    """The comparison and its chain of evidence, but for what only repeats an observation."""
    whole = comparison.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    whole = {"verdict": whole.pop("verdict"), **whole}
    for side in ("primary", "candidate", "secondary"):
        for copied in ("steps", "started", "ended"):
            whole.get(side, {}).pop(copied, None)
    whole["checks"] = {check.pop("name"): check for check in whole.get("checks", ())}
    told = explanation_of(comparison, comparison.recording, ())
    chain = told.model_dump(mode="json", exclude_defaults=True).get("chain", ())
    whole["chain"] = {
        f"{link['step']} {link.get('track_index', '')}".strip(): {
            key: value
            for key, value in link.items()
            if key not in ("step", "track_index", "reference", "hypothesis")
        }
        for link in chain
    }
    found: dict[str, Any] = shortened(whole)
    return found


def told_once(cases: Mapping[str, Any]) -> dict[str, Any]:
    """What is as in an earlier case, named by `others as`, is left out; None if it is missing."""
    found = {}
    for name, case in cases.items():
        like = earlier_case(name)
        found[name] = case
        if like != name:
            usual = cases[like]
            parts = {part: differing(case[part], usual[part]) for part in ("checks", "chain")}
            kept = {k: v for k, v in case.items() if k in ALWAYS or usual.get(k) != v}
            gone = dict.fromkeys(key for key in usual if key not in case)
            found[name] = {"others as": like, **kept, **gone, **parts}
    return found


def earlier_case(name: str) -> str:
    """The case that this one is shown as a difference from; itself if it is shown whole."""
    if name.startswith("noisy"):
        return f"{name.partition(', ')[0]}, secondary"
    return f"{BASE}, secondary" if name.endswith(", secondary") else BASE


def differing(case: Mapping[str, Any], usual: Mapping[str, Any]) -> dict[str, Any]:
    """The entries and fields that are not as usual; of such an entry the verdict is shown too."""
    found: dict[str, Any] = dict.fromkeys(key for key in usual if key not in case)
    for key, entry in case.items():
        before = usual.get(key, {})
        if entry != before:
            gone = dict.fromkeys(field for field in before if field not in entry)
            changed = {
                field: value
                for field, value in entry.items()
                if field == "verdict" or before.get(field) != value
            }
            found[key] = changed | gone
    return found


def shortened(value: Any) -> Any:
    """A long text by its beginning and a digest of the whole; without ADDED fields."""
    if isinstance(value, str) and len(value) > LONG:
        digest = hashlib.sha256(value.encode()).hexdigest()[:12]
        return f"{value[: LONG // 2]}… {len(value)} letters, {digest}"
    if isinstance(value, dict):
        return {key: shortened(item) for key, item in value.items() if key not in ADDED}
    if isinstance(value, list):
        return [shortened(item) for item in value]
    return value


def plain(gist: Mapping[str, Any]) -> dict[str, Any]:
    """A gist with its columns of JSON and of numbers unpacked."""
    found: dict[str, Any] = {}
    for key, value in gist.items():
        if isinstance(value, bytes):
            found[key] = list(struct.unpack(f"<{len(value) // 8}d", value))
        elif key in ("checks", "graded", "told") and value:
            found[key] = json.loads(value)
            if key == "told":  # without the columns added since
                found[key] = [group[:9] for group in found[key]]
        else:
            found[key] = value
    return found


def text_of(value: Any, indent: str = "") -> str:
    """JSON in which whatever fits is on one line, and every plain list."""
    line = json.dumps(value, ensure_ascii=False)
    is_open = isinstance(value, dict) or (
        isinstance(value, list) and any(isinstance(item, dict | list) for item in value)
    )
    if len(indent + line) <= WIDTH or not is_open:
        return line
    inner = f"{indent} "
    if isinstance(value, list):
        items = [f"{inner}{text_of(item, inner)}" for item in value]
    else:
        items = [f"{inner}{json.dumps(key)}: {text_of(value[key], inner)}" for key in value]
    opened, closed = "[]" if isinstance(value, list) else "{}"
    return f"{opened}\n" + ",\n".join(items) + f"\n{indent}{closed}"


def judgement_file(recording: str) -> Path:
    """Where the conclusion is stored."""
    return JUDGEMENTS / f"{recording}.json"


def packed(seen: Mapping[str, str]) -> bytes:
    """Observations by name, each a JSON text, as an archive."""
    lines = [f'{{"name": {json.dumps(name)}, "observation": {seen[name]}}}\n' for name in seen]
    return lzma.compress("".join(lines).encode(), preset=9)


def texts_in(archive: bytes) -> dict[str, str]:
    """The observations of an archive by name, each a JSON text."""
    lines = map(json.loads, lzma.decompress(archive).decode().splitlines())
    return {line["name"]: json.dumps(line["observation"]) for line in lines}


def observations_of(recording: str) -> dict[str, Observation]:
    """The stored observations of a recording, by name."""
    texts = texts_in(archive_of(recording).read_bytes())
    return {name: Observation.model_validate_json(text) for name, text in texts.items()}


def archive_of(recording: str) -> Path:
    """Where they are stored."""
    return OBSERVATIONS / f"{recording}.jsonl.xz"


def main() -> None:
    """Write what is concluded today."""
    if sys.argv[1:] != ["--write"]:
        raise SystemExit("usage: python -m tests.golden --write")
    JUDGEMENTS.mkdir(exist_ok=True)
    for recording in recordings():
        text = judgement_of(observations_of(recording))
        judgement_file(recording).write_text(text, encoding="utf-8")
    judgement_file("reports").write_text(judgement_of_reports(), encoding="utf-8")


if __name__ == "__main__":
    main()
