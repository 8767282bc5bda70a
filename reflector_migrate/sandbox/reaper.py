"""Outlive a foreground sandbox's owner by the moment it takes to stop what it left.

The owner holds the other end of a pipe. However it dies, SIGKILL included, the
pipe closes and this process stops everything on record; after an orderly end
there is nothing on record and it simply goes.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from reflector_migrate.sandbox.process_table import MARK
from reflector_migrate.sandbox.teardown import stop_everything

_LEAVE_S = 3.0


@dataclass(frozen=True, slots=True)
class Reaper:
    """The owner's hold on its reaper."""

    process: subprocess.Popen[bytes]
    pipe: int

    @classmethod
    def watch(cls, folder: Path) -> Reaper:
        """Start a reaper for the sandbox in `folder`, owned by this process."""
        theirs, ours = os.pipe()
        argv = (sys.executable, "-m", __name__, str(folder), str(theirs))
        environ = {key: value for key, value in os.environ.items() if key != MARK}
        process = subprocess.Popen(
            argv,
            env=environ,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            pass_fds=(theirs,),
        )
        os.close(theirs)
        return cls(process, ours)

    def tell(self, mark: str) -> None:
        """By which mark to find what it has to stop, should the folder be gone by then."""
        os.write(self.pipe, f"{mark}\n".encode())

    def dismiss(self) -> None:
        """Let it go, after everything has been stopped."""
        os.close(self.pipe)
        try:
            self.process.wait(_LEAVE_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def main(argv: list[str]) -> int:
    """Wait until the owner is gone, then stop what it left in its sandbox."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    folder, pipe = Path(argv[0]), int(argv[1])
    told = b""
    while chunk := os.read(pipe, 4096):
        told += chunk
    marks = told.decode().split()
    stop_everything(folder, marks[-1] if marks else None)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
