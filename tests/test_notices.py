"""Notices: sent to real local receivers, once for each change of state, secrets never shown."""

from __future__ import annotations

import json
import logging
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from reflector_migrate.cli.main import cli
from reflector_migrate.cutover.canary import Position, Served
from reflector_migrate.cutover.handover import KEPT_BACK, SERVED
from reflector_migrate.cutover.news import news_of_the_breaker, news_of_the_way_back
from reflector_migrate.errors import ConfigurationError
from reflector_migrate.harness import Harness
from reflector_migrate.model import Comparison, Engine, Role, Side, Verdict, gist_of
from reflector_migrate.plugin.reflector_claim import BREAKER_OPEN
from reflector_migrate.plugin.reflector_route_table import Table
from reflector_migrate.settings import Settings, load_settings
from reflector_migrate.shadow.nightly.news import news_of
from reflector_migrate.shadow.nightly.night import gather, write_report
from reflector_migrate.shadow.notices import Notice, send
from reflector_migrate.store.audit import Audit
from reflector_migrate.store.base import writing
from reflector_migrate.store.evidence import Evidence
from reflector_migrate.store.runs import Dispatches
from reflector_migrate.store.tables import audit, heartbeats
from reports.document import Coverage, GateLine, Night
from tests.new_stores import new_store

SECRET = "T0KEN-abc-def"
BAD = Notice("night", "DIVERGED", is_bad=True, text="Night 2026-11-23: DIVERGED")
WORSE = Notice("night", "ERRORED", is_bad=True, text="Night 2026-11-24: ERRORED")
GOOD = Notice("night", "MATCHED", is_bad=False, text="Night 2026-11-25: MATCHED")


class Receiver(ThreadingHTTPServer):
    """A chat's webhook on a port of its own: keeps what arrives, answers as it is set."""

    def __init__(self) -> None:
        """Answer 200 at first."""
        super().__init__(("127.0.0.1", 0), _Handler)
        self.got: list[tuple[str, Any]] = []
        self.status = 200

    @property
    def url(self) -> str:
        """Its address, which bears a secret."""
        return f"http://127.0.0.1:{self.server_port}/services/{SECRET}?api_key={SECRET}"

    @property
    def texts(self) -> list[str]:
        """The text of each message."""
        return [body["text"] for _, body in self.got]


class _Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        """Keep the body, and answer."""
        length = int(self.headers["Content-Length"])
        assert self.headers["Content-Type"] == "application/json"
        self.server.got.append((self.path, json.loads(self.rfile.read(length))))
        self.send_response(self.server.status)
        if self.server.status in (301, 302, 307):
            self.send_header("Location", "/login")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """It listens until the test ends."""
    with Receiver() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def settings_of(folder: Path, **notify: Any) -> Settings:
    """Settings with an empty store and these channels."""
    made = Settings.model_validate(
        {
            "state_dir": folder,
            "store": {"url": f"sqlite:///{folder}/s.db"},
            "notify": {"timeout_s": 5, **notify},
        }
    )
    if not (folder / "s.db").exists():
        new_store(made.store_url)
    return made


@pytest.mark.parametrize("channel", ["slack", "zulip"])
def test_a_change_of_state_is_sent_once(tmp_path: Path, receiver: Receiver, channel: str) -> None:
    """Not each night again; the way back to good is a change too, and the log says who got what."""
    settings = settings_of(tmp_path, **{f"{channel}_url": receiver.url})
    for notice in (GOOD, BAD, BAD, WORSE, GOOD, GOOD, BAD):
        assert send(Harness.of(settings), [notice]) == ()
    assert receiver.texts == [
        f"✗ {BAD.text}", f"✗ {WORSE.text}", f"✓ {GOOD.text}", f"✗ {BAD.text}"
    ]  # fmt: skip
    path, _ = receiver.got[0]
    assert path == f"/services/{SECRET}?api_key={SECRET}"
    kept = [entry["body"] for entry in Audit(settings.store_url).all("notice")]
    said = {"topic": "night", "state": "DIVERGED", "channels": [channel]}
    assert kept[0].items() >= said.items()
    assert len(kept) == 4


@pytest.mark.parametrize("status", [302, 403, 404, 500])
def test_a_refusal_is_said_and_tried_again(
    tmp_path: Path, receiver: Receiver, caplog: pytest.LogCaptureFixture, status: int
) -> None:
    """It stops nothing, the log names the channel and not its address; the next time it goes."""
    settings = settings_of(tmp_path, slack_url=receiver.url)
    receiver.status = status
    with caplog.at_level(logging.DEBUG):
        assert send(Harness.of(settings), [BAD]) == (f"slack: answered {status}",)
    assert f"slack: answered {status}" in caplog.text
    assert SECRET not in caplog.text
    assert Audit(settings.store_url).all() == ()
    receiver.status = 200
    assert send(Harness.of(settings), [BAD]) == ()
    assert len(receiver.got) == 2


def test_one_channel_down_does_not_keep_the_other_from_it(
    tmp_path: Path, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    """Zulip's port has no listener: Slack gets it once, Zulip as soon as it is there."""
    nobody = f"http://127.0.0.1:{_free_port()}/{SECRET}"
    settings = settings_of(tmp_path, slack_url=receiver.url, zulip_url=nobody)
    with caplog.at_level(logging.DEBUG):
        assert send(Harness.of(settings), [BAD]) == ("zulip: ConnectionRefusedError",)
        assert send(Harness.of(settings), [BAD]) == ("zulip: ConnectionRefusedError",)
    assert SECRET not in caplog.text
    assert len(receiver.got) == 1
    both = settings_of(tmp_path, slack_url=receiver.url, zulip_url=receiver.url)
    assert send(Harness.of(both), [BAD]) == ()
    assert len(receiver.got) == 2


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


def test_a_receiver_that_never_answers_is_given_up(tmp_path: Path) -> None:
    """It takes the connection and says nothing: the timeout ends it."""
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        url = f"http://127.0.0.1:{deaf.getsockname()[1]}/{SECRET}"
        settings = settings_of(tmp_path, slack_url=url, timeout_s=0.2)
        assert send(Harness.of(settings), [BAD]) == ("slack: TimeoutError",)


def test_nothing_in_a_text_calls_or_links(tmp_path: Path, receiver: Receiver) -> None:
    """A recording's id is foreign text: it can mention no person and act on no terminal."""
    settings = settings_of(tmp_path, slack_url=receiver.url)
    hostile = "<!channel> @**all** <http://evil.example|x> & \x1b[31m\nsecond"
    send(Harness.of(settings), [Notice("night", "x", is_bad=True, text=hostile)])
    [text] = receiver.texts
    assert "<" not in text
    assert "@**" not in text
    assert "\x1b" not in text
    assert "\n" not in text
    assert "&lt;!channel&gt;" in text


def test_a_step_has_its_own_summary(tmp_path: Path) -> None:
    """Each run appends how everything stands, good or bad: a step's summary has no history."""
    summary = tmp_path / "summary.md"
    settings = settings_of(tmp_path, step_summary=summary)
    assert send(Harness.of(settings), [BAD]) == ()
    assert send(Harness.of(settings), [BAD, GOOD]) == ()
    assert summary.read_text() == f"- ❌ {BAD.text}\n- ❌ {BAD.text}\n- ✅ {GOOD.text}\n"
    elsewhere = settings_of(tmp_path, step_summary=tmp_path / "no" / "such")
    assert send(Harness.of(elsewhere), [BAD]) == ("step summary: No such file or directory",)


def test_without_a_channel_nothing_is_kept(tmp_path: Path) -> None:
    """A deployment without channels has no entries about it."""
    settings = settings_of(tmp_path)
    assert send(Harness.of(settings), [BAD]) == ()
    assert Audit(settings.store_url).all() == ()


def test_an_address_is_never_shown(tmp_path: Path) -> None:
    """Neither by the settings that show themselves nor by the error about a wrong one."""
    assert SECRET not in repr(settings_of(tmp_path, slack_url=f"http://x/{SECRET}"))
    wrong = tmp_path / "migrate.toml"
    wrong.write_text(f'[notify]\nslack_url = "{SECRET}"\n')
    with pytest.raises(ConfigurationError) as refused:
        load_settings(wrong, environ={})
    assert "notify.slack_url" in refused.value.message
    assert SECRET not in refused.value.message


# -- what is sent


def night(*gates: GateLine, verdict: Verdict | None = None) -> Night:
    """A night with one comparison, or none."""
    found = () if verdict is None else (gist_of(_comparison(verdict)),)
    return Night(
        night="2026-11-23", generated_at="", coverage=Coverage(eligible=1, compared=len(found)),
        comparisons=(), gates=gates, rules="", gists=found, places=(),
    )  # fmt: skip


def _comparison(verdict: Verdict) -> Comparison:
    return Comparison(
        recording="rec-1",
        run_id="run-1",
        verdict=verdict,
        primary=Side(role=Role.PRIMARY, engine=Engine.CELERY, status="completed"),
        candidate=Side(role=Role.CANDIDATE, engine=Engine.CONDUCTOR, status="completed"),
    )


def _line(name: str, state: str, *, is_report_only: bool = False) -> GateLine:
    return GateLine(name, state, "-", "-", 1, is_report_only=is_report_only)


PASSES, FAILS = _line("words", "PASS"), _line("row", "FAIL")
OPEN, SHOWN = _line("title", "INCONCLUSIVE"), _line("latency/x", "FAIL", is_report_only=True)


@pytest.mark.parametrize(
    ("found", "states", "says"),
    [
        pytest.param(night(PASSES, verdict=Verdict.MATCHED), (False, False), "all 1 gates pass",
                     id="a good night and an open phase call nobody"),
        pytest.param(night(PASSES, verdict=Verdict.DIVERGED), (True, False), "DIVERGED",
                     id="a diverged night is bad"),
        pytest.param(night(), (True, True), "nothing is compared",
                     id="a night in which nothing was compared is bad"),
        pytest.param(night(PASSES, FAILS, OPEN, verdict=Verdict.MATCHED), (False, True),
                     "held: row fail", id="a failing gate holds the phase"),
        pytest.param(night(PASSES, OPEN, verdict=Verdict.MATCHED), (False, True),
                     "held: title not decided", id="an open gate holds the phase"),
        pytest.param(night(PASSES, SHOWN, verdict=Verdict.MATCHED), (False, False),
                     "all 1 gates pass", id="a gate for report only holds nothing"),
    ],
)  # fmt: skip
def test_what_a_night_says(found: Night, states: tuple[bool, bool], says: str) -> None:
    """The night, then the phase: bad or not, in one sentence each."""
    notices = news_of(found)
    assert tuple(notice.is_bad for notice in notices) == states
    assert [notice.topic for notice in notices] == ["night", "phase shadow"]
    assert says in " ".join(notice.text for notice in notices)


def test_the_nightly_report_calls_and_is_written_whatever_happens(
    tmp_path: Path, receiver: Receiver
) -> None:
    """Two messages for a bad night and a held phase, none the next time, and always the page."""
    settings = settings_of(tmp_path, slack_url=receiver.url)
    Evidence(settings.store_url).add([], _comparison(Verdict.DIVERGED), "2026-11-23")
    receiver.status = 500
    assert write_report(Harness.of(settings), "2026-11-23").is_file()
    receiver.status = 200
    for _ in range(2):
        send(Harness.of(settings), news_of(gather(Harness.of(settings), "2026-11-23")))
    sent = receiver.texts[2:]
    assert len(sent) == 2
    assert sent[0].startswith("✗ Night 2026-11-23: DIVERGED")
    assert sent[1].startswith("✗ Phase shadow is held")


def test_people_get_the_audit_logs_head(
    tmp_path: Path, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Chat, the step's summary and the last line have a head that finds a rewritten log.

    With the store, the file of heads and the pages gone, what people were sent is left.
    """
    summary = tmp_path / "summary.md"
    settings = settings_of(tmp_path, slack_url=receiver.url, step_summary=summary)
    log, harness = Audit(settings.store_url), Harness.of(settings)
    log.append("sign:margins", {"who": "ana"})
    sent = log.head()
    write_report(harness, "2026-11-23")
    said = f". Audit head 1:{sent.digest[:16]}"
    assert [text.endswith(said) for text in receiver.texts] == [True, True]
    assert summary.read_text().count(f"{said}\n") == 2
    monkeypatch.setenv("MIGRATE_STATE_DIR", str(tmp_path / "another"))
    monkeypatch.setenv("MIGRATE_STORE__URL", settings.store_url)
    verify = ["audit", "verify", "--head", sent.short]
    assert CliRunner().invoke(cli, verify).exit_code == 0
    with writing(settings.store_url) as connection:
        connection.execute(audit.delete())
        connection.execute(heartbeats.delete())
    log.append("sign:margins", {"who": "mallory"})
    assert CliRunner().invoke(cli, verify[:2]).exit_code == 0
    found = CliRunner().invoke(cli, verify)
    assert (found.exit_code, "the log was rewritten" in found.stdout) == (1, True)
    too_short = CliRunner().invoke(cli, [*verify[:3], "1:abc"])
    assert "is not NUMBER:DIGEST" in str(too_short.exception)


def test_an_open_breaker_is_said_and_its_end_too(tmp_path: Path, receiver: Receiver) -> None:
    """Open as recordings met it: legacy served one for it; closed once a workflow started again."""
    settings = settings_of(tmp_path, zulip_url=receiver.url)
    assert news_of_the_breaker(Harness.of(settings)) == ()
    log = Dispatches(settings.store_url)
    for outcome, reason in (
        ("started", f"{SERVED}abc"),
        ("skipped", f"{KEPT_BACK}{BREAKER_OPEN}"),
        ("skipped", f"{KEPT_BACK}{BREAKER_OPEN}"),
        ("started", f"{SERVED}abc"),
    ):
        log.add("rec", outcome, reason=reason)
        send(Harness.of(settings), news_of_the_breaker(Harness.of(settings)))
    assert [text[:16] for text in receiver.texts] == ["✗ Breaker open: ", "✓ Breaker closed"]


def test_a_proposed_rollback_is_said_until_the_routes_change(
    tmp_path: Path, receiver: Receiver
) -> None:
    """Once, however often one looks; and once that it is over."""
    settings = settings_of(tmp_path, slack_url=receiver.url)
    for proposal in ("", "Conductor failed rec-1", "Conductor failed rec-1", ""):
        at = Position(Table(1), None, Served(), proposal=proposal)
        send(Harness.of(settings), [news_of_the_way_back(at)])
    assert receiver.texts == [
        "✗ A rollback is proposed: Conductor failed rec-1. migrate cutover rollback",
        "✓ No rollback is proposed any more",
    ]
