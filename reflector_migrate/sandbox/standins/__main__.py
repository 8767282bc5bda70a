"""Starts the stand-ins: `python -m reflector_migrate.sandbox.standins --port 0 ...`."""

from __future__ import annotations

import argparse
import ipaddress
import os
import signal
import socket
import sys
from pathlib import Path
from types import FrameType

import uvicorn

from reflector_migrate.sandbox.standins.app import build_app

DRAIN_S = 1
KEEP_ALIVE_S = 120  # longer than any client keeps an idle connection: no race on closing it


def main(argv: list[str] | None = None) -> int:
    """Serve until SIGTERM or Ctrl-C; exit 0 after a clean stop, 2 on a wrong argument."""
    arguments = _parse(argv)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _leave)
    try:
        listening = _listen(arguments.host, arguments.port)
    except OSError as busy:
        sys.stderr.write(f"cannot listen on {arguments.host}:{arguments.port}: {busy.strerror}\n")
        return 4
    if arguments.port_file:
        _publish(arguments.port_file, listening.getsockname()[1])
    config = uvicorn.Config(
        build_app(arguments.recordings),
        http="h11",  # the one protocol class whose socket can be reset from inside
        lifespan="off",
        access_log=False,
        log_level="warning",
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=DRAIN_S,
    )
    uvicorn.Server(config).run(sockets=[listening])
    return 0


def _parse(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="standins", description=__doc__)
    parser.add_argument("--host", type=_loopback, default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True, help="0 picks a free one")
    parser.add_argument("--recordings", type=Path, required=True, help="what the recogniser knows")
    parser.add_argument("--port-file", type=Path, help="where to write the port once bound")
    return parser.parse_args(argv)


def _leave(_number: int, _frame: FrameType | None) -> None:
    """End cleanly; uvicorn drains first, then hands the signal on to this."""
    raise SystemExit(0)


def _loopback(host: str) -> str:
    try:
        is_local = ipaddress.ip_address(host).is_loopback
    except ValueError:
        is_local = False
    if not is_local:
        raise argparse.ArgumentTypeError("the stand-ins listen on a loopback address only")
    return host


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.bind((host, port))
    listening.listen(512)
    return listening


def _publish(path: Path, port: int) -> None:
    """Write the port so that a reader never sees half of it."""
    part = path.with_name(f"{path.name}.{os.getpid()}")
    part.write_text(str(port), encoding="utf-8")
    part.replace(path)


if __name__ == "__main__":
    sys.exit(main())
