"""The nouns: what was run, what it produced, how far two accounts of it lie apart.

None of our other packages is imported here, and everything else is asked for as
`from reflector_migrate.model import …`. In order of building:

    vocabulary.py    roles, engines, verdicts, phases: the enums
    steps.py         the steps: one row says all that a step is
    frozen.py        what all nouns are made of
    plural.py        a number and its noun, for whatever is shown
    outputs.py       what a recording became: words, topics, events, effects
    observation.py   one engine's account of one recording
    measure.py       how far two accounts lie apart, counted
    comparison.py    what is concluded from it
    finding_groups.py  its findings, like ones together
    gist.py          what a night counts of it, flat

Observations and comparisons cross files and machines, so they are frozen pydantic
models with a version; unknown fields are ignored, missing ones named.
"""

from __future__ import annotations

from reflector_migrate.model.comparison import (
    Blame,
    Check,
    Comparison,
    Side,
    Turn,
)
from reflector_migrate.model.comparison_index import Gist, gist_of
from reflector_migrate.model.frozen import Frozen
from reflector_migrate.model.measure import Finding, Measure, StatedFact
from reflector_migrate.model.observation import Observation, StepRun, Usage
from reflector_migrate.model.outputs import (
    UNREADABLE,
    UNSEEN_FILES,
    UNSEEN_WEBHOOK,
    UNSEEN_ZULIP,
    Effect,
    Event,
    Outputs,
    Participant,
    Topic,
    Word,
)
from reflector_migrate.model.privacy import Amount, Public, Unit
from reflector_migrate.model.steps import (
    STEP_NAMES,
    STEP_SPECS,
    TRACK_STEPS,
    USER_EVENTS,
    VISIBLE_STEPS,
    StepSpec,
    position,
    spec_of,
)
from reflector_migrate.model.vocabulary import (
    Engine,
    GateVerdict,
    Phase,
    Role,
    Route,
    Severity,
    Verdict,
)

__all__ = [
    "STEP_NAMES",
    "STEP_SPECS",
    "TRACK_STEPS",
    "UNREADABLE",
    "UNSEEN_FILES",
    "UNSEEN_WEBHOOK",
    "UNSEEN_ZULIP",
    "USER_EVENTS",
    "VISIBLE_STEPS",
    "Amount",
    "Blame",
    "Check",
    "Comparison",
    "Effect",
    "Engine",
    "Event",
    "Finding",
    "Frozen",
    "GateVerdict",
    "Gist",
    "Measure",
    "Observation",
    "Outputs",
    "Participant",
    "Phase",
    "Public",
    "Role",
    "Route",
    "Severity",
    "Side",
    "StatedFact",
    "StepRun",
    "StepSpec",
    "Topic",
    "Turn",
    "Unit",
    "Usage",
    "Verdict",
    "Word",
    "gist_of",
    "position",
    "spec_of",
]
