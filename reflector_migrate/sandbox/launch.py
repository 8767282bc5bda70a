"""Become the server, but only once the parent has written down that we exist.

Run as `python -I -S launch.py FD USER -- ARGV...`. The parent records this
process and then writes one byte to FD. If it dies before that, FD closes and
nothing is started: no process can exist that no record names. Standard library
only, because it runs before any path is set up.
"""

from __future__ import annotations

import os
import pwd
import sys

NOT_STARTED = 125


def main(argv: list[str]) -> int:
    """Wait for the parent's word, change user if asked, and exec; 125 when the parent died."""
    gate, user, _, *command = argv
    if os.read(int(gate), 1) != b"1":
        return NOT_STARTED
    os.close(int(gate))
    if user != "-":
        entry = pwd.getpwnam(user)
        os.setgroups([])
        os.setgid(entry.pw_gid)
        os.setuid(entry.pw_uid)
    try:
        os.execvpe(command[0], command, os.environ)  # noqa: S606 - no shell is the point
    except OSError as error:
        sys.stderr.write(f"cannot run {command[0]}: {error.strerror}\n")
    return 127


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
