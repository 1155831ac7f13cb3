"""What a process that serves sets for itself, once everything it needs is loaded."""

import ctypes
import gc
import sys

SWITCH_S = 0.0005
"""How long a busy thread may keep the interpreter's lock; Python's 5 ms leave workers idle."""
COLLECT_AFTER = (20_000, 20, 20)
"""Requests leave no cycles: Python's 700 look for some every few requests, 6 % of the time."""


def settle() -> None:
    """Tune the whole process: called by the commands, never by importing or by a library call.

    numpy's matrix products stay in the thread that asks for them: several decode at once already.
    """
    from threadpoolctl import threadpool_limits

    threadpool_limits(1, "blas")
    sys.setswitchinterval(SWITCH_S)
    gc.collect()
    gc.freeze()  # what was loaded stays: no later collection need look at it
    gc.set_threshold(*COLLECT_AFTER)


def give_memory_back() -> None:
    """Return what loading or a burst left free: with glibc tens of MB; elsewhere nothing happens."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
