"""Every measure, in the order in which results are shown; and all that the judge asks of this room.

To add a measure: a file with its comparator, and one row of MEASURES.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Literal

from comparators import (
    captions,
    catastrophes,
    cost,
    events,
    output_language,
    row,
    side_effects,
    speaker_words,
    summaries,
    summary_facts,
    timings,
    topic_boundaries,
    topic_content,
    track_times,
    word_times,
    words,
)
from comparators.alignment.distance import Block
from comparators.alignment.transcript_pair import Columns, Pair, Transcripts
from comparators.facts import substituted_facts
from comparators.language.normalise import NORMALISER, base_language
from reflector_migrate.model import Measure, Observation

__all__ = [
    "MEASURES",
    "NORMALISER",
    "Block",
    "Columns",
    "MeasureSpec",
    "Measures",
    "Pair",
    "Transcripts",
    "alone",
    "base_language",
    "by_name",
]

Compare = Callable[[Observation, Observation, Transcripts], Measure]
"""(reference, hypothesis, transcripts) -> Measure: pure, but for what transcripts keep."""
Kind = Literal["exact", "graded", "informational"]

DEFAULT_MARGIN = 0.01
SPEECH = ("pad_track", "transcribe_track", "merge_transcripts")
TOPICS = "detect_topics"


@dataclass(frozen=True, slots=True)
class MeasureSpec:
    """All that a measure is.

    measure: its comparator; its Measure has this name and kind.
    steps: whose output it measures. Where all measures of a step's output are within noise,
        the output is.
    caused_by: of content, the last step that can make it diverge; so can all before that one,
        and those of `also_by`. Empty: only steps that its findings name.
    margin: the practical margin above the noise floor, as a share: less is not noticed.
    absurd: a divergence that no run of an engine has from another: no floor is asked.
    is_exact_on_equal_inputs: exact where words and answers agree, else held against the floor.
    is_written_by_model: two texts that happen to agree say nothing of how far a third may lie.
    is_firm: no noise makes it diverge: who speaks, in which language, an empty text.
    is_excused_by_secondary: what the second legacy run shows too concludes nothing.
    stored_by: the step that writes what is measured into the row, where it is not its maker.
    published_stat: the statistic that holds its divergence by what was published to listeners,
        where that is not what is stored.
    words: what lost or doubled words do to it: it counts them, it grows by as many, or it is
        about the rest of a transcript (times, speakers) that no such word changes.
    has_public_paths: no part of its findings' paths comes from what was recorded. Else a finding
        says in `public_path` which part of its path is public.
    contradicted: what both legacy runs state and the hypothesis alters, by the measures of
        the pair judged and of legacy's own; empty where nothing is.
    parts: what has separate floors, counted from the unwaived findings.
    """

    name: str
    measure: Compare
    kind: Kind
    steps: tuple[str, ...] = ()
    caused_by: str = ""
    also_by: tuple[str, ...] = ()
    margin: float = DEFAULT_MARGIN
    absurd: float | None = None
    is_exact_on_equal_inputs: bool = False
    is_written_by_model: bool = False
    is_firm: bool = False
    is_excused_by_secondary: bool = False
    stored_by: str = ""
    published_stat: str = ""
    words: Literal["", "counts", "follows", "beside"] = ""
    contradicted: Callable[[Measure, Measure], str] | None = None
    parts: Callable[[Measure], tuple[Measure, ...]] | None = None
    has_public_paths: bool = False

    def compare(
        self,
        reference: Observation,
        hypothesis: Observation,
        transcripts: Transcripts | None = None,
    ) -> Measure:
        """The measure with its parts; `transcripts` of one comparison are read once."""
        measure = self.measure(reference, hypothesis, transcripts or Transcripts())
        return self.with_parts(self._with_public_paths(measure))

    def _with_public_paths(self, measure: Measure) -> Measure:
        if not self.has_public_paths or not measure.findings:
            return measure
        findings = [f.model_copy(update={"public_path": f.path}) for f in measure.findings]
        return measure.model_copy(update={"findings": tuple(findings)})

    def with_parts(self, measure: Measure) -> Measure:
        """The measure with its parts as of the findings that it has now."""
        if self.parts is None:
            return measure
        return measure.model_copy(update={"parts": self.parts(measure)})


@dataclass(frozen=True, slots=True)
class Measures:
    """Measures in order, found by name and by the step that they measure."""

    specs: tuple[MeasureSpec, ...]
    _by_name: dict[str, MeasureSpec] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """A name stands for one measure. Raises ValueError for one that is used twice."""
        named = {spec.name: spec for spec in self.specs}
        if len(named) != len(self.specs):
            raise ValueError(f"a measure's name is used twice: {[s.name for s in self.specs]}")
        object.__setattr__(self, "_by_name", named)

    def __iter__(self) -> Iterator[MeasureSpec]:
        """In the order in which results are shown."""
        return iter(self.specs)

    def __len__(self) -> int:
        """How many there are."""
        return len(self.specs)

    def of(self, name: str) -> MeasureSpec | None:
        """The measure of that name; None of anything else (completion, say)."""
        return self._by_name.get(name)

    def names_of_step(self, step: str) -> frozenset[str]:
        """Measures of the step's output, and of what is drawn from it."""
        return frozenset(spec.name for spec in self.specs if step in spec.steps)

    def of_words(self) -> MeasureSpec | None:
        """The measure of which words there are."""
        return next((spec for spec in self.specs if spec.published_stat), None)

    def extended(self, specs: Iterable[MeasureSpec]) -> Measures:
        """With further measures at the end."""
        return Measures((*self.specs, *specs))


def alone(compare: Callable[[Observation, Observation], Measure]) -> Compare:
    """A comparator that aligns no transcript."""
    return lambda reference, hypothesis, _transcripts: compare(reference, hypothesis)


MEASURES = Measures((
    MeasureSpec(
        "words", words.compare_words, "graded", SPEECH, "merge_transcripts", absurd=0.8,
        stored_by=TOPICS, published_stat=words.PUBLISHED, words="counts",
        has_public_paths=True,
    ),
    MeasureSpec(
        "words_raw", words.compare_words_raw, "graded", SPEECH[1:], "merge_transcripts",
        margin=0.02, stored_by=TOPICS, words="follows",
        has_public_paths=True,
    ),
    MeasureSpec(
        "speaker_words", speaker_words.compare_speaker_words, "graded",
        SPEECH[2:], "merge_transcripts", stored_by=TOPICS, words="follows",
        has_public_paths=True,
    ),
    MeasureSpec(
        "speaker_mapping", speaker_words.compare_speaker_mapping, "exact",
        SPEECH[2:], "merge_transcripts", is_firm=True, stored_by=TOPICS, words="beside",
        has_public_paths=True,
    ),
    MeasureSpec(
        "word_times", word_times.compare_word_times, "graded", SPEECH, "merge_transcripts",
        margin=0.02, stored_by=TOPICS, words="beside", parts=track_times.parts,
        has_public_paths=True,
    ),
    MeasureSpec(
        "topic_boundaries", alone(topic_boundaries.compare_topic_boundaries), "graded",
        (TOPICS,), TOPICS, margin=0.05, is_written_by_model=True,
        has_public_paths=True,
    ),
    MeasureSpec(
        "topic_content", alone(topic_content.compare_topic_content), "graded",
        (TOPICS,), TOPICS, margin=0.05, is_written_by_model=True,
        has_public_paths=True,
    ),
    MeasureSpec(
        "topic_facts", summary_facts.compare_topic_facts, "exact",
        (TOPICS,), TOPICS, margin=0.0, is_exact_on_equal_inputs=True,
        is_written_by_model=True, parts=substituted_facts.parts,
        contradicted=substituted_facts.contradicted,
        has_public_paths=True,
    ),
    MeasureSpec(
        "title", alone(summaries.compare_title), "graded",
        ("generate_title",), "generate_title", margin=0.10, is_written_by_model=True,
        has_public_paths=True,
    ),
    MeasureSpec(
        "title_facts", summary_facts.compare_title_facts, "exact",
        ("generate_title",), "generate_title", margin=0.0, is_exact_on_equal_inputs=True,
        is_written_by_model=True, parts=substituted_facts.parts,
        contradicted=substituted_facts.contradicted,
        has_public_paths=True,
    ),
    MeasureSpec(
        "short_summary", alone(summaries.compare_short_summary), "graded",
        ("generate_summary",), "generate_summary", margin=0.05, is_written_by_model=True,
        has_public_paths=True,
    ),
    MeasureSpec(
        "long_summary", alone(summaries.compare_long_summary), "graded",
        ("generate_summary",), "generate_summary", margin=0.05, is_written_by_model=True,
        has_public_paths=True,
    ),
    MeasureSpec(
        "summary_facts", summary_facts.compare_summary_facts, "exact",
        ("generate_summary",), "generate_summary", margin=0.0, is_exact_on_equal_inputs=True,
        is_written_by_model=True, parts=substituted_facts.parts,
        contradicted=substituted_facts.contradicted,
        has_public_paths=True,
    ),
    MeasureSpec(
        "language", alone(output_language.compare_language), "exact",
        (TOPICS, "generate_summary"), "generate_summary", is_firm=True,
        has_public_paths=True,
    ),
    MeasureSpec("participants", alone(row.compare_participants), "exact", ("get_participants",)),
    MeasureSpec(
        "duration", alone(row.compare_duration), "exact",
        ("pad_track", "mixdown_tracks"), "mixdown_tracks",
        has_public_paths=True,
    ),
    MeasureSpec(
        "waveform", alone(row.compare_waveform), "exact",
        ("pad_track", "mixdown_tracks", "generate_waveform"), "generate_waveform",
        has_public_paths=True,
    ),
    MeasureSpec("webvtt", alone(captions.compare_webvtt), "exact", has_public_paths=True),
    MeasureSpec("status", alone(row.compare_status), "exact"),
    MeasureSpec("row", alone(row.compare_row), "exact"),
    MeasureSpec(
        "catastrophes", catastrophes.compare_catastrophes, "exact",
        caused_by="generate_summary", also_by=("generate_title",),  # titles may be empty, too
        is_firm=True, is_excused_by_secondary=True, stored_by=TOPICS,
        has_public_paths=True,
    ),
    MeasureSpec("events", alone(events.compare_events), "exact"),
    MeasureSpec("side_effects", alone(side_effects.compare_side_effects), "exact"),
    MeasureSpec("timings", alone(timings.compare_timings), "informational"),
    MeasureSpec("cost", alone(cost.compare_cost), "informational"),
))  # fmt: skip


def by_name(name: str) -> MeasureSpec:
    """The measure of that name. Raises KeyError, naming those there are."""
    spec = MEASURES.of(name)
    if spec is None:
        raise KeyError(f"no measure {name!r}; there are: {', '.join(s.name for s in MEASURES)}")
    return spec
