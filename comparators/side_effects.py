"""Exact: the same messages, webhooks, deletions and stored objects, each as often.

A suppressed effect (a candidate in shadow) counts as done: what would have been
sent is compared. Payloads are compared in structure and in everything that is
not volatile (see masking.py) or the run's own text. What a side does not show
(unseen.py) concludes nothing.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from comparators.exact_measure import as_finding, exact
from comparators.payload.fields import DURATION_TOLERANCE_MS, public_effect
from comparators.payload.masking import anonymous, canonical, named_topics, without_topics
from comparators.payload.records import differences
from comparators.unseen import kinds_unseen
from reflector_migrate.model import (
    STEP_SPECS,
    Amount,
    Effect,
    Finding,
    Measure,
    Observation,
    Severity,
    Unit,
)

STEPS: Mapping[str, str] = {kind: spec.name for spec in STEP_SPECS for kind in spec.effects}
Name = tuple[str, str]
"""An effect's kind and its canonical key."""

LOCAL = "local_put"
DRAWING = "audio.json"
"""What a player draws; of other local files only the size is compared."""

SIZE_PARTS = 20
"""Encoders of another version and random container ids change sizes by less than
1/SIZE_PARTS."""

ENCODED = (".mp3", ".webm", "audio.json")
"""Objects whose bytes an encoder's version or a rounding may change; others are determined."""

CONTENT = frozenset({"body", "content", "topic"})
"""What is compared even if only one side has it; of the envelope only what both recorded."""
HEADERS = frozenset({"content-type", "user-agent", "x-webhook-event", "x-webhook-signature"})
"""The contract's headers; the rest is the HTTP client's own."""

_PADDED = re.compile(r"(?:^|/)tracks/padded_(\d+)\.webm$")
_NAMED = re.compile(r"(?:^|/)(?:<id>|[^/<]*<id>)/(audio\.mp3|audio\.json)$")


def canonical_key(effect: Effect, observation: Observation) -> str:
    """The effect's key without ids and namespaces: which object, not where it is kept."""
    if effect.kind.startswith(("zulip", "webhook")):
        return "*"
    key = anonymous(effect.key, observation)
    padded = _PADDED.search(key)
    if padded:
        return f"padded_{padded.group(1)}.webm"
    named = _NAMED.search(key)
    return named.group(1) if named else key


def step_of(kind: str, key: str) -> str:
    """The step answerable for an effect's content."""
    if key.startswith("padded_"):
        return "pad_track"
    if key == DRAWING:
        return "generate_waveform"
    return STEPS.get(kind, "finalize")


def _counted_step(name: Name, differing: Sequence[Name]) -> str:
    """The step answerable for too many or too few: of an object left behind, the one that deletes.

    Padded tracks are deleted by the merge; any other object whose deletion differs as well
    stands there because of that.
    """
    kind, key = name
    if key.startswith("padded_"):
        return "merge_transcripts"
    deletion = kind.replace("_put", "_delete")
    is_undeleted = deletion != kind and (deletion, key) in differing
    return step_of(deletion if is_undeleted else kind, key)


def compare_side_effects(reference: Observation, hypothesis: Observation) -> Measure:
    """Counts of every effect, then the payloads and sizes of those on both sides."""
    mine, theirs = _grouped(reference), _grouped(hypothesis)
    why, unseen = kinds_unseen(reference, hypothesis), ""
    if hidden := _hidden({*mine, *theirs}, why):
        unseen = "; ".join(dict.fromkeys(hidden.values()))
        mine, theirs = _without(mine, hidden), _without(theirs, hidden)
    counts = _counts(mine), _counts(theirs)
    differing = [n for n in sorted({*counts[0], *counts[1]}) if counts[0][n] != counts[1][n]]
    findings = [
        _count_finding(*name, counts[0][name], counts[1][name], _counted_step(name, differing))
        for name in differing
    ]
    for name in sorted(set(mine) & set(theirs)):
        for pair in zip(mine[name], theirs[name], strict=False):
            findings += _content(name, *pair, reference, hypothesis)
    measure = exact(
        "side_effects",
        findings[0].step or "finalize" if findings else "finalize",
        max(counts[0].total(), counts[1].total()),
        findings,
        reference_text=_summary(counts[0]),
        hypothesis_text=_summary(counts[1], hypothesis),
        reference_amount=Amount(unit=Unit.EFFECT, number=counts[0].total()),
        hypothesis_amount=Amount(unit=Unit.EFFECT, number=counts[1].total()),
    )
    return measure if findings else measure.model_copy(update={"inconclusive": unseen})


def _hidden(names: Collection[Name], why: Mapping[str, str]) -> dict[Name, str]:
    """Effects that are not compared, by why; with a deletion also what it would have left."""
    hidden = {name: why[name[0]] for name in sorted(names) if name[0] in why}
    left = {(kind.replace("_delete", "_put"), key): why[kind] for kind, key in hidden}
    return {**hidden, **{name: reason for name, reason in left.items() if name in names}}


def _without(
    groups: Mapping[Name, list[Effect]], hidden: Collection[Name]
) -> dict[Name, list[Effect]]:
    return {name: effects for name, effects in groups.items() if name not in hidden}


def _grouped(observation: Observation) -> dict[Name, list[Effect]]:
    """Effects by kind and canonical key; intermediates that were put and deleted left no trace.

    Deleted is what was deleted under the very key it was put at; else it still stands.
    """
    deleted = {effect.key for effect in observation.effects if effect.kind == "s3_delete"}
    groups: dict[Name, list[Effect]] = {}
    for effect in observation.effects:
        key = canonical_key(effect, observation)
        is_passing = effect.kind == "s3_delete" or (
            effect.kind == "s3_put" and effect.key in deleted
        )
        if not (is_passing and key.startswith("padded_")):
            groups.setdefault((effect.kind, key), []).append(effect)
    return groups


def _counts(groups: Mapping[Name, list[Effect]]) -> Counter[Name]:
    """How often each was done; a delivery tried again with one event id is one."""
    return Counter({name: sum(e.count for e in effects) for name, effects in groups.items()})


def _summary(counts: Counter[Name], observation: Observation | None = None) -> str:
    """`1 webhook, 4 s3_put`."""
    kinds = Counter[str]()
    for (kind, _), times in counts.items():
        kinds[kind] += times
    text = ", ".join(f"{times} {kind}" for kind, times in sorted(kinds.items())) or "none"
    suppressed = observation and any(effect.suppressed for effect in observation.effects)
    return f"{text} (suppressed)" if suppressed else text


def _count_finding(kind: str, key: str, reference: int, hypothesis: int, step: str) -> Finding:
    """Too few or too many; a deletion skipped or a message doubled is critical."""
    path = f"side_effects/{kind}/{key}" if key != "*" else f"side_effects/{kind}"
    what = kind if key in ("", "*") else f"{kind} {key}"
    changed = "missing" if hypothesis < reference else "extra"
    critical = kind in {"webhook", "zulip_message", "s3_delete", "local_delete"}
    return Finding(
        path=path,
        public_path=_public(kind, key),
        step=step,
        severity=Severity.CRITICAL if critical else Severity.MAJOR,
        kind=changed,
        reference=reference,
        hypothesis=hypothesis,
        message=f"{what} {changed}: {reference} and {hypothesis}",
    )


def _public(kind: str, key: str) -> str:
    """The path without what an object is called."""
    named = f"side_effects/{public_effect(kind)}"
    return named if key == "*" else f"{named}/*"


def _content(
    name: Name, mine: Effect, theirs: Effect, reference: Observation, hypothesis: Observation
) -> list[Finding]:
    """Payload and size of one effect that both sides have."""
    kind, key = name
    step = step_of(kind, key)
    path = f"side_effects/{kind}" if key == "*" else f"side_effects/{kind}/{key}"
    found = differences(
        *_comparable(payload_of(mine, reference), payload_of(theirs, hypothesis)),
        {"duration": DURATION_TOLERANCE_MS},
    )
    shown = f"{_public(kind, key)}/payload"
    findings = [as_finding(f"{path}/payload", d, step, public_prefix=shown) for d in found]
    return findings + (
        _size_finding(path, step, mine, theirs) or _hash_finding(path, step, mine, theirs)
    )


def _size_finding(path: str, step: str, reference: Effect, hypothesis: Effect) -> list[Finding]:
    """Files and objects of another size class; unknown sizes are not compared.

    Of a local drawing it is compared what it shows, not how many digits it is written with.
    """
    sizes = reference.size_bytes, hypothesis.size_bytes
    is_sized = reference.kind == "s3_put" or (reference.kind == LOCAL and reference.key != DRAWING)
    if None in sizes or not is_sized:
        return []
    first, second = int(sizes[0] or 0), int(sizes[1] or 0)
    if abs(first - second) * SIZE_PARTS <= max(first, second):
        return []
    return [
        Finding(
            path=f"{path}/size",
            public_path=f"{_public(reference.kind, '')}/size",
            step=step,
            reference=first,
            hypothesis=second,
            message=f"{first} bytes against {second}",
        )
    ]


def _hash_finding(path: str, step: str, reference: Effect, hypothesis: Effect) -> list[Finding]:
    """Other bytes in an object whose bytes are determined; unknown hashes are not compared."""
    hashes = reference.sha256, hypothesis.sha256
    is_determined = reference.kind == "s3_put" and not reference.key.endswith(ENCODED)
    if not is_determined or None in hashes or hashes[0] == hashes[1]:
        return []
    return [
        Finding(
            path=f"{path}/content",
            public_path=f"{_public(reference.kind, '')}/content",
            step=step,
            reference=hashes[0],
            hypothesis=hashes[1],
            message="other content of the same size class",
        )
    ]


def payload_of(effect: Effect, observation: Observation) -> dict[str, Any]:
    """The payload as compared: JSON bodies parsed, own topics named, volatile values marked."""
    payload = {key: _parsed(value) for key, value in effect.payload.items()}
    if effect.kind.startswith("zulip"):
        payload = {key: without_topics(value, observation) for key, value in payload.items()}
    else:
        payload = {key: named_topics(value, observation) for key, value in payload.items()}
    if isinstance(payload.get("headers"), Mapping):
        headers = {str(key).lower(): value for key, value in payload["headers"].items()}
        payload["headers"] = {key: v for key, v in headers.items() if key in HEADERS}
    marked: dict[str, Any] = canonical(payload, observation)
    return marked


def _comparable(
    reference: dict[str, Any], hypothesis: dict[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Both payloads without envelope fields that only one side's recorder kept."""
    kept = (set(reference) & set(hypothesis)) | CONTENT
    return _only(reference, kept), _only(hypothesis, kept)


def _only(payload: dict[str, Any], names: set[str]) -> dict[str, Any]:
    return {key: value for key, value in payload.items() if key in names}


def _parsed(value: Any) -> Any:
    """A JSON text as what it says; anything else as it is."""
    if isinstance(value, str) and value.lstrip()[:1] in {"{", "["}:
        try:
            return json.loads(value, parse_constant=str)  # a NaN would differ from itself
        except (ValueError, RecursionError):
            return value
    return value
