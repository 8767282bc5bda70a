"""Adjudication over a store: in the terminal, on the page, and what the audit log keeps of it."""

from __future__ import annotations

import json
import logging
import os
import pty
import re
import select
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from reflector_migrate.cli.web import build
from reflector_migrate.cutover.adjudication import Desk, reader, text_for
from reflector_migrate.errors import InputError
from reflector_migrate.harness import Harness
from reflector_migrate.judge.gates.gate import judge
from reflector_migrate.model import (
    Check,
    Comparison,
    Engine,
    Measure,
    Observation,
    Outputs,
    Role,
    Side,
    Turn,
    Verdict,
)
from reflector_migrate.pipeline.rows import create_all
from reflector_migrate.settings import Settings
from reflector_migrate.store.audit import Audit
from reflector_migrate.store.evidence import Evidence
from reflector_migrate.store.migrate import upgrade
from tests.gates_world import RULES, excess, gate, normal

pytestmark = pytest.mark.heavy

TOKEN = "token-of-this-process"
PROMPT = b"q(uit) "
PATIENCE_S = 120
"""For a busy machine; it takes two seconds."""
HOSTILE = "<script>alert(1)</script>\x1b[31m"
OLD, NEW = "Friedrichshafen", "Ludwigsburg"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A deployment with an empty store and an empty primary."""
    primary = f"sqlite:///{tmp_path}/reflector.db"
    made = Settings.model_validate(
        {
            "state_dir": tmp_path,
            "store": {"url": f"sqlite:///{tmp_path}/s.db"},
            "reflector": {"database_url": primary},
        }
    )
    upgrade(made.store_url)
    create_all(primary)
    return made


def store(settings: Settings, number: int, *, build: str = "new", old: str = OLD) -> None:
    """A recording whose words and title differ."""
    turn = Turn(
        at_s=float(number), speaker=0, speaker_name="Ana",
        diff=(("equal", "we meet in"), ("delete", old), ("insert", NEW)),
    )  # fmt: skip
    sides = [
        Observation(
            recording=f"rec-{number}", run_id=f"run-{number}", role=role, engine=engine,
            status="completed", outputs=Outputs(title=f"{title} {number}"),
        )
        for role, engine, title in (
            (Role.PRIMARY, Engine.CELERY, old), (Role.CANDIDATE, Engine.CONDUCTOR, NEW),
        )
    ]  # fmt: skip
    measure = Measure(name="words", kind="graded", errors=1, length=4)
    comparison = Comparison(
        recording=f"rec-{number}",
        run_id=f"run-{number}",
        verdict=Verdict.DIVERGED,
        primary=Side(role=Role.PRIMARY, engine=Engine.CELERY, status="completed", build="legacy"),
        candidate=Side(
            role=Role.CANDIDATE, engine=Engine.CONDUCTOR, status="completed", build=build
        ),
        checks=(Check(name="words", verdict=Verdict.DIVERGED, rule="floor", measure=measure),),
        turns=(turn,),
    )
    Evidence(settings.store_url).add(sides, comparison, "2026-11-23")


def test_a_failing_mean_names_the_command() -> None:
    """Different is not worse yet: the gate says how to find out."""
    failed = gate(judge(excess(normal(3, 2, 300)), RULES), "words")
    assert failed.state.value == "FAIL"
    assert "not yet worse: migrate adjudicate words" in failed.why


@pytest.mark.parametrize(
    "measure", [name for rule in RULES.gates if rule.layer == "G1" for name in rule.measures]
)
def test_every_mean_of_the_outputs_can_be_adjudicated(measure: str) -> None:
    """Each G1 gate that ships has a text that shows what it measures."""
    assert text_for(measure)


def test_a_gate_without_a_text_is_refused() -> None:
    """Nothing to read shows a latency."""
    with pytest.raises(InputError, match="no text shows what 'latency' measures"):
        text_for("latency")


def test_nothing_compared_is_nothing_to_read(settings: Settings) -> None:
    """An empty store has no hunks and no answers."""
    desk = Desk(Harness.of(settings), "words")
    assert (desk.hunks, desk.outcome().better) == ((), "undecided")


def test_a_recording_is_asked_once_of_each_reader(settings: Settings) -> None:
    """Two readers may answer; the first answer to a recording counts."""
    for number in range(3):
        store(settings, number)
    desk = Desk(Harness.of(settings), "title")
    first = desk.hunks[0]
    desk.record(first, "ana", "candidate")
    desk.record(first, "ana", "primary")
    desk.record(first, "ben", "primary")
    found = desk.outcome()
    assert (found.candidate, found.primary) == (1, 0)
    assert [len(desk.open_to(who)) for who in ("ana", "ben", "cora")] == [2, 2, 3]
    assert len(Audit(settings.store_url).all("adjudicate")) == 2


def test_answers_are_of_one_pair_of_builds(settings: Settings) -> None:
    """Another build of the candidate begins again."""
    store(settings, 1)
    old = Desk(Harness.of(settings), "words")
    old.record(old.hunks[0], "ana", "candidate")
    store(settings, 2, build="newer")
    new = Desk(Harness.of(settings), "words")
    assert [hunk.recording for hunk in new.hunks] == ["rec-2"]
    assert new.outcome().candidate == 0
    assert old.outcome().candidate == 1


def test_the_log_keeps_who_and_which_and_not_a_word(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    """Reader, recording, side and digest; the chain holds; no word stands in log or entry."""
    store(settings, 1)
    desk = Desk(Harness.of(settings), "words")
    with caplog.at_level(logging.DEBUG):
        desk.record(desk.hunks[0], "ana", "primary")
    log = Audit(settings.store_url)
    [entry] = log.all()
    body = entry["body"]
    assert {key: body[key] for key in ("who", "recording", "run", "choice", "text")} == {
        "who": "ana", "recording": "rec-1", "run": "run-1", "choice": "primary", "text": "words",
    }  # fmt: skip
    assert body["shown"] == desk.hunks[0].digest
    assert body["builds"] == {"primary": "legacy", "candidate": "new"}
    assert log.fault() == ""
    for text in (json.dumps(body), caplog.text):
        assert OLD not in text
        assert NEW not in text


@pytest.mark.parametrize("who", ["", "   ", "a" * 81, "ana\nben", "ana\x1b[31m"])
def test_a_readers_name_is_one_line(who: str) -> None:
    """It stands in the log, and in a terminal."""
    with pytest.raises(InputError, match="name"):
        reader(who)


# -- the terminal


def in_a_terminal(settings: Settings, keys: bytes, *arguments: str) -> tuple[int, str]:
    """The command in a terminal of its own, with these keys pressed; its code and its output."""
    config = settings.state_dir / "migrate.toml"
    config.write_text(
        f'state_dir = "{settings.state_dir}"\n[store]\nurl = "{settings.store_url}"\n'
        f'[reflector]\ndatabase_url = "{settings.reflector.database_url}"\n'
    )
    ours, theirs = pty.openpty()
    command = [sys.executable, "-c", "from reflector_migrate.cli.main import main; main()"]
    command += ["--config", str(config), "adjudicate", *arguments]
    shown = b""
    with subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs) as process:
        os.close(theirs)
        for part in _read(ours):
            shown += part
            if keys and shown.endswith(PROMPT):
                _wait_for_keys(ours)
                os.write(ours, keys[:1])
                shown, keys = shown + b"|", keys[1:]
        with suppress(subprocess.TimeoutExpired):
            process.wait(PATIENCE_S)
        process.kill()
    os.close(ours)
    return process.returncode, shown.decode(errors="replace")


def _wait_for_keys(terminal: int) -> None:
    """Until the command reads single keys: what is typed before is thrown away."""
    deadline = time.monotonic() + PATIENCE_S
    while termios.tcgetattr(terminal)[3] & termios.ICANON and time.monotonic() < deadline:
        time.sleep(0.005)


def _read(terminal: int) -> Iterator[bytes]:
    """What is written until the command has ended, or says nothing for too long."""
    while select.select([terminal], [], [], PATIENCE_S)[0]:
        try:
            found = os.read(terminal, 65536)
        except OSError:  # the command has ended
            return
        yield found


def test_the_terminal_hides_the_sides_and_takes_keys(settings: Settings) -> None:
    """Both texts are shown without a side, a key is an answer, and q ends it."""
    for number in range(3):
        store(settings, number, old=f"{OLD}{HOSTILE}")
    code, shown = in_a_terminal(settings, b"1sq", "words", "--who", "ana")
    assert code == 3
    before, _, result = shown.rpartition("3 of 3")
    assert OLD in shown
    assert NEW in shown
    assert "primary" not in before
    assert "candidate" not in before
    assert "\x1b[31m" not in shown
    assert "of 3 recordings with a difference" in result
    choices = [entry["body"]["choice"] for entry in Audit(settings.store_url).all("adjudicate")]
    assert len(choices) == 2
    assert choices[1] == "same"
    chosen = choices[0]
    place = before.index("1  we meet in"), before.index("2  we meet in")
    stood_first = "primary" if OLD in before[place[0] : place[1]] else "candidate"
    assert chosen == stood_first


def test_without_a_terminal_nothing_is_asked(settings: Settings) -> None:
    """A pipe cannot choose: usage, code 2; --result needs no reader."""
    from click.testing import CliRunner

    from reflector_migrate.cli.main import cli

    store(settings, 1)
    config = settings.state_dir / "migrate.toml"
    config.write_text(
        f'[store]\nurl = "{settings.store_url}"\n'
        f'[reflector]\ndatabase_url = "{settings.reflector.database_url}"\n'
    )

    def run(*arguments: str) -> Any:
        return CliRunner().invoke(cli, ["--config", str(config), "adjudicate", *arguments])

    asked = run("words", "--who", "ana")
    assert (asked.exit_code, "not a terminal" in asked.output) == (2, True)
    assert run("words").exit_code == 2
    desk = Desk(Harness.of(settings), "words")
    desk.record(desk.hunks[0], "ana", "candidate")
    found = run("words", "--json")
    body = json.loads(found.stdout)
    assert (found.exit_code, body["better"], body["candidate"]) == (3, "undecided", 1)
    assert body["schema"] == "migrate.adjudicate/1"
    shown = run("words", "--result")
    assert "1 candidate, 0 primary, 0 the same   of 1 recording with a difference" in shown.output


# -- the page


@pytest.fixture
def page(settings: Settings) -> TestClient:
    """`migrate serve` with three recordings that differ."""
    for number in range(3):
        store(settings, number, old=f"{OLD}{HOSTILE}")
    app = build(Harness.of(settings), TOKEN)
    return TestClient(app, base_url="http://127.0.0.1:8180", follow_redirects=False)


def asked(page: TestClient, who: str = "ana") -> str:
    """The reader's next question."""
    query = {"token": TOKEN, "who": who, "text": "words"}
    return page.get("/adjudicate", params=query).text


def form(text: str) -> dict[str, str]:
    """The hidden fields of a page."""
    return dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', text))


def test_the_page_asks_until_all_is_read(page: TestClient, settings: Settings) -> None:
    """Each answer leads to the next question, and the last one to the result."""
    text = asked(page)
    for left in (3, 2, 1):
        assert f"{left} to read" in text
        assert "primary" not in text.split("</style>")[1]
        assert "candidate" not in text.split("</style>")[1]
        first, second = re.findall(r"<section[^>]*>(.*?)</section>", text, re.DOTALL)
        assert (OLD in first) != (OLD in second)
        key = "first" if NEW in first else "second"
        answer = page.post("/adjudicate", data={**form(text), "choice": key})
        assert answer.status_code == 303
        text = page.get(answer.headers["location"]).text
    assert "All read" in text
    assert "3 candidate, 0 primary" in text
    choices = [entry["body"]["choice"] for entry in Audit(settings.store_url).all("adjudicate")]
    assert choices == ["candidate"] * 3


def test_nothing_in_a_text_can_act(page: TestClient) -> None:
    """Markup and control characters are written out, whole; the policy allows our script alone."""
    text = asked(page)
    assert "<script>alert" not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;\\u001b[31m" in text
    assert "default-src &#39;none&#39;" in text
    assert "form-action &#39;self&#39;" in text


@pytest.mark.parametrize(
    ("changes", "headers", "status"),
    [
        pytest.param({"token": ""}, {}, 403, id="no token"),
        pytest.param({"token": "another"}, {}, 403, id="another token"),
        pytest.param({"token": "tökén"}, {}, 403, id="a token in other letters"),
        pytest.param({}, {"origin": "http://evil.example"}, 403, id="a form of another site"),
        pytest.param({}, {"host": "evil.example"}, 400, id="another host's name"),
        pytest.param({"choice": "primary"}, {}, 400, id="a side instead of a place"),
        pytest.param({"shown": "0" * 64}, {}, 400, id="a question nobody asked"),
        pytest.param({"text": "row"}, {}, 400, id="a text that is not one"),
        pytest.param({"who": ""}, {}, 400, id="no reader"),
        pytest.param({"who": "a" * 9000}, {}, 413, id="a body without end"),
    ],
)
def test_only_an_answer_of_this_page_is_recorded(
    page: TestClient,
    settings: Settings,
    changes: dict[str, str],
    headers: dict[str, str],
    status: int,
) -> None:
    """Anything else is refused, without a word of a transcript, and nothing is recorded."""
    fields = {**form(asked(page)), "choice": "first", **changes}
    answer = page.post("/adjudicate", data=fields, headers=headers)
    assert answer.status_code == status
    assert OLD not in answer.text
    assert Audit(settings.store_url).all() == ()


@pytest.mark.parametrize("query", [{}, {"token": "another", "who": "ana", "text": "words"}])
def test_without_the_token_no_word_is_shown(page: TestClient, query: dict[str, str]) -> None:
    """Who can reach loopback cannot yet read transcripts."""
    answer = page.get("/adjudicate", params=query)
    assert answer.status_code == 403
    assert OLD not in answer.text
    assert answer.headers["cache-control"] == "no-store"


def test_the_token_opens_a_form_for_the_readers_name(page: TestClient) -> None:
    """First of all the page asks who is reading."""
    text = page.get("/adjudicate", params={"token": TOKEN}).text
    assert 'name="who"' in text
    assert '<option value="long_summary">long summary</option>' in text
    assert OLD not in text


@pytest.mark.parametrize("path", ["/", "/metrics", "/healthz", "/version", "/reports/x.html"])
def test_everything_else_takes_no_post(page: TestClient, path: str) -> None:
    """The one POST is the page's."""
    assert page.post(path).status_code == 405
