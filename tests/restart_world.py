"""Real steps in real worker hosts on a real Conductor, where things hang, fail and die."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

import psutil
from pydantic import SecretStr

from reflector_migrate.conductor.catching_up import catch_up
from reflector_migrate.conductor.client import connected
from reflector_migrate.conductor.compat import server_version
from reflector_migrate.conductor.execution import Execution, read
from reflector_migrate.conductor.http import NotFoundError
from reflector_migrate.conductor.start import start_workflow
from reflector_migrate.conductor.tasks.definitions import task_definitions
from reflector_migrate.errors import ServerUnreachableError
from reflector_migrate.model import VISIBLE_STEPS
from reflector_migrate.pipeline.context import place_of
from reflector_migrate.pipeline.contracts import Track
from reflector_migrate.pipeline.rows import Rows, create_all
from reflector_migrate.sandbox.stack import Sandbox
from reflector_migrate.sandbox.standins.client import StandinControl
from reflector_migrate.sandbox.standins.running import running_standins
from reflector_migrate.settings import Settings
from reflector_migrate.store.events import EventLog
from reflector_migrate.store.migrate import upgrade
from tests.pipeline_world import fill, local_s3, make_world, recorded_rows

IN_TURN = (
    "get_recording", "get_participants", "pad_track", "mixdown_tracks", "generate_waveform",
    "transcribe_track", "merge_transcripts", "detect_topics", "generate_title",
    "generate_summary", "finalize", "cleanup_consent", "post_zulip", "send_webhook",
)  # fmt: skip
"""The steps in the order in which they first run, without the forks' helper."""
SCENARIO = "denied-consent"
PROGRAM = Path(__file__).parent / "restart_workers.py"
VERSIONS = ("3.32.3", "3.15.0")
TIMES = re.compile(r'\\"timestamp\\":\\"[^"]*\\"|t=\d+,v1=\w+|"X-Webhook-Retry": "\d+",? ?')
SOAK = "MIGRATE_SOAK" in os.environ
PATIENCE_S = 12_000.0 if SOAK else 500.0
LIMIT_S = 14_400 if SOAK else 600
"""How long one test may take."""
BRIEF = {"retryLogic": "FIXED", "retryDelaySeconds": 1}
"""In place of the table's backoff; its retry counts and timeouts stay."""
SILENT_S = 10
"""How long a worker may be silent where a test waits for that, and not for minutes."""


class Stage(NamedTuple):
    """What all dramas share."""

    servers: Sandbox
    s3_url: str
    control: StandinControl


@contextmanager
def staged(folder):
    """Conductor 3.32.3, Redis, S3 and the outside services."""
    nobody = folder / "nobody"
    nobody.mkdir()
    with (
        local_s3() as s3_url,
        running_standins(nobody) as url,
        StandinControl(url) as control,
        servers_of(VERSIONS[0], folder / "servers") as servers,
    ):
        yield Stage(servers, s3_url, control)


@contextmanager
def servers_of(version, folder):
    """Of that version; what failed is tried again after a second."""
    patient = Settings.model_validate({"sandbox": {"start_timeout_s": 240.0}})
    parts = ("conductor", "redis")
    with Sandbox(patient, folder, conductor_version=version, with_=parts) as sandbox:
        caps = server_version(sandbox.settings).caps_retry_delay
        with connected(sandbox.settings) as client:
            for made in task_definitions(sandbox.settings, caps_retry_delay=caps):
                client.replace_task_def(made if SOAK else {**made, **BRIEF})
        yield sandbox


@contextmanager
def timed(servers, step, **times):
    """A step with other times for a while; in a soak it keeps the table's."""
    with connected(servers.settings) as client:
        usual = client.task_def(step)
        client.replace_task_def(usual if SOAK else {**usual, **times})
        try:
            yield
        finally:
            client.replace_task_def(usual)


def a_world(folder, s3_url, control, namespace, scenario=SCENARIO, **overrides):
    """A recording with short tracks: the refused one, which has every effect there is."""
    named = {"scenario": scenario, "namespace": namespace, "is_brief": True}
    return make_world(folder, s3_url, control, **named, **overrides)


def move_to(database, world):
    """Put the world's store and the candidate's rows into PostgreSQL."""
    store, rows = database.create_database(), database.create_database()
    upgrade(store)
    create_all(rows)
    fill(Rows.at(rows), recorded_rows(SCENARIO), world.control.url("webhook"))
    settings = world.settings
    candidate = settings.candidate.model_copy(update={"database_url": rows})
    kept = settings.store.model_copy(update={"url": store})
    world.settings = settings.model_copy(update={"candidate": candidate, "store": kept})


class Host:
    """A worker host over the real steps, one task at a time in each process."""

    def __init__(self, world, orders, name):
        self.ready = orders / f"ready-{name}"
        environ = {
            **os.environ,
            **environ_of(world.settings),
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
            with suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(family, timeout=10)


def environ_of(settings):
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
        redis = {**bus, "broker_url": theirs.reflector.broker_url}
        world.settings = world.settings.model_copy(
            update={
                "conductor": conductor,
                "workers": Settings.model_validate({"workers": slots}).workers,
                "candidate": world.settings.candidate.model_copy(update=bus),
                "reflector": world.settings.reflector.model_copy(update=redis),
            }
        )
        self.hosts, self.workflow_id, self.last = [], None, None
        self.order()

    def order(self, *dying):
        """These steps die twice each; in a soak each takes the whole host with it."""
        (self.orders / "die").write_text(" ".join(dying))
        if SOAK:
            (self.orders / "unreported").touch()

    def begin(self, hosts=1):
        """Start the workflow and the hosts that serve it."""
        for _ in range(hosts):
            self.host()
        tracks = [Track.model_validate(track) for track in self.world.tracks]
        self.workflow_id = start_workflow(self.world.settings, self.world.run, tracks)

    def host(self):
        """One more worker host."""
        self.hosts.append(Host(self.world, self.orders, len(self.hosts)))
        return self.hosts[-1]

    def hold(self, step, how="pause"):
        """Keep back what this step gives; with `stall`, keep it from going on after a write."""
        (self.orders / f"{how}-{step}").touch()

    def wait_for(self, step):
        """Until the step is held."""
        until(lambda: self.times("held", step), f"{step} is held")

    def let_go(self, step, how="pause"):
        """Let it go on."""
        (self.orders / f"{how}-{step}").unlink()

    def attempts(self, step):
        """Status and reason of each attempt at a step so far."""
        found = read(self.world.settings, self.workflow_id).step_runs
        return [(s.status, s.error or "") for s in found if s.name == step]

    def times(self, what, step):
        """How often a step ran, or died."""
        path = self.orders / what
        return path.read_text().split().count(step) if path.exists() else 0

    def told(self):
        """What listeners were told, in order."""
        return EventLog(self.world.settings.store_url).of(self.world.run_id)

    def end(self):
        """The execution, once it has ended."""
        until(lambda: self.now().status != "running", "the workflow ends")
        return self.last

    def close(self):
        """Kill its hosts, and forget the workflow: every drama has the same run and so its ids."""
        for host in self.hosts:
            host.kill()
        if self.workflow_id is not None:
            self.forget(self.workflow_id)
        self.hosts, self.workflow_id = [], None

    def forget(self, workflow_id):
        """Have the server forget it."""
        path = f"/workflow/{workflow_id}/remove"
        with connected(self.world.settings) as client, suppress(NotFoundError):
            client.door.delete(path, archiveWorkflow=False)  # gone after a lost answer

    def now(self):
        """As the collector asks; a host that has died is replaced, as by whoever supervises it."""
        if self.hosts[-1].process.poll() is not None:
            self.host()
        try:
            self.last = catch_up(self.world.settings, self.workflow_id)
        except ServerUnreachableError:
            self.last = Execution(self.workflow_id, "running")
        return self.last


def until(is_so, what):
    """Wait for it."""
    deadline = time.monotonic() + PATIENCE_S
    while not is_so():
        assert time.monotonic() < deadline, f"never: {what}"
        time.sleep(0.2)


@contextmanager
def dramas(stage, folder):
    """Makes dramas, and ends what is left of their hosts."""
    made = []

    def make(namespace="shadow", *, servers=None, database=None, **options):
        home = folder / namespace
        home.mkdir()
        world = a_world(home, stage.s3_url, stage.control, namespace, **options)
        if database is not None:
            move_to(database, world)
        made.append(Drama(home, servers or stage.servers, world))
        return made[-1]

    try:
        yield make
    finally:
        for one in made:
            one.close()


def left_undisturbed(stage, folder):
    """What each namespace's run leaves that nothing disturbs, and what it asked for."""
    left = {}
    for namespace in ("shadow", "live"):
        home = folder / f"undisturbed-{namespace}"
        home.mkdir()
        world = a_world(home, stage.s3_url, stage.control, namespace)
        world.whole()
        left[namespace] = left_by(world)
    return left


def left_by(world):
    """Everything a run leaves, but for clocks, signatures and progress; and the paid calls."""
    row = {name: getattr(world.row, name) for name in world.row.__slots__}
    row["events"], last = _in_either_order(row["events"])
    assert last in (["FINAL_SHORT_SUMMARY", "FINAL_LONG_SUMMARY"], [])
    effects = [e.model_dump(exclude={"at", "sha256"}) for e in world.effects()]
    messages = [m for m in world.messages() if m[1]["event"] != "PIPELINE_PROGRESS"]
    standing = [m["id"] for m in world.control.zulip_messages()]
    if standing:  # numbers go on from run to run
        row["zulip_message_id"] = standing.index(row["zulip_message_id"])
    posted = [(m["subject"], m["content"]) for m in world.control.zulip_messages()]
    told = [json.loads(w["body"]) | {"timestamp": ""} for w in world.control.webhooks()]
    effects.sort(key=lambda effect: (effect["kind"], effect["key"]))  # tracks race
    done = {"effects": effects, "told": sorted(map(str, messages)), "zulip": posted, "hook": told}
    done = json.loads(TIMES.sub("", json.dumps(done, default=str)))
    asked = {service: len(world.control.requests(service)) for service in ("recogniser", "llm")}
    place = place_of(world.run, world.settings)
    files = [str(p.relative_to(place.data_dir)) for p in place.data_dir.rglob("*") if p.is_file()]
    objects = {b: world.keys(b) for b in ("shadow-media", "reflector-media", "daily-tracks")}
    return {**row, **done, **objects, **asked, "files": sorted(files)}


def differences(left, expected):
    """Only what is not as it would be undisturbed, both ways."""
    assert left.keys() == expected.keys()
    return {k: (left[k], expected[k]) for k in left if left[k] != expected[k]}


def _in_either_order(events):
    """Events with the title put first: title and summaries are written side by side."""
    titles = [e for e in events if e["event"] == "FINAL_TITLE"]
    others = [e for e in events if e["event"] != "FINAL_TITLE"]
    return [*titles, *others], [e["event"] for e in others if e["event"].startswith("FINAL_")]


def assert_as_if_undisturbed(it, found, expected):
    """Completed; nothing lost, doubled or asked for again; each state of each step told once."""
    assert found.status == "completed", (found.reason, it.orders)
    assert found.failed_steps == ()
    different = differences(left_by(it.world), expected)
    assert different == {}, different  # the whole of it: a short account hides the cause
    news = [m["data"] for _, m in it.world.messages() if m["event"] == "PIPELINE_PROGRESS"]
    told = {}
    for one in news:
        key = (one["current_step"], one.get("track_index"))
        told.setdefault(key, []).append(one["step_status"])
    assert len(told) == len(VISIBLE_STEPS) - 2 + 2 * len(it.world.tracks)
    assert set(map(tuple, told.values())) == {("pending", "in_progress", "completed")}
    percents = [one["percent"] for one in news]
    assert percents == sorted(percents)
