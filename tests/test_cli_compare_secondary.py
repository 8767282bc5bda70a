"""`compare --secondary`: a flag in a sandbox, a file beside two others, never both."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from reflector_migrate.cli.main import cli
from reflector_migrate.experiments import compare as sandbox_compare
from reflector_migrate.harness import Harness
from reflector_migrate.settings import Settings
from tests.comparing import SPOKEN, observation, outputs_of, words_of


@pytest.fixture
def files(tmp_path):
    """Three observations: the candidate and the secondary heard one word otherwise."""
    heard = words_of(SPOKEN * 5)
    other = [heard[0].model_copy(update={"text": "He "}), *heard[1:]]
    for name, words in (("primary", heard), ("candidate", other), ("secondary", other)):
        seen = observation(outputs_of(words), role=name)
        (tmp_path / f"{name}.json").write_text(seen.model_dump_json(by_alias=True))
    return [str(tmp_path / f"{name}.json") for name in ("primary", "candidate", "secondary")]


def test_a_file_is_the_third_run(files):
    """Its distances are in the document; what differs as much as legacy itself is noise."""
    argv = ["--reference", files[0], "--candidate", files[1], "--secondary", files[2], "--json"]
    found = json.loads(CliRunner().invoke(cli, ["compare", *argv]).stdout)
    words = next(c for c in found["comparison"]["checks"] if c["name"] == "words")
    assert (words["verdict"], words["rule"]) == ("WITHIN_NOISE", "own-secondary")
    assert words["between_legacy"] == words["value"] > 0
    assert words["from_secondary"] == 0
    assert words["excess"] == pytest.approx(-words["value"] / 2)


@pytest.mark.parametrize(
    "argv",
    [
        pytest.param(["--reference", "{0}", "--candidate", "{1}", "--secondary"], id="no file"),
        pytest.param(["three-voices", "--secondary", "{2}"], id="a file without two others"),
    ],
)
def test_flag_and_file_are_not_mixed_up(files, argv):
    """Exit 2, before anything runs."""
    done = CliRunner().invoke(cli, ["compare", *[word.format(*files) for word in argv]])
    assert done.exit_code == 2, done.output


@pytest.mark.parametrize("argv", [["solo", "--secondary"], ["--secondary", "solo"]])
def test_the_flag_may_stand_on_either_side(monkeypatch, argv):
    """In a sandbox both spellings run the recording with a secondary."""
    asked = {}

    def run(_settings, name, **how):
        asked.update(how, name=name)
        raise KeyboardInterrupt

    monkeypatch.setattr(sandbox_compare, "compare_in_sandbox", run)
    settings = Settings(is_sandbox=True)
    monkeypatch.setattr(
        "reflector_migrate.cli.compare.harness_of", lambda _ctx: Harness.of(settings)
    )
    CliRunner().invoke(cli, ["compare", *argv])
    assert (asked["name"], asked["secondary"], asked["is_replayed"]) == ("solo", True, False)


def test_a_deployment_is_never_run_twice(monkeypatch):
    """Outside of a sandbox both flags are refused: nothing is run there."""
    monkeypatch.setattr(
        "reflector_migrate.cli.compare.harness_of", lambda _ctx: Harness.of(Settings())
    )
    for flag in ("--secondary", "--replayed"):
        done = CliRunner().invoke(cli, ["compare", "rec-1", flag])
        assert done.exit_code == 2, done.output
