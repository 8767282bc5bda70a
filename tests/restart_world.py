"""Real steps in real worker hosts on a real Conductor, where things hang, fail and die."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
from pydantic import SecretStr

from reflector_migrate.clients.conductor import connected
from reflector_migrate.clients.conductor_http import NotFoundError
from reflector_migrate.conductor.execution import Execution, read
from reflector_migrate.conductor.start import start_workflow
from reflector_migrate.conductor.watchdog import read_workflow
from reflector_migrate.errors import ServerUnreachableError
from reflector_migrate.harness import Harness
from reflector_migrate.pipeline.contracts import Track
from reflector_migrate.pipeline.rows import fill_run_tables, write_mark
from reflector_migrate.settings import Settings
from reflector_migrate.store.events import EventLog
from tests.conductor_world import catch_up
from tests.new_stores import new_store
from tests.pipeline_world import make_world
from tests.recorded_world import fill, recorded_rows
from tests.restart_servers import SOAK

IN_TURN = (
    "get_recording", "get_participants", "pad_track", "mixdown_tracks", "generate_waveform",
    "transcribe_track", "merge_transcripts", "detect_topics", "generate_title",
    "generate_summary", "finalize", "cleanup_consent", "post_zulip", "send_webhook",
)  # fmt: skip
"""The steps in the order in which they first run, without the forks' helper."""
SCENARIO = "denied-consent"
PROGRAM = Path(__file__).parent / "restart_workers.py"
PATIENCE_S = 12_000.0 if SOAK else 800.0
LIMIT_S = 14_400 if SOAK else 900
"""How long one test may take."""
SILENT_S = 10
"""How long a worker may be silent where a test waits for that, and not for minutes."""


def a_world(folder, s3_url, control, namespace, scenario=SCENARIO, **overrides):
    """A recording with short tracks: the refused one, which has every effect there is."""
    named = {"scenario": scenario, "namespace": namespace, "is_brief": True}
    return make_world(folder, s3_url, control, **named, **overrides)


def move_to(database, world):
    """Put the world's store and the candidate's rows into PostgreSQL."""
    store, rows = database.create_database(), database.create_database()
    new_store(store)
    write_mark(rows)
    fill(
        fill_run_tables(rows, world.run_id, {}),
        recorded_rows(SCENARIO),
        world.control.url("webhook"),
    )
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
        self.workflow_id = start_workflow(Harness.of(self.world.settings), self.world.run, tracks)

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
        found = read(Harness.of(self.world.settings), self.workflow_id).step_runs
        return [(s.status, s.error or "") for s in found if s.name == step]

    def times(self, what, step):
        """How often a step ran, or died."""
        path = self.orders / what
        return path.read_text().split().count(step) if path.exists() else 0

    def told(self):
        """What listeners heard, in order."""
        return EventLog(self.world.settings.store_url).of(self.world.run_id)

    def end(self):
        """The execution, once it has ended."""
        until(lambda: self.now().status != "running", "the workflow ends", self.told_by_server)
        return self.last

    def told_by_server(self):
        """What a failing test shows: every attempt, and each host's last words."""
        workflow = read_workflow(Harness.of(self.world.settings), self.workflow_id)
        tasks = [
            f"{t['referenceTaskName']} {t['status']} retry {t.get('retryCount')} "
            f"since {t.get('scheduledTime')} {t.get('reasonForIncompletion') or ''}"
            for t in workflow["tasks"]
            if t["status"] != "COMPLETED"
        ]
        logs = [path.read_text()[-1500:] for path in sorted(self.orders.glob("log-*"))]
        return "\n".join([workflow["status"], *tasks, *logs])

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
            client.http.delete(path, archiveWorkflow=False)  # gone after a lost answer

    def now(self):
        """As the collector asks; a host that has died is replaced, as by its supervisor."""
        if self.hosts[-1].process.poll() is not None:
            self.host()
        try:
            self.last = catch_up(self.world.settings, self.workflow_id)
        except ServerUnreachableError:
            self.last = Execution(self.workflow_id, "running")
        return self.last


def until(is_so, what, told=lambda: ""):
    """Wait for it; else `told` says how things stand."""
    deadline = time.monotonic() + PATIENCE_S
    while not is_so():
        assert time.monotonic() < deadline, f"never: {what}\n{told()}"
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
