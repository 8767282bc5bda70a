"""Every error this product raises on purpose, and the exit code each one means.

MigrateError                     4  could not run
├── ConfigurationError           2  a setting is wrong: names the key and the way out
├── InputError                   2  an argument, file or field is wrong
├── ServerUnreachableError       4  a server did not answer in time
├── UnreadableError              4  a stored row is not what it must be: names side and field
├── RefusedError                 2  a safety rule forbids it (say, overwriting a definition)
└── StepError                       a pipeline step did not succeed
    ├── TransientStepError       4  worth a retry: timeouts, 5xx, connection resets
    │   └── OutageError          4  one of our databases is unreachable; not counted as an attempt
    └── TerminalStepError        4  hopeless: 4xx, invalid input, undecodable audio
"""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """What the process answers; one meaning each."""

    OK = 0
    AGAINST = 1  # a negative answer: diverged, not ready, unhealthy
    USAGE = 2
    INCONCLUSIVE = 3  # inconclusive or pending
    COULD_NOT_RUN = 4
    INTERRUPTED = 130


class MigrateError(Exception):
    """Something went wrong that a person can act on."""

    exit_code: ExitCode = ExitCode.COULD_NOT_RUN
    code: str = "could_not_run"

    def __init__(self, message: str, *, hint: str = "") -> None:
        """Keep the message (what and where) apart from the hint (the way out)."""
        super().__init__(message)
        self.message = message
        self.hint = hint

    @property
    def in_full(self) -> str:
        """Message and way out in one line, for a log."""
        return f"{self.message} ({self.hint})" if self.hint else self.message


class ConfigurationError(MigrateError):
    """A setting is missing, unknown or contradicts another."""

    exit_code = ExitCode.USAGE
    code = "configuration"


class InputError(MigrateError):
    """An argument, a file or one of its fields is not what it must be."""

    exit_code = ExitCode.USAGE
    code = "input"


class UnreadableError(MigrateError):
    """A row or stored document is not what its model asks for: no further try helps."""

    code = "unreadable"


class RefusedError(MigrateError):
    """A safety rule forbids what was asked."""

    exit_code = ExitCode.USAGE
    code = "refused"


class ServerUnreachableError(MigrateError):
    """A server this command needs did not answer within its timeout."""

    code = "server_unreachable"


class StepError(MigrateError):
    """A pipeline step did not succeed."""

    code = "step"


class TransientStepError(StepError):
    """The step may succeed when tried again."""

    code = "step_transient"


class OutageError(TransientStepError):
    """A database that every step needs does not answer; the step itself has not failed."""

    code = "step_outage"


class TerminalStepError(StepError):
    """The step cannot succeed, however often it is tried."""

    code = "step_terminal"
