"""The roles of the tree's worker processes.

Two, because SQLite has one writer at a time: with several, each waits for the others (over a second for one in a
hundred), while one process settles 6,400 records a second and more, and a CRM takes 1,900. `compute` runs and reads
back, which exclude each other anyway; `deliver` sends to every CRM from a thread each. There is no scheduler process:
each worker asks the state database for the due jobs of its role, so no message between processes can be lost.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from worker.settings.schedule import Job

Role = Literal["compute", "deliver"]

JOBS: Mapping[Role, frozenset[Job]] = {
    "compute": frozenset({"run", "read_back", "prune"}),
    "deliver": frozenset({"deliver"}),
}


def owner_of(role: Role) -> str:
    """The prefix of the lease owners of a role. Only one process has a role, so its successor reclaims them at once."""
    return f"up-{role}:"
