"""The demonstration: a recording that must match, then one with a seeded defect that must not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from reflector_migrate.experiments.compare import Progress, compare_in_sandbox
from reflector_migrate.model import Comparison, Verdict
from reflector_migrate.sandbox.stack import Sandbox

SOUND = "three-voices"
FLAWED, DEFECT, BLAMED = "twelve-tracks", "tracks_joined_in_string_order", "merge_transcripts"


@dataclass(frozen=True, slots=True)
class DemoResult:
    """Both comparisons, and whether each came out as it must."""

    sound: Comparison
    flawed: Comparison

    @property
    def is_as_promised(self) -> bool:
        """MATCHED without the defect; DIVERGED and the right step named with it."""
        blame = self.flawed.first_divergent_step
        return (
            self.sound.verdict is Verdict.MATCHED
            and self.flawed.verdict is Verdict.DIVERGED
            and blame is not None
            and blame.step == BLAMED
        )


def run_demo(
    sandbox: Sandbox,
    progress: Progress,
    show: Callable[[str, Comparison], None],
) -> DemoResult:
    """Run both in a sandbox that is up; `show` gets a heading and each comparison as it comes."""
    sound = compare_in_sandbox(sandbox.harness, SOUND, progress=progress)
    show(f"{SOUND}, as it is", sound)
    sandbox.set_defects([DEFECT])
    flawed = compare_in_sandbox(sandbox.harness, FLAWED, progress=progress)
    show(f"{FLAWED}, with the candidate's workers under the seeded defect {DEFECT}", flawed)
    return DemoResult(sound, flawed)
