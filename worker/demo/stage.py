"""Prepares the demo: a project folder like that of a user, and the two sandbox CRMs it writes to."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from connectors.private_files import make_private_folder, write_private
from worker.demo.company import Company, build_company
from worker.demo.crm_seed import crm_seed
from worker.settings.problems import CommandError
from worker.settings.shipped import write_project
from worker.telemetry.steps import report_step

SEED_FILE = "crm-seed.json"
_MARK = ".plgsync-demo"
_STOP_S = 10.0


def build_stage(folder: Path, accounts: int, seed: int, as_of: datetime) -> Company:
    """Write a project with the data of a company into ``folder``, and the seed file of the CRMs.

    Replaces an earlier demo there; raises `CommandError` when the folder holds anything else.
    """
    make_room(folder)
    write_project(folder)
    report_step("making up the company")
    company = build_company(folder / "data" / "product.duckdb", accounts, seed, as_of=as_of)
    (folder / SEED_FILE).write_text(json.dumps(crm_seed(company, seed)), encoding="utf-8")
    return company


def make_room(folder: Path) -> None:
    """Make ``folder`` an empty demo folder; raises `CommandError` when it holds anything but an earlier demo."""
    if folder.exists() and any(folder.iterdir()):
        if not (folder / _MARK).exists():
            raise CommandError(f"{folder} is not empty and holds no demo; choose another folder with --dir")
        shutil.rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / _MARK).touch()


@contextmanager
def sandboxes(seed_file: Path, ports: Mapping[str, int] | None = None) -> Iterator[dict[str, dict[str, str]]]:
    """Run both sandbox CRMs in a process of their own; at its end it writes their records to ``seed_file``."""
    chosen = [word for name, port in (ports or {}).items() for word in (f"--{name}-port", str(port))]
    report_step("starting the sandbox CRMs")
    errors = seed_file.with_name("sandbox.log")
    with errors.open("w", encoding="utf-8") as log:
        process = subprocess.Popen(  # noqa: S603 - a module of this project, no shell
            [sys.executable, "-m", "connectors.sandbox", "--seed", str(seed_file), "--keep", *chosen],
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
        try:
            line = process.stdout.readline() if process.stdout else ""
            if not line:
                raise CommandError(f"the sandbox CRMs did not start; see {errors}")
            yield json.loads(line)
        finally:
            process.terminate()
            process.communicate(timeout=_STOP_S)


def point_at(folder: Path, crms: Mapping[str, Mapping[str, str]]) -> None:
    """Write addresses and credentials of the CRMs into the files of the project; all else is as in a real project.

    The playbooks go live and act on accounts that match already, so that the first days show tasks.
    """
    secrets = folder / ".plgsync"
    make_private_folder(secrets)
    places = {
        "SALESFORCE_CLIENT_ID": crms["salesforce"]["client_id"],
        "SALESFORCE_CLIENT_SECRET": crms["salesforce"]["client_secret"],
        "HUBSPOT_TOKEN": crms["hubspot"]["token"],
    }
    settings = folder / "config" / "crm.yaml"
    text = settings.read_text(encoding="utf-8")
    for name, value in places.items():
        file = secrets / name.lower()
        write_private(file, value)
        text = text.replace(f"env:{name}", f"file:.plgsync/{file.name}")
    text = re.sub(r"base_url: https://\S*salesforce\S*", f"base_url: {crms['salesforce']['url']}", text)
    text = re.sub(r"base_url: https://\S*hubapi\S*", f"base_url: {crms['hubspot']['url']}", text)
    settings.write_text(text, encoding="utf-8")
    for playbook in (folder / "playbooks").glob("*.yaml"):
        content = playbook.read_text(encoding="utf-8")
        content = re.sub(r"(?m)^mode: preview\b", "mode: live", content)
        if "already_matching: ignore" in content:
            content = content.replace("already_matching: ignore", "already_matching: include")
        else:
            content = re.sub(r"(?m)^repeat:$", "repeat:\n  already_matching: include", content)
        playbook.write_text(content, encoding="utf-8")
