"""The commands. Each reads its options, calls one function, prints the result and sets the exit code.

Exit 0: done. Exit 1: rejected or failed, with one clear message. Exit 2: wrong usage.
Only these files print. None imports more at its top than the options need, so that ``--help`` is fast.
"""

from worker.cli.entry import app, main

__all__ = ["app", "main"]
