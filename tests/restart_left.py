"""What a run leaves, held against one that nothing disturbed."""

from __future__ import annotations

import json
import re

from reflector_migrate.model import VISIBLE_STEPS
from reflector_migrate.pipeline.context import place_of
from tests.restart_world import a_world

TIMES = re.compile(r'\\"timestamp\\":\\"[^"]*\\"|t=\d+,v1=\w+|"X-Webhook-Retry": "\d+",? ?')


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
    """Completed; nothing lost, doubled or asked for again; each step's states published once."""
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
