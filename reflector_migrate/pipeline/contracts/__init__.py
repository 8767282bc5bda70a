"""Input and output of every step, as they cross an engine's JSON.

Field names are the requirements'; what parity needs is added. A field that says
what was recognised or written is *semantic* and enters the step's digest; ids,
URLs, namespaces and clocks are not. `contract_hash()` changes with any of this, and
task domains carry it, so that a worker of another build never receives a task.

    base.py        what all are made of; a reference to what is stored; the run
    meeting.py     get_recording, get_participants
    sound.py       generate_dynamic_fork_tasks, pad_track, mixdown_tracks, generate_waveform
    speech.py      transcribe_track, merge_transcripts, topics, title, summary
    endings.py     finalize, cleanup_consent, post_zulip, send_webhook
    registry.py    step -> (input, output), as these modules declare it, and the hash
"""

from __future__ import annotations

from reflector_migrate.pipeline.contracts.base import (
    Contract,
    EventData,
    Namespace,
    Ref,
    Run,
    StepContract,
    StepInput,
    semantic,
)
from reflector_migrate.pipeline.contracts.endings import (
    ConsentInput,
    ConsentOutput,
    FinalizeInput,
    FinalizeOutput,
    WebhookInput,
    WebhookOutput,
    ZulipInput,
    ZulipOutput,
)
from reflector_migrate.pipeline.contracts.meeting import (
    GetParticipantsInput,
    GetParticipantsOutput,
    GetRecordingInput,
    GetRecordingOutput,
    PersonInMeeting,
    Track,
)
from reflector_migrate.pipeline.contracts.registry import (
    CONTRACTS,
    contract_hash,
)
from reflector_migrate.pipeline.contracts.sound import (
    ForkTask,
    GenerateForkInput,
    GenerateForkOutput,
    MixdownInput,
    MixdownOutput,
    PadTrackInput,
    PadTrackOutput,
    WaveformInput,
    WaveformOutput,
)
from reflector_migrate.pipeline.contracts.speech import (
    MergeInput,
    MergeOutput,
    SummaryInput,
    SummaryOutput,
    TitleInput,
    TitleOutput,
    TopicsInput,
    TopicsOutput,
    TranscribeTrackInput,
    TranscribeTrackOutput,
)

__all__ = [
    "CONTRACTS",
    "ConsentInput",
    "ConsentOutput",
    "Contract",
    "EventData",
    "FinalizeInput",
    "FinalizeOutput",
    "ForkTask",
    "GenerateForkInput",
    "GenerateForkOutput",
    "GetParticipantsInput",
    "GetParticipantsOutput",
    "GetRecordingInput",
    "GetRecordingOutput",
    "MergeInput",
    "MergeOutput",
    "MixdownInput",
    "MixdownOutput",
    "Namespace",
    "PadTrackInput",
    "PadTrackOutput",
    "PersonInMeeting",
    "Ref",
    "Run",
    "StepContract",
    "StepInput",
    "SummaryInput",
    "SummaryOutput",
    "TitleInput",
    "TitleOutput",
    "TopicsInput",
    "TopicsOutput",
    "Track",
    "TranscribeTrackInput",
    "TranscribeTrackOutput",
    "WaveformInput",
    "WaveformOutput",
    "WebhookInput",
    "WebhookOutput",
    "ZulipInput",
    "ZulipOutput",
    "contract_hash",
    "semantic",
]
