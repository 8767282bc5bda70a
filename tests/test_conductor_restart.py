"""Whatever is killed, a run ends as if nothing had been: real steps, real servers, SIGKILL."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from pydantic import SecretStr

from reflector_migrate.conductor.catching_up import catch_up
from reflector_migrate.conductor.client import connected
from reflector_migrate.conductor.execution import read
from reflector_migrate.conductor.start import start_workflow
from reflector_migrate.conductor.tasks.definitions import task_definitions
from reflector_migrate.errors import ServerUnreachableError
from reflector_migrate.model import STEP_NAMES
from reflector_migrate.pipeline.contracts import Track
from reflector_migrate.sandbox.stack import Sandbox
from reflector_migrate.sandbox.standins.client import StandinControl
from reflector_migrate.sandbox.standins.running import running_standins
from reflector_migrate.settings import Settings
from tests.pipeline_world import local_s3, make_world

pytestmark = [pytest.mark.live, pytest.mark.timeout(800)]

PROGRAM = Path(__file__).parent / "restart_workers.py"
RESPONSE_S, TOTAL_S, RETRY_S = 3, 120, 1
PATIENCE_S = 540.0
TIMES = re.compile(r'\\"timestamp\\":\\"[^"]*\\"|t=\d+,v1=\w+|"X-Webhook-Retry": "\d+",? ?')


@pytest.fixture(scope="module")
def s3_url():
    """One S3 for this file."""
    with local_s3() as url:
        yield url


@pytest.fixture(scope="module")
def control(tmp_path_factory):
    """One process of stand-ins for this file."""
    with running_standins(tmp_path_factory.mktemp("none")) as url, StandinControl(url) as control:
        yield control


@pytest.fixture(scope="module")
def servers(tmp_path_factory):
    """A Conductor of our own, on which every task is given up after seconds, and a Redis."""
    patient = Settings.model_validate({"sandbox": {"start_timeout_s": 240.0}})
    folder = tmp_path_factory.mktemp("servers")
    with Sandbox(patient, folder, with_=("conductor", "redis")) as sandbox:
        with connected(sandbox.settings) as client:
            for made in task_definitions(sandbox.settings, caps_retry_delay=True):
                client.replace_task_def({**made, **_brief()})
        yield sandbox


def _brief():
    return {
        "responseTimeoutSeconds": RESPONSE_S,
        "timeoutSeconds": TOTAL_S,
        "retryCount": 8,  # two deaths each, and room for a busy machine's own timeouts
        "retryLogic": "FIXED",
        "retryDelaySeconds": RETRY_S,
    }


@pytest.fixture(scope="module")
def undisturbed(s3_url, control, tmp_path_factory):
    """What each namespace's run leaves that nothing disturbs, and what it asked for."""
    left = {}
    for namespace in ("shadow", "live"):
        folder = tmp_path_factory.mktemp("undisturbed")
        world = a_world(folder, s3_url, control, namespace)
        world.whole()
        left[namespace] = left_by(world, control)
    return left


def a_world(folder, s3_url, control, namespace):
    """A refused recording with short tracks: it has every effect there is."""
    return make_world(
        folder, s3_url, control, scenario="denied-consent", namespace=namespace, is_brief=True
    )


class Host:
    """A worker host over the real steps, one task at a time in each process."""

    def __init__(self, world, orders, name):
        self.ready = orders / f"ready-{name}"
        environ = {
            **os.environ,
            **_environ(world.settings),
            "PYTHONPATH": str(PROGRAM.parent.parent),
            "RESTART_ORDERS": str(orders),
            "MIGRATE_READY_FILE": str(self.ready),
        }
        with (orders / f"log-{name}").open("w") as log:
            self.process = subprocess.Popen(
                [sys.executable, str(PROGRAM)], env=environ, stdout=log, stderr=log
            )

    def family(self):
        """The host and every process below it."""
        parent = psutil.Process(self.process.pid)
        return [parent, *parent.children(recursive=True)]

    def kill(self):
        """SIGKILL all of it at once."""
        family = self.family() if self.process.poll() is None else []
        for process in family:
            process.kill()
        psutil.wait_procs(family, timeout=10)


def _environ(settings):
    """Every setting that was set, as the environment says it."""
    found = {"MIGRATE_IS_SANDBOX": "true", "MIGRATE_STATE_DIR": str(settings.state_dir)}
    for section in ("store", "s3", "reflector", "candidate", "services", "conductor", "workers"):
        part = getattr(settings, section)
        for key in part.model_fields_set:
            value = getattr(part, key)
            plain = value.get_secret_value() if isinstance(value, SecretStr) else value
            if plain not in (None, ()):
                found[f"MIGRATE_{section}__{key}".upper()] = str(plain)
    return found


class Drama:
    """A world whose run is executed by Conductor while things die."""

    def __init__(self, folder, servers, world):
        self.servers, self.world, self.orders = servers, world, folder / "orders"
        self.orders.mkdir()
        theirs = servers.settings
        conductor = theirs.conductor.model_copy(update={"domain": f"d{os.urandom(4).hex()}"})
        slots = {"light": 1, "transcribe": 1, "audio": 1, "drain_s": 3.0}
        bus = {"bus_url": theirs.candidate.bus_url}
        world.settings = world.settings.model_copy(
            update={
                "conductor": conductor,
                "workers": Settings.model_validate({"workers": slots}).workers,
                "candidate": world.settings.candidate.model_copy(update=bus),
                "reflector": world.settings.reflector.model_copy(update=bus),
            }
        )
        self.hosts = []

    def order(self, *dying):
        """These steps die twice each."""
        (self.orders / "die").write_text(" ".join(dying))

    def begin(self):
        """Start the workflow and a host that serves it."""
        self.host()
        tracks = [Track.model_validate(track) for track in self.world.tracks]
        self.workflow_id = start_workflow(self.world.settings, self.world.run, tracks)

    def host(self):
        """One more worker host."""
        self.hosts.append(Host(self.world, self.orders, len(self.hosts)))
        return self.hosts[-1]

    def hold(self, step):
        """Keep back what this step gives."""
        (self.orders / f"pause-{step}").touch()

    def wait_for(self, step):
        """Until the step's result is being kept back."""
        held = self.orders / "held"
        until(lambda: held.exists() and step in held.read_text().split(), f"{step} is held")

    def let_go(self, step):
        """Let it hand in."""
        (self.orders / f"pause-{step}").unlink()

    def times(self, what, step):
        """How often a step ran, or died."""
        path = self.orders / what
        return path.read_text().split().count(step) if path.exists() else 0

    def end(self):
        """The execution, once it has ended."""
        until(lambda: self._status() != "running", "the workflow ends")
        return read(self.world.settings, self.workflow_id)

    def forget(self):
        """Take the workflow off the server: every drama has the same run, and so the same ids."""
        with connected(self.world.settings) as client:
            path = f"/workflow/{self.workflow_id}/remove"
            client.door.delete(path, archiveWorkflow=False)

    def _status(self):
        """As the collector asks."""
        try:
            return catch_up(self.world.settings, self.workflow_id).status
        except ServerUnreachableError:
            return "running"


def until(is_so, what):
    """Wait for it."""
    deadline = time.monotonic() + PATIENCE_S
    while not is_so():
        assert time.monotonic() < deadline, f"never: {what}"
        time.sleep(0.2)


@pytest.fixture
def drama(servers, s3_url, control, tmp_path):
    """Makes dramas of the test's own, and ends what is left of their hosts."""
    made = []

    def make(namespace="shadow"):
        folder = tmp_path / namespace
        folder.mkdir()
        drama = Drama(folder, servers, a_world(folder, s3_url, control, namespace))
        drama.order()
        made.append(drama)
        return drama

    yield make
    for one in made:
        for host in one.hosts:
            host.kill()
        one.forget()


def left_by(world, control):
    """Everything a run leaves, but for clocks, signatures and progress; and the paid calls."""
    row = {name: getattr(world.row, name) for name in world.row.__slots__}
    row["events"], last = _in_either_order(row["events"])
    assert last in (["FINAL_SHORT_SUMMARY", "FINAL_LONG_SUMMARY"], [])
    effects = [e.model_dump(exclude={"at", "sha256"}) for e in world.effects()]
    messages = [m for m in world.messages() if m[1]["event"] != "PIPELINE_PROGRESS"]
    standing = [m["id"] for m in control.zulip_messages()]
    if standing:  # numbers go on from run to run
        row["zulip_message_id"] = standing.index(row["zulip_message_id"])
    posted = [(m["subject"], m["content"]) for m in control.zulip_messages()]
    told = [json.loads(w["body"]) | {"timestamp": ""} for w in control.webhooks()]
    effects.sort(key=lambda effect: (effect["kind"], effect["key"]))  # tracks race
    done = {"effects": effects, "told": sorted(map(str, messages)), "zulip": posted, "hook": told}
    done = json.loads(TIMES.sub("", json.dumps(done, default=str)))
    asked = {service: len(control.requests(service)) for service in ("recogniser", "llm")}
    objects = {b: world.keys(b) for b in ("shadow-media", "reflector-media", "daily-tracks")}
    return {**row, **done, **objects, **asked}


def differences(left, expected):
    """Only what is not as it would be undisturbed, both ways."""
    assert left.keys() == expected.keys()
    return {k: (left[k], expected[k]) for k in left if left[k] != expected[k]}


def _in_either_order(events):
    """Events with the title put first: title and summaries are written side by side."""
    titles = [e for e in events if e["event"] == "FINAL_TITLE"]
    others = [e for e in events if e["event"] != "FINAL_TITLE"]
    return [*titles, *others], [e["event"] for e in others if e["event"].startswith("FINAL_")]


def test_every_step_is_killed_twice_and_the_run_is_as_if_undisturbed(drama, undisturbed, control):
    """Thirty SIGKILLs: row, events, effects, messages, objects equal; no paid call made again."""
    it = drama()
    it.order(*STEP_NAMES)
    it.begin()
    found = it.end()
    assert found.status == "completed", (found.reason, it.orders)
    assert found.failed_steps == ()
    assert {step: it.times("deaths", step) for step in STEP_NAMES} == dict.fromkeys(STEP_NAMES, 2)
    assert differences(left_by(it.world, control), undisturbed["shadow"]) == {}


def test_what_is_really_sent_is_sent_once_whoever_dies(drama, undisturbed, control):
    """In the live namespace Zulip has one message and the receiver one event, after eight kills."""
    it = drama("live")
    dying = ("finalize", "cleanup_consent", "post_zulip", "send_webhook")
    it.order(*dying)
    it.begin()
    found = it.end()
    assert found.status == "completed", (found.reason, it.orders)
    assert {step: it.times("deaths", step) for step in dying} == dict.fromkeys(dying, 2)
    assert differences(left_by(it.world, control), undisturbed["live"]) == {}


def test_killed_servers_and_hosts_cost_nothing_that_was_done(drama, servers, undisturbed, control):
    """SIGKILL for Redis, for Conductor and for a whole worker host, each amid a step."""
    it = drama()
    for step in ("pad_track", "transcribe_track", "detect_topics"):
        it.hold(step)
    it.begin()
    it.wait_for("pad_track")
    servers.kill("redis")
    it.let_go("pad_track")
    it.wait_for("transcribe_track")
    servers.restart("redis")
    servers.kill("conductor")
    it.let_go("transcribe_track")
    servers.restart("conductor")
    it.wait_for("detect_topics")
    it.hosts[0].kill()
    it.let_go("detect_topics")
    it.host()
    found = it.end()
    assert found.status == "completed", (found.reason, it.orders)
    assert differences(left_by(it.world, control), undisturbed["shadow"]) == {}
    assert it.times("runs", "pad_track") == 2
    assert it.times("runs", "detect_topics") == 2
