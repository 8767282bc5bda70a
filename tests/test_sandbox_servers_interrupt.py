"""Signals become exceptions while there is something to clean up, and are put back afterwards."""

from __future__ import annotations

import signal
import threading

import pytest

from reflector_migrate.sandbox.interrupt import TerminatedError, interruptible, uninterrupted
from reflector_migrate.sandbox.stack import Sandbox
from reflector_migrate.settings import Settings

NUMBERS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@pytest.fixture(autouse=True)
def before():
    """The handlers before the test, which must be there after it as well."""
    handlers = {number: signal.getsignal(number) for number in NUMBERS}
    yield handlers
    assert {number: signal.getsignal(number) for number in NUMBERS} == handlers


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_within_the_block_the_signal_is_an_exception(number):
    """It can be cleaned up after like Ctrl-C."""
    with pytest.raises(TerminatedError, match=number.name), interruptible():
        signal.raise_signal(number)


def test_what_was_ignored_stays_ignored(before):
    """A program under nohup survives its terminal."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with interruptible():
            signal.raise_signal(signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before[signal.SIGHUP])


def test_cleaning_up_is_not_interrupted_but_the_signal_is_not_lost():
    """Ctrl-C during the end of a sandbox waits for that end."""
    finished = []

    def clean_up():
        with uninterrupted():
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGINT)
            finished.append(True)

    with pytest.raises(KeyboardInterrupt):
        clean_up()
    assert finished == [True]


def test_in_another_thread_signals_are_left_alone():
    """Only the main thread may set handlers; others work without."""
    seen = []

    def work():
        with interruptible(), uninterrupted():
            seen.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join(5)
    assert seen == [signal.getsignal(signal.SIGTERM)]


def test_a_sandbox_that_fails_to_start_puts_the_handlers_back(tmp_path):
    """The block is never entered, so its end cannot do it."""
    settings = Settings.model_validate({"sandbox": {"redis_server": "/no/such/redis"}})
    with pytest.raises(Exception, match="cannot run /no/such/redis"):  # noqa: SIM117
        with Sandbox(settings, tmp_path, with_=("redis",)):
            pytest.fail("it cannot be up")
