"""The commands. Each reads its options, calls one function, prints what came of it, and says how it ended.

Exit 0: done. Exit 1: refused or failed, with one clear message. Exit 2: wrong usage.
Nothing but these files prints, and none imports more at its top than the options need: ``--help`` is there at once.
"""

from worker.cli.entry import app, main

__all__ = ["app", "main"]
