"""A child process that never outlives its parent, also when the parent is killed."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading

_PR_SET_PDEATHSIG = 1  # https://man7.org/linux/man-pages/man2/PR_SET_PDEATHSIG.2const.html


def die_with_parent(parent: int) -> None:
    """Make the system kill this process when ``parent``, which started it, exits.

    On Linux the kernel does it, also to a process that is stopped (SIGSTOP). On every system a thread waits for the end
    of standard input: the parent holds the other end of that pipe and writes nothing.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)

    def exit_at_end_of_input() -> None:
        while os.read(0, 1):
            pass
        os._exit(1)

    threading.Thread(target=exit_at_end_of_input, name="parent", daemon=True).start()
