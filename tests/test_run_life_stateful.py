"""Dispatchers, collectors, sweep, CLI, outages and deaths interleave on one recording."""

from __future__ import annotations

import tempfile
from collections import Counter
from functools import cache
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from reflector_migrate.errors import ServerUnreachableError
from reflector_migrate.model.run_life import ENDS
from reflector_migrate.store.base import engine_for
from reflector_migrate.store.evidence import Evidence
from reflector_migrate.store.runs import Dispatches
from tests.life_world import PLACES, Died, World
from tests.new_stores import new_store

pytestmark = pytest.mark.heavy

SERVERS = ("primary", "s3", "candidate", "conductor", "waivers")
TROUBLE = ("died", "away", "foreign", "delivered", "swept", "announced", "stalled")
PAUSE_S = 400
"""Longer than a lease and than any message waits for its sweep."""


@cache
def _template() -> Path:
    """An empty store, made once."""
    path = Path(tempfile.mkdtemp()) / "template.db"
    new_store(f"sqlite:///{path}")
    engine_for(f"sqlite:///{path}").dispose()  # which leaves all of it in the one file
    return path


class LifeOfARun(RuleBasedStateMachine):
    """Whatever happens in between: one workflow, one comparison, one outcome, and an end."""

    def __init__(self) -> None:
        super().__init__()
        self._folder = tempfile.TemporaryDirectory()
        self.world = World(Path(self._folder.name), _template())
        self._doubles = self.world.installed()
        self._doubles.__enter__()

    @rule(kind=st.sampled_from(TROUBLE), after=st.integers(1, 12))
    def plan_trouble(self, kind: str, after: int) -> None:
        """At that outside call from now on, in the midst of its caller."""
        self.world.plan[self.world.calls + after] = lambda: self._happen(kind)

    def _happen(self, kind: str) -> None:
        if kind == "died":
            raise Died
        if kind == "away":
            raise ServerUnreachableError("away for a moment")
        if kind == "foreign":
            raise RuntimeError("not ours")
        if kind == "delivered":  # another worker, at the same time
            self.world.deliver(0, keeps=True)
        elif kind == "swept":
            self.world.sweep()
        elif kind == "stalled":  # the process stands still, and others take its run over
            self.world.pass_time(PAUSE_S)
            self.world.sweep()
            for _ in range(len(self.world.messages)):
                self.world.deliver(0, keeps=False)
        else:
            self.world.announce("task-1")

    @rule()
    def announce(self) -> None:
        """The message comes, or comes again."""
        self.world.announce("task-1")

    @rule()
    def announce_a_second_run(self) -> None:
        """A person has the primary process the transcript again."""
        self.world.announce("task-2")

    @rule()
    def replay(self) -> None:
        """An operator takes the recording for lost."""
        self.world.announce(None)

    @rule(number=st.integers(0, 5), keeps=st.booleans())
    def deliver(self, number: int, keeps: bool) -> None:
        """Any worker takes any message, now or again later."""
        self.world.deliver(number, keeps=keeps)

    @rule()
    def sweep(self) -> None:
        """Beat."""
        self.world.sweep()

    @rule(seconds=st.sampled_from((1, 20, 70, 400, 4000, 30_000)))
    def pass_time(self, seconds: int) -> None:
        """Leases, pauses and bounds run out."""
        self.world.pass_time(seconds)

    @rule(server=st.sampled_from(SERVERS))
    def go_away(self, server: str) -> None:
        """A server is down until it comes back."""
        self.world.away.add(server)

    @precondition(lambda self: self.world.away)
    @rule()
    def come_back(self) -> None:
        """All servers are up."""
        self.world.away.clear()

    @rule()
    def end_primary(self) -> None:
        """The primary has ended and settled."""
        self.world.primary = "ended"

    @rule(how=st.sampled_from(("completed", "failed")))
    def end_workflow(self, how: str) -> None:
        """The workflow has ended."""
        self.world.workflow = how

    @rule()
    def switch(self) -> None:
        """`migrate shadow off`, or on again."""
        if self.world.switch.exists():
            self.world.switch.unlink()
        else:
            self.world.switch.touch()

    @rule()
    def reopen(self) -> None:
        """`migrate replay --failed`."""
        self.world.reopen()

    @rule()
    def retry(self) -> None:
        """`migrate retry`."""
        self.world.retry()

    @rule()
    def delete_audio(self) -> None:
        """The primary deletes its audio, and beat's task comes round."""
        self.world.is_audio_deleted = True
        self.world.erase_ended()

    @invariant()
    def there_is_one_of_each(self) -> None:
        """One run of each of the primary's, one workflow, one comparison, one outcome of each.

        A second workflow is left only where a process died that had stood still, and then only
        until the run's own has ended. No more places are taken than there are.
        """
        world, runs = self.world, self.world.runs()
        assert len(runs) <= 2
        assert all(len(world.running(run.run_id)) <= 1 + world.deaths for run in runs)
        assert not [run for run in runs if run.run_id in world.erased and run.state not in ENDS]
        url = world.settings.store_url
        assert sum(number for *_, number in Evidence(url).nights()) <= len(runs)
        assert world.shadow.runs.count_in_flight() <= PLACES
        since = world.at.replace(year=2000)
        ends = Counter(
            one["run_id"] for one in Dispatches(url).between(since, world.at.replace(year=2100))
            if one["outcome"] in ENDS
        )  # fmt: skip
        assert all(number <= 1 + world.opened + world.retried for number in ends.values())

    def teardown(self) -> None:
        """No state is without an exit."""
        try:
            self.world.come_to_rest()
            for run in self.world.runs():
                assert run.state in ENDS, f"{run.state} for ever: {run.reason}"
                left = self.world.running(run.run_id)
                assert set(left) <= {run.workflow_id}, f"{left} beside {run.workflow_id}"
            self.there_is_one_of_each()
        finally:
            self._doubles.__exit__(None, None, None)
            self._folder.cleanup()


TestLifeOfARun = LifeOfARun.TestCase
TestLifeOfARun.settings = settings(
    max_examples=40,
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
