"""What the pages show works: YAML blocks load, playbooks pass their tests, the seed fills both sandboxes."""

from __future__ import annotations

import importlib.util
import json
import re
from datetime import timedelta
from pathlib import Path

import pytest
import yaml

from connectors.clock import now
from connectors.sandbox.hubspot.app import open_portal
from connectors.sandbox.salesforce.app import open_org
from worker.alerts.channels import SIGNATURE_HEADER, TIMESTAMP_HEADER, sign
from worker.reports.check import run_tests_of_playbooks
from worker.settings.project import load_project
from worker.settings.shipped import write_project

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
DEPLOYED = {"deployment.yaml"}
"""Files that are no part of a project; `test_deployment` looks at them."""


def blocks(kind: str) -> list[tuple[str, str, str]]:
    """Page, file and content of every block of code of this kind."""
    every = [(page, page.read_text(encoding="utf-8")) for page in PAGES]
    found = rf"```{kind}\n# (\S+)[^\n]*\n(.*?)```"
    return [(page.name, *block) for page, text in every for block in re.findall(found, text, flags=re.DOTALL)]


YAML = [block for block in blocks("yaml") if block[1] not in DEPLOYED]


def project_with(folder: Path, file: str, content: str) -> None:
    """A shipped project in which one file is replaced, without what would ask that file for more than it shows."""
    write_project(folder)
    if file in {"config/crm.yaml", "config/signals.yaml", "config/scores.yaml"} or file.startswith("playbooks/"):
        for playbook in (folder / "playbooks").iterdir():
            playbook.unlink()
    if file == "config/signals.yaml":
        (folder / "config/scores.yaml").write_text("version: 1\n", encoding="utf-8")
    (folder / file).write_text(content, encoding="utf-8")


def test_every_yaml_block_says_which_file_it_is() -> None:
    every = sum(page.read_text(encoding="utf-8").count("```yaml") for page in PAGES)
    assert every == len(blocks("yaml")) > 15


@pytest.mark.parametrize(("page", "file", "block"), YAML, ids=[f"{n}-{p}-{f}" for n, (p, f, _) in enumerate(YAML)])
def test_yaml_blocks_load(page: str, file: str, block: str, tmp_path: Path) -> None:
    if file.endswith(".test.yaml"):
        (playbook,) = (one for of, name, one in YAML if (of, name) == (page, file.replace(".test.yaml", ".yaml")))
        project_with(tmp_path, file.replace(".test.yaml", ".yaml"), playbook)
        (tmp_path / file).write_text(block, encoding="utf-8")
        assert [result.passed for result in run_tests_of_playbooks(tmp_path)] == [True]
        return
    project_with(tmp_path, file, block)
    project = load_project(tmp_path)
    assert [one for one in (*project.invalid, *project.warnings) if one.file == file] == []


def test_the_first_playbook_of_the_readme_is_the_shipped_one_with_fewer_lines() -> None:
    (shown,) = (block for page, file, block in YAML if (page, file) == ("README.md", "playbooks/pql-to-task.yaml"))
    shipped = yaml.safe_load((ROOT / "playbooks/pql-to-task.yaml").read_text(encoding="utf-8"))
    short = yaml.safe_load(shown)
    assert set(short) <= set(shipped)
    assert {key: short[key] for key in ("id", "name", "owner", "goal", "holdout", "limits")}.items() <= shipped.items()


def test_the_seed_fills_both_sandboxes() -> None:
    (page,) = (page for page in PAGES if page.name == "adapting.md")
    (block,) = re.findall(r"```json\n(.*?)```", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    seed = json.loads(block)
    org = open_org(seed["salesforce"], client_id="id", client_secret="secret", username="plgsync@example.com")
    accounts = org.tables["Account"].records
    (acme,) = (one for one in accounts.values() if one["Name"] == "Acme")
    assert org.tables["User"].records[acme["OwnerId"]]["Email"] == "ann@example.com"
    assert [deal["AccountId"] for deal in org.tables["Opportunity"].records.values()] == [acme["Id"]]
    portal = open_portal(seed["hubspot"], random_seed=1, token="token")
    (company,) = portal.contents.records["companies"].living()
    assert portal.contents.owners[company.values["hubspot_owner_id"]].email == "ann@example.com"
    assert [one.values["email"] for one in portal.contents.records["contacts"].living()] == ["joe@acme.example"]
    assert [one.values["dealname"] for one in portal.contents.records["deals"].living()] == ["New seats"]


def test_the_verification_of_webhooks_takes_ours_and_no_other(tmp_path: Path) -> None:
    (block,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs/operations.md").read_text(encoding="utf-8"), re.DOTALL)
    file = tmp_path / "receiver.py"
    file.write_text(f"import hashlib\nimport hmac\nimport time\nfrom collections.abc import Mapping\n{block}", "utf-8")
    spec = importlib.util.spec_from_file_location("receiver", file)
    assert spec
    assert spec.loader
    receiver = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(receiver)

    def taken(key: str, seconds_ago: float, body: bytes) -> bool:
        sent = str(int((now() - timedelta(seconds=seconds_ago)).timestamp()))
        headers = {TIMESTAMP_HEADER: sent, SIGNATURE_HEADER: sign("secret", sent, b"{}")}
        return bool(receiver.is_genuine(key, headers, body))

    assert taken("secret", 0, b"{}")
    assert not taken("other", 0, b"{}")
    assert not taken("secret", 0, b"[]")
    assert not taken("secret", 400, b"{}")
