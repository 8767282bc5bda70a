"""Everything that one recording's measures are judged against."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date

from comparators.registry import MEASURES, Measures, Transcripts
from reflector_migrate.judge.cross_run import Repeats, repeats_of
from reflector_migrate.judge.noise import NoiseFloors, stratum_of
from reflector_migrate.judge.waivers import Waiver
from reflector_migrate.model import Observation


@dataclass(frozen=True, slots=True)
class Grounds:
    """What measures are judged against; `spent` counts what capped waivers have covered.

    `is_repeatable`: recogniser and language model are known to answer a question alike
    each time, since the answers were replayed or the services are stand-ins without noise.
    """

    reference: Observation
    hypothesis: Observation
    secondary: Observation | None = None
    floors: NoiseFloors | None = None
    waivers: Sequence[Waiver] = ()
    today: date | None = None
    spent: Counter[Waiver] = field(default_factory=Counter)
    earlier: Observation | None = None  # another run of the candidate
    is_repeatable: bool = False
    repeats: Repeats = field(default_factory=Repeats)
    stratum: str = ""
    measures: Measures = MEASURES
    transcripts: Transcripts = field(default_factory=Transcripts)

    def measured(self) -> Grounds:
        """The same, the stratum and the distances of all further runs measured once."""
        runs = self.reference, self.hypothesis, self.secondary, self.earlier
        stratum = stratum_of(self.reference) if self.floors else ""
        repeats = repeats_of(*runs, self.measures, self.transcripts)
        return replace(self, repeats=repeats, stratum=stratum)
