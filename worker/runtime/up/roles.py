"""What each process of the tree does.

Two, because SQLite has one writer at a time: with several, each waits for the others (over a second for one in a
hundred), while one process settles 6,400 records a second and more, and a CRM takes 1,900. `compute` runs and reads
back, which exclude each other anyway; `deliver` sends to every CRM from a thread each. There is no third for the
clock: each asks the state database what of its own is due, so that nothing is handed over and nothing can be lost.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from worker.settings.schedule import Job

Role = Literal["compute", "deliver"]

JOBS: Mapping[Role, frozenset[Job]] = {
    "compute": frozenset({"run", "read_back"}),
    "deliver": frozenset({"deliver"}),
}


def owner_of(role: Role) -> str:
    """How the leases of a role begin; only one process has it at a time, so a successor takes them back at once."""
    return f"up-{role}:"
