"""One line of evidence (evidence/1): what one measure of one recording says to a gate.

Lines come from stored comparisons or from a file; a gate never looks behind them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Literal

from pydantic import Field, ValidationError, field_validator, model_validator

from reflector_migrate.errors import InputError
from reflector_migrate.model.frozen import Document, Frozen

Origin = Literal["deployment", "replayed", "sandbox", "seeded-defect", "placebo"]
Coverage = Literal["compared", "failed", "open", "lost"]
MOST = 10**9
"""Differences in one recording: more is not a plausible count."""
ENTRIES = ("x_pp", "exact_findings", "catastrophe", "coverage", "outcome", "log_ratio")
NO_CATASTROPHE = ("", "none")


class Outcome(Frozen):
    """How both runs of a pair ended, and why one failed.

    cause: the candidate itself (also where it is empty), an outage of a server that it
    needs, or a person who ended the run. Only the first counts against the candidate's code.
    """

    primary: Literal["completed", "failed"]
    candidate: Literal["completed", "failed"]
    cause: Literal["", "candidate", "outage", "person"] = ""

    @property
    def is_complete(self) -> bool:
        """Both runs completed, so their outputs can be compared."""
        return self.primary == self.candidate == "completed"

    @property
    def is_candidate_fault(self) -> bool:
        """The candidate failed, by itself, where the primary completed."""
        is_alone = self.primary == "completed" and self.candidate == "failed"
        return is_alone and self.cause in ("", "candidate")


class EvidenceLine(Document):
    """What one measure of one recording says to a gate (evidence/1). It says one of six things.

    x_pp: the excess of a graded measure over the primary's own noise, in percentage points.
    exact_findings: how many unwaived differences; `waived` counts those waived beside them.
    catastrophe: which one the candidate's output has, "" for none.
    coverage: what became of an eligible recording.
    outcome: how both runs ended.
    log_ratio: natural logarithm of candidate over primary (time, cost), or of the primary
    now over the primary before the plugin was loaded.

    `stratum` holds blanks between its parts, as in "tracks:2-4 language:en". `against` says
    what x_pp was measured over: a second run of the primary, or a floor known beforehand.
    """

    schema_: Literal["evidence/1"] = Field(default="evidence/1", alias="schema")
    recording: str = Field(min_length=1)
    run: str = ""
    night: str
    stratum: str = ""
    series: str = ""
    measure: str = Field(min_length=1)
    x_pp: float | None = Field(default=None, ge=-100, le=100)
    against: Literal["secondary", "floor"] = "secondary"
    exact_findings: int | None = Field(default=None, ge=0, le=MOST)
    waived: int = Field(default=0, ge=0, le=MOST)
    catastrophe: str | None = None
    legacy_catastrophe: str | None = None
    coverage: Coverage | None = None
    outcome: Outcome | None = None
    log_ratio: float | None = None
    builds: Mapping[str, str] = Field(default_factory=dict)
    configuration: str = ""
    models: str = ""
    normaliser: str = ""
    origin: Origin = "deployment"
    defects: tuple[str, ...] = ()

    @field_validator("night")
    @classmethod
    def _is_a_date(cls, night: str) -> str:
        """Nights are ordered and projected, so they are dates."""
        if date.fromisoformat(night).isoformat() != night:
            raise ValueError("a night is a date such as 2026-11-28")
        return night

    @model_validator(mode="after")
    def _says_one_thing(self) -> EvidenceLine:
        """An empty line is not evidence, and a line that says two things cannot be gated."""
        if sum(getattr(self, entry) is not None for entry in ENTRIES) != 1:
            raise ValueError(f"exactly one of {', '.join(ENTRIES)} is needed")
        return self

    @property
    def entry(self) -> str:
        """Which of ENTRIES it says."""
        return next(entry for entry in ENTRIES if getattr(self, entry) is not None)

    @property
    def facets(self) -> tuple[str, ...]:
        """The parts of its stratum."""
        return tuple(self.stratum.split())

    @property
    def has_catastrophe(self) -> bool:
        """The candidate's output is empty, truncated or looped, and the primary's is not."""
        return self.catastrophe is not None and self.catastrophe not in NO_CATASTROPHE


def read_evidence(lines: Iterable[str], name: str) -> tuple[EvidenceLine, ...]:
    """Every line of a file called `name`, in order; blank ones aside.

    Raises InputError with the line and the field that is wrong: a line is never left out.
    """
    found = []
    for number, text in enumerate(lines, start=1):
        if not text.strip():
            continue
        try:
            found.append(EvidenceLine.model_validate_json(text, strict=True))
        except ValidationError as error:
            first = error.errors()[0]
            field = ".".join(str(part) for part in first["loc"])
            where = f"{name} line {number}" + (f", field {field}" if field else "")
            raise InputError(
                f"{where}: {first['msg']}",
                hint="`migrate schema evidence` prints its fields",
            ) from error
    return tuple(found)
