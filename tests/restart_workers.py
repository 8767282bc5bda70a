"""The real steps in the real worker host, dying and pausing as a test has ordered.

Run as a program it is a worker host. `RESTART_ORDERS` names a folder: `die` holds
names of steps that must each be killed twice, once after one of their writes and
once with everything done but nothing handed in; a file `stall-STEP` stops the step
after that write until it is removed, a file `pause-STEP` holds its result back likewise.
`deaths`, `held` and `runs` count what happened.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from contextlib import suppress
from importlib import import_module
from pathlib import Path

from reflector_migrate.conductor.runtime import run, supervisor
from reflector_migrate.conductor.runtime.worker_process import serve
from reflector_migrate.pipeline.runner import run_step

WRITES = {
    "get_recording": ("reflector_migrate.pipeline.rows:Rows", "reset"),
    "get_participants": ("reflector_migrate.pipeline.rows:Rows", "upsert_participants"),
    "pad_track": ("reflector_migrate.pipeline.effects:RecordedEffects", "put_media"),
    "mixdown_tracks": ("reflector_migrate.pipeline.rows:Rows", "append_event"),
    "generate_waveform": ("reflector_migrate.pipeline.rows:Rows", "append_event"),
    "transcribe_track": ("reflector_migrate.store.cache:TaskCache", "set"),
    "merge_transcripts": ("reflector_migrate.pipeline.rows:Rows", "append_event"),
    "detect_topics": ("reflector_migrate.pipeline.rows:Rows", "add_topic"),
    "generate_title": ("reflector_migrate.pipeline.rows:Rows", "set_title"),
    "generate_summary": ("reflector_migrate.store.cache:TaskCache", "set"),
    "finalize": ("reflector_migrate.pipeline.rows:Rows", "set_status"),
    "cleanup_consent": ("reflector_migrate.pipeline.sinks:Media", "delete"),
    "post_zulip": ("reflector_migrate.pipeline.services.zulip:Zulip", "post"),
    "send_webhook": ("reflector_migrate.store.effects:EffectLog", "record"),
}
"""Step -> a write in its middle; the fork helper has none and dies before its work."""

HELD_S = 90.0


class Orders:
    """The test's folder, as the workers see it."""

    def __init__(self, folder):
        self.folder = Path(folder)

    def death_of(self, step):
        """Which death this attempt has to die, 0 or 1; None when it may live.

        Two tracks' attempts may ask at the same time: each death is given out once.
        """
        if step not in (self.folder / "die").read_text().split():
            return None
        for number in (0, 1):
            with suppress(FileExistsError):
                (self.folder / f"death-{step}-{number}").touch(exist_ok=False)
                return number
        return None

    def note(self, what, step):
        """One more line in a register."""
        with (self.folder / what).open("a", encoding="utf-8") as file:
            file.write(f"{step}\n")

    def die(self, step):
        """SIGKILL ourselves; before that our parent, if our death must stay unreported."""
        self.note("deaths", step)
        if (self.folder / "unreported").exists():
            os.kill(os.getppid(), signal.SIGKILL)
        os.kill(os.getpid(), signal.SIGKILL)

    def hold(self, how, step, heartbeat=lambda: None):
        """Wait for as long as the test wants, if it does."""
        wanted, until = self.folder / f"{how}-{step}", time.monotonic() + HELD_S
        if wanted.exists():
            self.note("held", step)
        while wanted.exists() and time.monotonic() < until:
            time.sleep(0.05)
            heartbeat()


def execute(step, raw_input, harness, heartbeat, meter):
    """What run_step does, with the deaths and delays that were ordered."""
    orders = Orders(os.environ["RESTART_ORDERS"])
    death = orders.death_of(step)
    orders.note("runs", step)
    if death == 0:
        amid(step, lambda: orders.die(step))
    elif (orders.folder / f"stall-{step}").exists():
        amid(step, lambda: orders.hold("stall", step))
    done = run_step(step, raw_input, harness, heartbeat, meter)
    if death is not None:
        orders.die(step)
    orders.hold("pause", step, heartbeat)
    return done


def amid(step, then):
    """Have something happen right after the step's write, each time it writes."""
    if step not in WRITES:
        then()
        return
    where, method = WRITES[step]
    module, _, name = where.partition(":")
    kind = getattr(import_module(module), name)
    real = getattr(kind, method)

    def followed(*args, **kwargs):
        made = real(*args, **kwargs)
        then()
        return made

    setattr(kind, method, followed)


def serve_dying(harness, member, stop, on_ready):
    """One worker process over the real steps."""
    serve(harness, member, stop, on_ready, execute)


if __name__ == "__main__":
    supervisor.RESTART_WAITS_S = (0.1,)  # deaths are many here, and none of them is a surprise
    sys.exit(run.main(serve=serve_dying, command=(sys.executable, __file__)))
