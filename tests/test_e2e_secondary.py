"""Legacy twice, noise that a person switches on, and recorded answers: on real servers."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from click.testing import CliRunner

from reflector_migrate.cli.main import cli
from reflector_migrate.experiments.compare import compare_in_sandbox
from reflector_migrate.experiments.false_alarms import Plan, measure
from reflector_migrate.experiments.noise import Noise, set_noise
from reflector_migrate.harness import Harness
from reflector_migrate.model import Engine, Observation, Role, Verdict
from reflector_migrate.pipeline.rows import Rows
from reflector_migrate.sandbox.process import stop
from reflector_migrate.sandbox.process_table import Records
from reflector_migrate.sandbox.stack import Sandbox
from reflector_migrate.sandbox.standins.client import StandinControl
from reflector_migrate.settings import Settings
from reflector_migrate.store.evidence import Evidence

pytestmark = pytest.mark.live

NOISE = Noise(seed=7, wer=0.1)


@pytest.fixture(scope="module")
def settings(stack: Sandbox) -> Iterator[Settings]:
    """The session's sandbox; without noise and without a second worker again in the end."""
    yield stack.settings
    set_noise(Harness.of(stack.settings), None)
    records = Records.of(stack.folders.root)
    if (second := records.find("secondary")) is not None:
        stop([second], records, 6.0)


def _seen(settings: Settings, run_id: str, role: Role) -> Observation:
    found = Evidence(settings.store_url).observation(run_id, role)
    assert found is not None
    return found


def test_a_secondary_is_a_run_of_its_own(settings: Settings) -> None:
    """Through Celery, timed by the plugin, in places of its own; its effects are not mixed up."""
    found = compare_in_sandbox(Harness.of(settings), "three-voices", timeout_s=300, secondary=True)
    assert found.verdict is Verdict.MATCHED
    assert found.secondary is not None
    assert any("in random order" in note for note in found.notes)
    words = next(check for check in found.checks if check.name == "words")
    assert (words.between_legacy, words.from_secondary, words.excess) == (0, 0, 0)
    first, second = (_seen(settings, found.run_id, r) for r in (Role.PRIMARY, Role.SECONDARY))
    assert (second.engine, second.status) == (Engine.CELERY, "completed")
    assert {s.timed for s in second.steps} == {s.timed for s in first.steps} == {"measured"}
    kinds = [sorted((e.kind, e.count) for e in side.effects) for side in (first, second)]
    assert kinds[0] == kinds[1]
    assert {kind for kind, _ in kinds[0]} >= {"webhook", "zulip_message", "s3_put"}
    _told_apart(settings, first, second)


def _told_apart(settings: Settings, first: Observation, second: Observation) -> None:
    """Two databases with a row each, two bots, two paths."""
    ids = [str(side.outputs.row["id"]) for side in (first, second)]
    places = [settings.reflector.database_url, settings.secondary.database_url]
    rows = [[bool(Rows.at(str(p)).find_transcript(i)) for i in ids] for p in places]
    assert rows == [[True, False], [False, True]]
    with StandinControl(settings.sandbox.control_url or "") as control:
        messages, webhooks = control.zulip_messages(), control.webhooks()
    for transcript_id, bot, is_second in (
        (ids[0], settings.services.zulip_bot_email, False),
        (ids[1], settings.secondary.zulip_bot_email, True),
    ):
        assert [m["sender_email"] for m in messages if transcript_id in m["content"]] == [bot]
        paths = [w["path"] for w in webhooks if transcript_id in w["body"]]
        assert [path.startswith("secondary/") for path in paths] == [is_second]


def test_noise_is_seen_for_what_it_is(settings: Settings) -> None:
    """With noise a lone comparison concludes nothing; beside a secondary its own pair is shown."""
    set_noise(Harness.of(settings), NOISE)
    alone = compare_in_sandbox(Harness.of(settings), "three-voices", timeout_s=300)
    assert alone.verdict is Verdict.INCONCLUSIVE
    assert {c.rule for c in alone.checks if c.verdict is Verdict.INCONCLUSIVE} == {"no-floor"}
    both = compare_in_sandbox(Harness.of(settings), "three-voices", timeout_s=300, secondary=True)
    words = next(check for check in both.checks if check.name == "words")
    assert words.rule == "own-secondary"
    assert words.between_legacy
    assert words.from_secondary
    assert words.n == 1
    assert words.excess is not None


def test_replayed_answers_leave_nothing_but_orchestration(settings: Settings) -> None:
    """With the noise still on, both sides agree to the letter; afterwards noise is back."""
    set_noise(Harness.of(settings), NOISE)
    found = compare_in_sandbox(Harness.of(settings), "zero-start", timeout_s=300, is_replayed=True)
    assert found.verdict is Verdict.MATCHED
    assert any("one recorded run" in note for note in found.notes)
    with StandinControl(settings.sandbox.control_url or "") as control:
        status = control.answers_status()
        assert status["mode"] == "off"
        assert control.noises()["recogniser"]["wer"] == NOISE.wer
    assert status["kept"]["recogniser"] == 2


def test_noise_can_be_switched_manually(stack: Sandbox, settings: Settings) -> None:
    """`migrate sandbox noise` shows, sets and ends it; a seed that is none is refused."""
    del settings
    config = ["--config", str(stack.folders.config), "sandbox", "noise"]
    assert "wer 0.02, seed 9" in CliRunner().invoke(cli, [*config, "9"]).output
    assert CliRunner().invoke(cli, [*config, "off"]).output.count("off") == 2
    assert CliRunner().invoke(cli, [*config, "loud"]).exit_code == 2


def test_false_alarms_are_counted_on_both_sides(settings: Settings) -> None:
    """One calibration pair, one trial with noise, two without: measured, and too few to pass.

    Without noise nobody is flagged, be consent denied and tracks deleted in three buckets.
    """
    names = ["zero-start", "consent-denied"]
    plan = Plan(pairs=1, calibration=1, quiet=2, noise=NOISE, recordings=names, jobs=1)
    said: list[str] = []
    found = measure(Harness.of(settings), plan, said.append)
    assert (found.noisy.trials, found.quiet.trials, found.calibration_pairs) == (1, 2, 1)
    assert found.quiet.verdicts == {"legacy": {"MATCHED": 2}, "candidate": {"MATCHED": 2}}
    assert set(found.noisy.verdicts) == {"legacy", "candidate"}
    assert found.floors["words"] >= 0
    assert len(said) == 4
    assert not settings.shadow.kill_switch_file.exists()
    json.dumps(found.model_dump(mode="json"), allow_nan=False)
