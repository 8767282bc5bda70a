"""The contracts: the requirements' fields, frozen, versioned, held on the way in and out."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from pydantic import BaseModel, ValidationError

from reflector_migrate.errors import TerminalStepError
from reflector_migrate.model import STEP_NAMES
from reflector_migrate.pipeline.contracts import CONTRACTS, Contract, Run, contract_hash, registry
from reflector_migrate.pipeline.meter import UsageMeter
from reflector_migrate.pipeline.runner import execute, validated_input

RUN = {
    "run_id": "r", "recording_id": "rec", "transcript_id": "t", "namespace": "shadow",
    "bucket_name": "b",
}  # fmt: skip
REF = {"ref": "artifact:x", "sha256": "0" * 64, "count": 1}

REQUIRED = {
    "get_recording": ("recording_id", "id mtg_session_id room_name duration"),
    "get_participants": ("mtg_session_id", "participants"),
    "pad_track": ("track_index s3_key", "padded_url size"),
    "mixdown_tracks": ("padded_urls", "audio_key duration"),
    "generate_waveform": ("audio_key", "waveform"),
    "transcribe_track": ("track_index audio_url", "words"),
    "merge_transcripts": ("transcripts", "all_words word_count"),
    "detect_topics": ("words", "topics"),
    "generate_title": ("topics", "title"),
    "generate_summary": ("words topics", "summary short_summary"),
    "finalize": ("recording_id title summary duration", "status"),
}
"""Step -> input and output fields, as the requirements' section on data flow has them."""

MADE = {
    "get_recording": ({"recording_id": "rec"}, {"id": "rec", "duration": "long"}, "duration"),
    "pad_track": (
        {"track_index": 0, "s3_key": "k", "bucket_name": "b"},
        {"track_index": 0, "padded_url": "s3://b/k", "size": 1, "padded": True, "start_s": None},
        "start_s",
    ),
    "merge_transcripts": (
        {"transcripts": ()},
        {"all_words": {**REF, "count": None}, "word_count": 1},
        "all_words.count",
    ),
    "detect_topics": ({"words": REF}, {"topics": REF, "surprise": 1}, "surprise"),
    "finalize": ({"recording_id": "rec"}, {"status": "DONE", "transcript_status": "x"}, "status"),
}
"""Step -> a good input, an output that is off the contract, and the field to be named."""


@pytest.mark.parametrize("step", REQUIRED)
def test_the_requirements_fields_are_there(step):
    """More may be beside them, none is missing."""
    for model, names in zip(CONTRACTS[step], REQUIRED[step], strict=True):
        assert set(names.split()) <= set(model.model_fields)


def every_model(model=Contract):
    """Each contract and what it is made of."""
    for sub in model.__subclasses__():
        yield sub
        yield from every_model(sub)


@pytest.mark.parametrize("model", list(every_model()), ids=lambda model: model.__name__)
def test_every_contract_is_frozen_and_knows_its_fields(model):
    """Nothing is changed after it was validated, and no typo passes for a field."""
    assert issubclass(model, BaseModel)
    assert model.model_config["frozen"] is True
    assert model.model_config["extra"] == "forbid"


def test_a_frozen_value_stays_as_it_is():
    """As the library really does it."""
    with pytest.raises(ValidationError, match="frozen"):
        Run(**RUN).run_id = "other"


def test_the_version_and_every_schema_are_in_the_hash(monkeypatch):
    """A bumped version, or a field more, and workers of the old contract get no task."""
    before = contract_hash()
    assert set(CONTRACTS) == set(STEP_NAMES)
    assert len(before) == 12
    monkeypatch.setattr(registry, "CONTRACT_VERSION", registry.CONTRACT_VERSION + 1)
    assert contract_hash() != before
    monkeypatch.undo()
    swapped = CONTRACTS["finalize"]._replace(output=CONTRACTS["post_zulip"].output)
    monkeypatch.setitem(CONTRACTS, "finalize", swapped)
    assert contract_hash() != before


def test_each_steps_output_says_what_is_semantic():
    """At least one field of each result enters its digest; references by what they refer to."""
    plain = {"generate_dynamic_fork_tasks"}  # a plan: its tracks' own steps answer for it
    for step in set(STEP_NAMES) - plain:
        assert _semantic(CONTRACTS[step].output), step


def _semantic(model):
    found = []
    for name, info in model.model_fields.items():
        extra = info.json_schema_extra
        kind = info.annotation
        inner = isinstance(kind, type) and issubclass(kind, Contract) and _semantic(kind)
        if inner or (isinstance(extra, dict) and extra.get("semantic")):
            found.append(name)
    return found


@pytest.mark.parametrize("step", STEP_NAMES)
def test_a_missing_field_is_hopeless_and_named(step):
    """Whatever step is asked, it refuses before it does anything, once for all."""
    required = [n for n, f in CONTRACTS[step].input.model_fields.items() if f.is_required()]
    with pytest.raises(TerminalStepError, match=f"^{step}: input: {required[0]}: Field required"):
        validated_input(step, {})


@pytest.mark.parametrize("step", MADE)
def test_a_result_off_the_contract_is_hopeless_and_named(step):
    """It never leaves the worker, and a retry would not help."""
    given, made, field = MADE[step]
    task = validated_input(step, {"run": RUN, **given})
    ctx = SimpleNamespace(meter=UsageMeter())
    result = SimpleNamespace(model_dump=lambda **_how: made)
    with pytest.raises(TerminalStepError, match=f"^{step}: output: {field}: "):
        execute(step, task, ctx, lambda _task, _ctx: result)
