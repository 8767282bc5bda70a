"""What a comparator says: counts of how far two accounts lie apart, and each place where.

Nothing here knows a role, a floor or a limit; judging is in comparison.py's nouns.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field

from reflector_migrate.model.frozen import Frozen
from reflector_migrate.model.privacy import Amount, Public
from reflector_migrate.model.vocabulary import Severity


class StatedFact(Frozen):
    """A fact that one side's text alone states, and what else is known of it.

    kind: number | percent | money | duration | date | time | participant | negation |
    attribution. is_said: the run's own transcript says so. is_heard: so does
    the other side's. is_turned: a negation whose clause the other text has without it.
    """

    kind: Public
    value: str
    is_said: bool
    is_heard: bool = False
    is_turned: bool = False


class Finding(Frozen):
    """One difference, where it is and which step is answerable for it.

    position counts in the list the path names (words, captions, topics, points),
    on the side that has it; at_s is the time in the recording.
    """

    path: str
    step: Public | None = None
    severity: Severity = Severity.MAJOR
    kind: Public = "changed"  # changed | missing | extra | moved | reordered
    reference: Any = None
    hypothesis: Any = None
    at_s: float | None = None
    position: int | None = None
    speaker: int | None = None
    message: str = ""
    waiver: Public = ""  # who allowed it and why; a waived finding stays visible
    fact: StatedFact | None = None
    public_path: Public = ""  # what of the path may be shown to anybody
    is_of_words: bool = False  # about which words there are


class Measure(Frozen):
    """Counts of how far a hypothesis lies from its reference; rates are read, never stored.

    kind: exact measures are equal or not; graded ones have a divergence in
    [0, 1]; informational ones (timing, cost) never enter a recording's verdict.
    errors / length is the divergence; an empty length has none.
    `counts` adds field by field when measures of several recordings are summed.
    `stats` (medians, slopes, spans) belong to one recording and are dropped by a sum.
    `inconclusive` says why nothing can be concluded (say, an unsupported language).
    `normaliser` names the reading of text it rests on; others' counts are not mixed with it.
    `parts` are held against noise floors of their own, beside the whole. A part's `note` says
    what and how much it is; its counts: `edits`, and `standing`, without which it does not convict.
    """

    name: Public
    kind: Literal["exact", "graded", "informational"]
    errors: float = 0
    length: float = 0
    counts: Mapping[Public, float] = Field(default_factory=dict)
    reference_text: str = ""
    hypothesis_text: str = ""
    reference_amount: Amount | None = None
    hypothesis_amount: Amount | None = None
    note: str = ""
    step: Public | None = None
    findings: tuple[Finding, ...] = ()
    findings_truncated: int = 0
    stats: Mapping[Public, float] = Field(default_factory=dict)
    inconclusive: str = ""
    normaliser: Public = ""
    parts: tuple[Measure, ...] = ()

    @property
    def divergence(self) -> float | None:
        """errors / length in [0, 1]; None when there was nothing to measure."""
        return self.errors / self.length if self.length else None
