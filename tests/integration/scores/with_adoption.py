"""A process in which a fourth score exists. It prints what the rest of the program says of a project that uses it."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from datetime import datetime
from io import StringIO
from pathlib import Path
from typing import Any

import worker.scores
from worker.settings import score_specs

CRM = """
version: 1
destinations:
  salesforce:
    kind: salesforce
    base_url: https://example.my.salesforce.com
    auth: {method: client_credentials, client_id: env:ID, client_secret: env:SECRET}
    account: {object: Account, match_field: Id__c}
    fields:
      adoption: {field: Adoption__c, from: SOURCE}
"""


def add_score() -> None:
    """One file, here in the folder of the tests, and one line."""
    worker.scores.__path__.append(str(Path(__file__).parent))
    score_specs.SCORES = (*score_specs.SCORES, "adoption")  # type: ignore[assignment]


def problems_with(root: Path, source: str) -> list[str]:
    """What is wrong with a field of config/crm.yaml that is filled from ``source``."""
    from worker.settings.problems import ConfigError
    from worker.settings.project import load_project

    (root / "config" / "crm.yaml").write_text(CRM.replace("SOURCE", source), encoding="utf-8")
    try:
        load_project(root)
    except ConfigError as error:
        return [str(problem) for problem in error.problems]
    return []


def text(what: Any) -> str:
    """As on a terminal of 200 columns."""
    from rich.console import Console

    console = Console(width=200, file=StringIO())
    console.print(what)
    return str(console.file.getvalue())  # type: ignore[attr-defined]


def say(root: Path, as_of: datetime) -> Mapping[str, Any]:
    """Run the project once and ask everything that knows scores."""
    from sqlalchemy import select

    from worker.pipeline.provenance import _of_source
    from worker.pipeline.run import compute_and_commit
    from worker.rendering.explain import render_explanation
    from worker.rendering.summary import render_report, report_json
    from worker.reports.explain import explain
    from worker.settings.known import FIELD_VALUES, SCORE_FIELDS
    from worker.settings.project import load_project
    from worker.settings.schema import schemas
    from worker.store.engine import open_store
    from worker.store.tables import score_values

    crm = {source: problems_with(root, source) for source in ("adoption.score", "adoption.scroe")}
    (root / "config" / "crm.yaml").write_text("version: 1\n", encoding="utf-8")
    project = load_project(root)
    engine = open_store(f"sqlite:///{root}/state.db")
    report = compute_and_commit(project, engine, {}, as_of, run_id="r1")
    accounts = report.computed.accounts
    wide = sorted(name for name, row in accounts.items() if row["adoption.breadth"] == "wide")
    with engine.begin() as connection:
        rows = connection.execute(select(score_values).where(score_values.c.account_id == wide[0])).mappings()
        history = {row["name"]: row["number"] if row["text"] is None else row["text"] for row in rows}
    explanation = explain(project, engine, {}, wide[0], as_of)
    return {
        "invalid": [str(one) for one in project.invalid],
        "known": sorted(SCORE_FIELDS),
        "values": FIELD_VALUES["adoption.breadth"],
        "schema": schemas()["scores"]["properties"]["adoption"],
        "crm": crm,
        "score": accounts[wide[0]]["adoption.score"],
        "history": history,
        "wide": wide,
        "inside": sorted(report.computed.playbooks["wide"].enrollments),
        "why": _of_source("adoption.score", accounts[wide[0]]),
        "summary": text(render_report([report])),
        "counts": report_json(report)["adoption"],
        "explained": text(render_explanation(explanation)),
        "explained_json": sorted(explanation.to_json()["adoption"]),
    }


if __name__ == "__main__":
    add_score()
    print(json.dumps(say(Path(sys.argv[1]), datetime.fromisoformat(sys.argv[2]))))
