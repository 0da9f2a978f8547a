"""The README of the sandboxes is complete, and its example runs."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from connectors.sandbox.core.control import control_routes
from connectors.sandbox.core.faults import COMMON_KINDS
from connectors.sandbox.hubspot import faults as hubspot_faults
from connectors.sandbox.hubspot import ui_actions as hubspot_actions
from connectors.sandbox.hubspot.app import open_portal
from connectors.sandbox.hubspot.controls import PortalControls
from connectors.sandbox.salesforce import faults as salesforce_faults
from connectors.sandbox.salesforce import ui_actions as salesforce_actions
from connectors.sandbox.salesforce.app import NEWEST, OLDEST

ROOT = Path(__file__).parents[3]
README = (ROOT / "connectors/sandbox/README.md").read_text()


def listed(start: str, end: str) -> set[str]:
    """The lower-case words in backquotes between two texts of the README."""
    part = README[README.index(start) + len(start) :]
    return set(re.findall(r"`([a-z_]+)`", part[: part.index(end)]))


@pytest.mark.parametrize(
    ("start", "end", "known"),
    [
        ("**Faults.** Both:", "(`core/faults.py`)", COMMON_KINDS),
        ("(`core/faults.py`). Salesforce:", "(`salesforce/faults.py`)", salesforce_faults.FAULT_KINDS),
        ("(`salesforce/faults.py`). HubSpot:", "(`hubspot/faults.py`)", hubspot_faults.FAULT_KINDS),
        ("(`salesforce/ui_actions.py`):", "HubSpot, as", frozenset(salesforce_actions._ACTIONS)),
        ("(`hubspot/ui_actions.py`):", "## Seed", frozenset(hubspot_actions._ACTIONS)),
    ],
)
def test_every_fault_and_ui_action_is_listed(start: str, end: str, known: frozenset[str]) -> None:
    assert listed(start, end) == known


def test_every_control_path_and_the_api_versions_are_listed() -> None:
    routes = control_routes(PortalControls(open_portal({}, random_seed=1, token="t")))
    assert {route.path for route in routes} == set(re.findall(r"`(?:GET|POST) (/__sim/\w+)", README))
    assert f"v{OLDEST}.0 to v{NEWEST}.0" in README


def test_the_example_runs() -> None:
    (example,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    subprocess.run([sys.executable, "-c", example], cwd=ROOT, check=True, timeout=60)
