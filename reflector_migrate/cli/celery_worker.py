"""Celery with our exit codes: what `migrate worker run` becomes.

Celery itself answers 1 when it is interrupted, and here 1 is a verdict.
"""

from __future__ import annotations

import signal
import sys

from reflector_migrate.cli.main import answered


def main() -> None:
    """Run Celery's command line: 130 when it was interrupted, 4 when it broke."""
    sys.exit(answered(sys.argv[1:], _celery))


def _celery(argv: list[str]) -> int:
    interrupts: list[int] = []

    def note(number: int, _frame: object) -> None:
        interrupts.append(number)
        raise KeyboardInterrupt

    signal.signal(signal.SIGINT, note)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    from celery.bin.celery import celery

    code = celery.main(argv, "celery", auto_envvar_prefix="CELERY", standalone_mode=False)
    if code != 1:
        return int(code or 0)
    from celery.worker import state

    if interrupts or state.should_stop == code or state.should_terminate is not None:
        raise KeyboardInterrupt
    from reflector_migrate.errors import ExitCode

    return int(ExitCode.COULD_NOT_RUN)


if __name__ == "__main__":
    main()
