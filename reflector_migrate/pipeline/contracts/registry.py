"""Each step with its two models, and the hash that tells one build's contracts from another's."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import NamedTuple

from reflector_migrate.pipeline.contracts import endings, meeting, sound, speech
from reflector_migrate.pipeline.contracts.base import Contract, StepInput

CONTRACT_VERSION = 1


class StepContract(NamedTuple):
    """The two models of a step."""

    input: type[StepInput]
    output: type[Contract]


CONTRACTS: Mapping[str, StepContract] = {
    "get_recording": StepContract(meeting.GetRecordingInput, meeting.GetRecordingOutput),
    "get_participants": StepContract(meeting.GetParticipantsInput, meeting.GetParticipantsOutput),
    "generate_dynamic_fork_tasks": StepContract(sound.GenerateForkInput, sound.GenerateForkOutput),
    "pad_track": StepContract(sound.PadTrackInput, sound.PadTrackOutput),
    "mixdown_tracks": StepContract(sound.MixdownInput, sound.MixdownOutput),
    "generate_waveform": StepContract(sound.WaveformInput, sound.WaveformOutput),
    "transcribe_track": StepContract(speech.TranscribeTrackInput, speech.TranscribeTrackOutput),
    "merge_transcripts": StepContract(speech.MergeInput, speech.MergeOutput),
    "detect_topics": StepContract(speech.TopicsInput, speech.TopicsOutput),
    "generate_title": StepContract(speech.TitleInput, speech.TitleOutput),
    "generate_summary": StepContract(speech.SummaryInput, speech.SummaryOutput),
    "finalize": StepContract(endings.FinalizeInput, endings.FinalizeOutput),
    "cleanup_consent": StepContract(endings.ConsentInput, endings.ConsentOutput),
    "post_zulip": StepContract(endings.ZulipInput, endings.ZulipOutput),
    "send_webhook": StepContract(endings.WebhookInput, endings.WebhookOutput),
}


def contract_hash() -> str:
    """Twelve hex digits that change when any step's JSON Schema does."""
    schemas = {
        name: [c.input.model_json_schema(), c.output.model_json_schema()]
        for name, c in CONTRACTS.items()
    }
    text = json.dumps([CONTRACT_VERSION, schemas], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]
