"""A project and its files: demo, new project, checks, JSON Schema, fields, tests of playbooks."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from worker.cli.options import JsonOption, ProjectOption
from worker.cli.printing import console, print_result, reading
from worker.language.plural import counted


def demo(
    dir: Annotated[Path, typer.Option("--dir", help="The folder for the demo project.")] = Path("demo"),
    accounts: Annotated[int, typer.Option(min=20, max=20_000, help="How many accounts the company has.")] = 300,
    seed: Annotated[int, typer.Option(help="The same seed gives the same company.")] = 7,
) -> None:
    """Create a company and two sandbox CRMs, and run the whole main job on them.

    Example: plgsync demo --accounts 500
    """
    from worker.demo.story import run_demo
    from worker.settings.environment import check_environment

    check_environment()
    run_demo(dir, accounts, seed, console())


def init(dir: Annotated[Path, typer.Argument(help="The folder to write config/ and playbooks/ into.")]) -> None:
    """Write a commented project to edit; files that exist are left alone.

    Example: plgsync init ~/plgsync-acme
    """
    from worker.settings.shipped import write_project

    written = write_project(dir)
    console().print(
        f"{counted(len(written), 'file')} written to {dir}. Next: edit config/product.yaml and config/crm.yaml, then"
    )
    console().print(f"  plgsync check --project {dir}", style="bold")


def check(
    project: ProjectOption = None,
    offline: Annotated[bool, typer.Option("--offline", help="Check the files only.")] = False,
    json_: JsonOption = False,
) -> None:
    """Find all problems in all files, then check whether the source and the CRMs are ready for a run.

    Example: plgsync check --offline
    """
    from worker.rendering.problems import render_check
    from worker.reports.check import check_project

    result = check_project(project, offline=offline)
    print_result(render_check(result), json_, result.to_json())
    if not result.fit:
        raise SystemExit(1)


def schema(
    write: Annotated[Path | None, typer.Option("--write", help="Write .schema.json files into this folder.")] = None,
) -> None:
    """Print the JSON Schema of every YAML file, for completion and checks in an editor.

    Example: plgsync schema --write .schemas
    """
    import json

    from worker.settings.schema import schemas

    if write is None:
        sys.stdout.write(json.dumps(schemas(), indent=2) + "\n")
        return
    write.mkdir(parents=True, exist_ok=True)
    for name, document in schemas().items():
        (write / f"{name}.schema.json").write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")


def fields(
    word: Annotated[str | None, typer.Argument(help="Only fields with this word in their name or meaning.")] = None,
    project: ProjectOption = None,
    json_: JsonOption = False,
) -> None:
    """List the fields that playbooks and scores may use, with their kind and sample values of this project.

    Example: plgsync fields health
    """
    from worker.rendering.fields import render_fields
    from worker.reports.fields import list_fields

    with reading(project) as reader:
        found = list_fields(reader, word)
    print_result(render_fields(found), json_, found.to_json())


def playbooks_test(project: ProjectOption = None, json_: JsonOption = False) -> None:
    """Run the .test.yaml beside every playbook, on a controlled clock.

    Example: plgsync playbooks test
    """
    from worker.rendering.problems import render_playbook_tests
    from worker.reports.check import run_tests_of_playbooks

    results = run_tests_of_playbooks(project)
    print_result(render_playbook_tests(results), json_, [result.to_json() for result in results])
    if any(not result.passed for result in results):
        raise SystemExit(1)
