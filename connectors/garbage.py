"""How often Python looks for garbage in a process of ours."""

from __future__ import annotations

import atexit
import gc
import sys
from functools import cache

_NEW_OBJECTS = 50_000


@cache
def collect_seldom() -> None:
    """Look for garbage cycles every 50,000 new objects instead of every 700, and for none at the end of the process.

    What the imports of a command make stays to its end. To look through it again and again, and once more at the end,
    takes a quarter of the CPU time of a short command.
    """
    gc.set_threshold(_NEW_OBJECTS, *gc.get_threshold()[1:])
    atexit.register(_leave_cycles)


def _leave_cycles() -> None:
    if "duckdb" not in sys.modules:  # nanobind, below it, prints what is left as leaks
        gc.freeze()
