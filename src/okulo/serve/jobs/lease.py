"""Names of leases: who holds one can be told, so that what a dead process held need not wait for its end."""

import os
import secrets
import socket
from pathlib import Path

PARTS = 5


def new_lease(index: int) -> str:
    """Name a lease of this process's worker `index`.

    >>> is_dead(new_lease(0))
    False
    """
    host = socket.gethostname().replace("|", "_")
    return "|".join((host, str(os.getpid()), _started(os.getpid()), secrets.token_hex(4), str(index)))


def is_dead(lease: str) -> bool:
    """Whether the process that holds this lease ran here and is gone; False where that cannot be told.

    A wrong guess (two containers of one name) costs work done twice, never a result stored twice.

    >>> is_dead(f"{socket.gethostname()}|{os.getpid()}|an earlier process of this number|x|0")
    True
    >>> is_dead("another machine|1|2|x|0")
    False
    """
    parts = lease.split("|")
    if len(parts) != PARTS or parts[0] != socket.gethostname().replace("|", "_") or not parts[1].isdigit():
        return False
    return bool(_started(os.getpid())) and _started(int(parts[1])) != parts[2]


def _started(pid: int) -> str:
    """When a process began, in the kernel's ticks; "" where there is none, or no /proc."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""
    fields = text.rpartition(")")[2].split()
    return "" if fields[0] in "ZX" else fields[19]
