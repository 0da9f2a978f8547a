"""What ``plgsync check`` reports of a portal: the promise about tasks, which is no error where it is weaker."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from connectors.base import FieldNeed
from tests.contract.connectors.harness_hubspot import HubSpotCrm, start
from worker.reports.check import Check, check_project
from worker.settings.shipped import write_project

CRM = """\
version: 1
destinations:
  hubspot:
    kind: hubspot
    base_url: {url}
    auth: {{token: "env:PORTAL_TOKEN"}}
    account: {{object: companies, match_field: plgsync_account_id}}
    tasks: {{key_field: plgsync_key}}
queues:
  sales-inbound: [ann@example.com]
  account-managers: [ann@example.com]
  onboarding: [ann@example.com]
"""
NEEDS = [
    FieldNeed(object="account", name="plgsync_account_id", label="Account ID", type="string", unique=True),
    FieldNeed(object="task", name="plgsync_key", label="Key", type="string", unique=True),
]


@pytest.fixture(scope="module")
def portal() -> Iterator[HubSpotCrm]:
    portal = start()
    yield portal
    portal.stop()


def check(portal: HubSpotCrm, folder: Path, monkeypatch: pytest.MonkeyPatch, *needs: FieldNeed, unique: bool) -> Check:
    portal.reset()
    portal.control("config", {"task_unique": unique})
    portal.connect().setup(needs, dry_run=False)
    write_project(folder)
    for playbook in (folder / "playbooks").iterdir():
        playbook.unlink()
    (folder / "config" / "crm.yaml").write_text(CRM.format(url=portal.url))
    monkeypatch.setenv("PORTAL_TOKEN", portal._token)
    return check_project(folder, offline=False)


def of_hubspot(check: Check) -> list[str]:
    errors = (problem for problem in check.problems if problem.severity == "error")
    return [problem.message for problem in errors if "hubspot" in problem.message.lower()]


@pytest.mark.parametrize(("unique", "reported"), [(True, False), (False, True)])
def test_a_portal_without_unique_task_properties_is_fit_and_says_what_it_promises(
    portal: HubSpotCrm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, unique: bool, reported: bool
) -> None:
    found = check(portal, tmp_path, monkeypatch, *NEEDS, unique=unique)
    assert of_hubspot(found) == []
    assert any("searches for each task before it creates it" in line for line in found.passed) == reported


def test_a_portal_without_any_task_key_is_not_fit(
    portal: HubSpotCrm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    problems = of_hubspot(check(portal, tmp_path, monkeypatch, NEEDS[0], unique=True))
    assert any("plgsync_key" in problem and "crm setup" in problem for problem in problems)
