"""What is looked at before anything is started, so that a refusal is one clear sentence."""

from __future__ import annotations

import shutil
import socket
from pathlib import Path

from backend.launch.errors import DiskSpaceError, PortTakenError

GIGABYTE = 10**9
DEMO_BYTES = 3 * GIGABYTE
UP_BYTES = 1 * GIGABYTE
RESTART_BYTES = GIGABYTE // 5


def port_is_free(port: int, host: str = "127.0.0.1") -> bool:
    """Whether a server could listen there now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # without this a port that was closed a moment ago looks taken
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def free_port(host: str = "127.0.0.1") -> int:
    """A port nobody listens on at this moment."""
    with socket.create_server((host, 0)) as probe:
        return int(probe.getsockname()[1])


def require_port(port: int, what: str, option: str) -> None:
    """Refuse a start on a port that is in use.

    Args:
        port: The port, 1 to 65535.
        what: Who wants it, as in "Label Studio".
        option: The command-line option that chooses another one.

    Raises:
        PortTakenError: If another program listens there.
    """
    if not port_is_free(port):
        raise PortTakenError(
            f"Port {port}, wanted for {what}, is used by another program. Stop that program, "
            f"or choose another port with {option} {_suggestion(port)}."
        )


def _suggestion(port: int) -> int:
    nearby = range(port + 1, min(port + 50, 65536))
    return next((other for other in nearby if port_is_free(other)), 0) or free_port()


def require_disk(folder: Path, needed: int, what: str) -> None:
    """Refuse a start that would fill the disk.

    Args:
        folder: Where the files will go; need not exist yet.
        needed: Bytes.
        what: What the room is for, as in "the demo".

    Raises:
        DiskSpaceError: If fewer bytes are free.
    """
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    free = shutil.disk_usage(existing).free
    if free < needed:
        raise DiskSpaceError(
            f"Only {free / GIGABYTE:.1f} GB are free at {existing}, but {what} needs "
            f"{needed / GIGABYTE:.1f} GB. Make room, or choose a folder on another disk with "
            "--home FOLDER."
        )
