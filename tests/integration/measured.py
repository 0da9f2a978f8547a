"""What runs measure, remembered: a run of the same data and settings as of the same moment need not measure again."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from copy import deepcopy
from datetime import datetime
from typing import Any

from worker.pipeline.measure import Measured
from worker.pipeline.measure import measure as really_measure
from worker.settings.project import Project
from worker.signals.trust import Usual

_remembered: dict[tuple[Any, ...], Measured] = {}


def measure_once(
    project: Project,
    as_of: datetime,
    previous_accounts: int | None,
    accounts: Collection[str] | None,
    usual: Usual,
) -> Measured:
    """As `worker.pipeline.measure.measure`, but once in this process for each DuckDB file, settings and arguments."""
    if not (project.product.source and project.product.source.duckdb):
        return really_measure(project, as_of, previous_accounts, accounts, usual)
    only = frozenset(accounts) if accounts is not None else None
    key = (_contents(project), as_of, previous_accounts, only, repr(usual))
    if key not in _remembered:
        _remembered[key] = really_measure(project, as_of, previous_accounts, accounts, usual)
    return deepcopy(_remembered[key])


def _contents(project: Project) -> str:
    """The product's data, and all settings that measuring reads: of config/crm.yaml only whether records are shared."""
    digest = hashlib.sha256(repr(project.crm.shares_records).encode())
    folders = (project.root / name for name in ("config", "data", "playbooks"))
    for file in sorted(file for folder in folders for file in folder.rglob("*") if file.is_file()):
        if file.name != "crm.yaml":
            digest.update(str(file.relative_to(project.root)).encode() + file.read_bytes())
    return digest.hexdigest()
