"""The required defects are all there, and each is caught by every check that was required.

The longest lost span is a catastrophe; a language set wrongly shows in the row where it is
the target's, and in what is written where it is the source's: nothing is translated.
"""

from __future__ import annotations

import pytest

from reflector_migrate.pipeline.defects.registry import all_defects

DEFECTS = {defect.name: defect for defect in all_defects()}
REQUIRED = {
    "webhook payload lacks a field": ("webhook_payload_lacks_field", "G0 side effects"),
    "webhook payload has another type": ("webhook_duration_is_text", "G0 side effects"),
    "waveform of 256 values": ("waveform_of_256_values", "G0 waveform"),
    "webhook HTTP error fails the run": ("webhook_error_fails_run", "G0 status"),
    "TRANSCRIPT event text empty": ("transcript_event_empty", "G0 events"),
    "duration absent when post steps run": ("duration_told_last", "G0 events"),
    "topics time out on long transcripts": ("topics_time_out_when_long", "G2 catastrophes"),
    "LLM answers empty": ("model_answers_empty", "G2 catastrophes"),
    "target language hard-coded": ("target_language_hard_coded", "G0 row"),
    "source language hard-coded": ("source_language_hard_coded", "G0 language"),
    "tracks joined in string order": ("tracks_joined_in_string_order", "G0 speaker mapping"),
    "padding not applied": ("padding_not_applied", "G1 word times"),
    "padding applied twice": ("padding_applied_twice", "G1 word times"),
    "padding applied to a start of 0": ("padding_applied_at_zero", "G1 word times"),
    "one word span lost": ("last_span_lost", "G1 words, G2 catastrophes"),
    "two tracks' words swapped": ("tracks_swapped", "G0 speaker mapping"),
    "topics duplicated on retry": ("topics_duplicated_on_retry", "G1 topic content, G0 events"),
    "events appended twice on retry": ("events_appended_on_retry", "G0 events"),
    "stale cache entry": ("stale_cache_entry", "G1 words, G0 summary facts"),
    "Zulip posted twice": ("zulip_posted_twice", "G0 side effects"),
    "webhook sent in shadow": ("webhook_sent_in_shadow", "G0 side effects"),
    "consent cleanup skipped": ("consent_cleanup_skipped", "G0 side effects"),
    "number altered": ("summary_number_altered", "G0 summary facts"),
    "date altered": ("summary_date_altered", "G0 summary facts"),
    "negation altered": ("summary_negation_lost", "G0 summary facts"),
    "participant altered": ("summary_names_swapped", "G0 summary facts"),
    "words renormalised": ("words_renormalised", "G1 words raw"),
}
OWN_AT_LEAST = 10


@pytest.mark.parametrize("row", REQUIRED)
def test_a_required_defect_is_there(row: str) -> None:
    """Under its layers, each of which the live and the in-process proof hold it to."""
    name, layer = REQUIRED[row]
    assert DEFECTS[name].layer == layer


def test_there_are_defects_of_our_own() -> None:
    """Each of what a careless refactoring would do, with a first line that says so."""
    own = set(DEFECTS) - {name for name, _ in REQUIRED.values()}
    assert len(own) >= OWN_AT_LEAST
    assert all(defect.says.endswith(".") for defect in DEFECTS.values())
