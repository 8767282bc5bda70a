"""The night's work as one job: announce what was lost, write the page, erase what is over.

One process at a time does it, by a lease in the store. Each night is marked when it is done, so
a job that was killed goes on where it stopped, and one that missed nights makes up for them.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime, timedelta

from reflector_migrate.errors import MigrateError
from reflector_migrate.harness import Harness
from reflector_migrate.shadow.announcement import Announcement
from reflector_migrate.shadow.confirm.sandbox_namespace import clear_abandoned
from reflector_migrate.shadow.erase import erase_ended, forget_unclaimed
from reflector_migrate.shadow.nightly.night import day_of, write_report
from reflector_migrate.shadow.process import Shadow
from reflector_migrate.shadow.recover.replay import announce, announcements, require_empty_queue

log = logging.getLogger(__name__)

LOCK, DONE, ANNOUNCED = "nightly lock", "nightly done", "nightly announced"
LEASE = timedelta(minutes=30)
"""After which another process takes the job over; each night renews it."""

MOST_NIGHTS = 31
DAY = timedelta(days=1)

Announce = Callable[[Harness, Announcement], None]


def run_nights(shadow: Shadow, send: Announce = announce) -> tuple[str, ...]:
    """Do the work of every night that is not done yet, oldest first; the nights done now.

    Empty while another process is at it. Raises MigrateError when our store is away.
    """
    beats, at = shadow.harness.heartbeats, shadow.now()
    until = at + LEASE
    if not beats.lease(LOCK, at, until):
        log.info("another process does the night's work")
        return ()
    done = []
    try:
        _announce_lost(shadow.harness, at, send)
        for night in nights_due(beats.last(DONE), at):
            log.info("nightly report written to %s", write_report(shadow.harness, night))
            beats.beat(DONE, day_of(night))
            done.append(night)
            at = shadow.now()
            if not beats.lease(LOCK, until, at + LEASE):
                return tuple(done)  # we stood still past our lease: another goes on
            until = at + LEASE
        _erase(shadow)
        log.info("the night's work is done; audit head %s", shadow.harness.audit.head().short)
    finally:
        beats.release(LOCK, until, shadow.now())
    return tuple(done)


def nights_due(last: datetime | None, at: datetime) -> tuple[str, ...]:
    """Nights after the last done one up to yesterday, at most a month; first of all yesterday."""
    midnight = at.replace(hour=0, minute=0, second=0, microsecond=0)
    first = midnight - DAY if last is None else last + DAY
    first = max(first, midnight - MOST_NIGHTS * DAY)
    days = (midnight - first).days
    return tuple((first + number * DAY).date().isoformat() for number in range(days))


def are_nights_due(shadow: Shadow) -> bool:
    """Whether a night's work is not done, by this process or by another."""
    return bool(nights_due(shadow.harness.heartbeats.last(DONE), shadow.now()))


def _announce_lost(harness: Harness, at: datetime, send: Announce) -> None:
    """What Reflector took up in past nights and was never announced, except what is on its way.

    A night whose recordings could not be looked for is looked at again the next time.
    """
    if not harness.settings.shadow.enabled:
        return
    beats = harness.heartbeats
    last = beats.last(ANNOUNCED) or beats.last(DONE) or day_of(nights_due(None, at)[0]) - DAY
    beats.beat(ANNOUNCED, last)
    for night in nights_due(last, at):
        try:
            require_empty_queue(harness)
            for one in announcements(harness, day_of(night), day_of(night) + DAY):
                send(harness, one)
                log.info("recording %s was lost: announced again", one.recording_id)
        except MigrateError as error:
            log.warning("night %s: lost recordings are not announced: %s", night, error.in_full)
            return
        beats.beat(ANNOUNCED, day_of(night))


def _erase(shadow: Shadow) -> None:
    try:
        erase_ended(shadow)
        forget_unclaimed(shadow)
        clear_abandoned(shadow.harness)
    except MigrateError as error:
        log.warning("not all runs are erased (migrate erase --check): %s", error.in_full)
