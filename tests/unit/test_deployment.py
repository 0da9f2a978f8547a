"""What is deployed can run: image, Compose, systemd, Kubernetes, commit hooks; none of them is needed here."""

from __future__ import annotations

import configparser
import json
import re
import shlex
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from typer.main import get_command

from worker.cli import app
from worker.settings import environment
from worker.settings.shipped import write_project

ROOT = Path(__file__).parents[2]
OPERATIONS = (ROOT / "docs/operations.md").read_text(encoding="utf-8")
COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
INSTRUCTIONS = [
    line.partition(" ")[::2] for line in DOCKERFILE.splitlines() if line.strip() and not line.startswith("#")
]
(POD,) = (yaml.safe_load(block) for block in re.findall(r"```yaml\n# deployment.yaml\n(.*?)```", OPERATIONS, re.DOTALL))
GRACE_S = 45
USER = "10001"


def commands_in(node: Any) -> Iterator[list[str]]:
    """Every command line of ours in a deployment."""
    if isinstance(node, dict):
        for value in node.values():
            yield from commands_in(value)
    elif isinstance(node, list):
        words = [str(word) for word in node if word != "CMD"]
        if words[:1] == ["plgsync"]:
            yield words
        for value in node:
            yield from commands_in(value)
    elif isinstance(node, str) and node.startswith("plgsync "):
        yield node.split()


def assert_can_be_run(words: list[str]) -> None:
    """The command exists, and so do its options; those of the worker are Celery's."""
    command = get_command(app).commands[words[1]]  # type: ignore[attr-defined]
    if words[1] != "worker":
        assert set(words[2:]) <= {option for parameter in command.params for option in parameter.opts}, words


def ours() -> set[str]:
    """Every environment variable that plgsync reads."""
    return set(re.findall(r'"(PLGSYNC_\w+)"', Path(environment.__file__).read_text(encoding="utf-8")))


# --------------------------------------------------------------------------------------------------------------- image


def instructions(name: str) -> list[str]:
    return [text for instruction, text in INSTRUCTIONS if instruction == name]


def copied() -> list[str]:
    """Everything that comes from the checkout."""
    return [word for text in instructions("COPY") if "--from" not in text for word in shlex.split(text)[:-1]]


def test_the_image_copies_what_exists_and_what_the_context_holds() -> None:
    assert all((ROOT / path).exists() for path in copied())
    allowed = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert set(copied()) == allowed


def test_the_image_installs_by_hash_and_nothing_else() -> None:
    for line in re.findall(r"pip install ([^&]*)", " ".join(instructions("RUN"))):
        assert "--require-hashes" in line or "--no-deps" in line, line
    for file in re.findall(r"-r (\S+)", DOCKERFILE):
        requirements = (ROOT / file).read_text(encoding="utf-8").replace("\\\n", " ").splitlines()
        assert requirements
        assert all("--hash=sha256:" in line for line in requirements), file
    assert all(stage.startswith("python:3.") and ":latest" not in stage for stage in instructions("FROM"))


def test_the_image_runs_as_a_user_without_rights_and_says_whether_it_lives() -> None:
    assert instructions("USER") == [USER]
    assert INSTRUCTIONS.index(("USER", USER)) > max(n for n, (name, _) in enumerate(INSTRUCTIONS) if name == "COPY")
    (health,) = instructions("HEALTHCHECK")
    assert_can_be_run(json.loads(health.partition("CMD ")[2]))
    assert_can_be_run(json.loads(instructions("CMD")[0]))
    assert set(re.findall(r"PLGSYNC_\w+", DOCKERFILE)) <= ours()


def test_the_wheel_of_the_image_is_built_from_what_it_copies_and_makes_a_project(tmp_path: Path) -> None:
    source = tmp_path / "src"
    for path in copied():
        if (ROOT / path).is_dir():
            shutil.copytree(ROOT / path, source / path, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            source.mkdir(exist_ok=True)
            shutil.copy(ROOT / path, source / path)
    (build,) = re.findall(r"python (-m hatchling build .*?) -d", DOCKERFILE)
    command = [sys.executable, *shlex.split(build), "-d", str(tmp_path / "dist")]
    subprocess.run(command, cwd=source, check=True, capture_output=True, timeout=120)
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    held = set(zipfile.ZipFile(wheel).namelist())
    written = [path.relative_to(tmp_path / "p") for path in write_project(tmp_path / "p") if path.suffix == ".yaml"]
    assert written
    assert {f"worker/shipped/{path.as_posix()}" for path in written} <= held
    assert {"worker/cli/entry.py", "connectors/salesforce/connector.py", "worker/store/migrations/env.py"} <= held


# ----------------------------------------------------------------------------------------- Compose, systemd, Kubernetes


def workers() -> dict[str, dict[str, Any]]:
    return {name: one for name, one in COMPOSE["services"].items() if one["image"] == "plgsync"}


def test_compose_runs_commands_that_exist_with_variables_that_are_read() -> None:
    lines = list(commands_in(COMPOSE["services"]))
    assert lines
    for line in lines:
        assert_can_be_run(line)
    for one in workers().values():
        assert {name for name in one["environment"] if name.startswith("PLGSYNC_")} <= ours()
    assert [one["command"].split()[0] for one in workers().values()] == ["plgsync", "plgsync", "celery"]


def test_compose_serves_every_queue_and_gives_a_worker_its_time_to_end() -> None:
    lines = [one["command"].split() for one in workers().values()]
    queues = [queue for line in lines if "--queues" in line for queue in line[line.index("--queues") + 1].split(",")]
    assert sorted(queues) == ["compute", "default", "deliver"]
    (computing,) = (line for line in lines if "compute" in line)
    assert computing[computing.index("--concurrency") + 1] == "1"
    assert {int(one["stop_grace_period"].removesuffix("s")) >= GRACE_S for one in workers().values()} == {True}


def test_compose_names_only_secrets_and_volumes_that_it_declares() -> None:
    for name, one in COMPOSE["services"].items():
        assert set(one.get("secrets", ())) <= set(COMPOSE["secrets"]), name
        named = {volume.split(":")[0] for volume in one["volumes"] if volume[0] not in "./"}
        assert named <= set(COMPOSE["volumes"]), name
        assert set(one.get("depends_on", ())) <= set(COMPOSE["services"]), name
    for one in workers().values():
        assert one["read_only"]
        assert one["cap_drop"] == ["ALL"]
        assert "./project:/project:ro" in one["volumes"]


def test_the_guide_makes_every_file_that_compose_needs() -> None:
    needed = {one["file"].removeprefix("./") for one in COMPOSE["secrets"].values()} | {"crm.env"}
    assert all(re.search(rf"(> |touch ){re.escape(file)}", OPERATIONS) for file in needed)
    assert f"chown {USER} secrets/pgpass" in OPERATIONS


def test_the_unit_for_systemd_runs_a_command_that_exists() -> None:
    (block,) = re.findall(r"```ini\n(.*?)```", OPERATIONS, flags=re.DOTALL)
    unit = configparser.ConfigParser()
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read_string(block)
    service = unit["Service"]
    assert_can_be_run(["plgsync", *service["ExecStart"].split()[1:]])
    assert service["Environment"].split("=")[0] in ours()
    assert (service["KillMode"], service["Restart"]) == ("mixed", "always")
    assert int(service["TimeoutStopSec"]) > environment.DEFAULT_STOP_S


def test_the_pod_probes_its_worker_and_gives_it_its_time_to_end() -> None:
    for line in commands_in(POD):
        assert_can_be_run(line)
    spec = POD["spec"]["template"]["spec"]
    assert spec["terminationGracePeriodSeconds"] >= GRACE_S
    assert spec["securityContext"] == {"runAsNonRoot": True, "runAsUser": int(USER)}
    (container,) = spec["containers"]
    assert container["livenessProbe"]["exec"]["command"] == ["plgsync", "probe", "--live"]
    assert container["readinessProbe"]["exec"]["command"] == ["plgsync", "probe", "--ready"]
    assert {"PLGSYNC_HEARTBEAT"} <= {one["name"] for one in container["env"]} <= ours()


# ------------------------------------------------------------------------------------------------------- commit hooks


def test_the_commit_hooks_run_the_lines_that_make_test_begins_with() -> None:
    (repository,) = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))["repos"]
    assert repository["repo"] == "local"
    hooks = [hook["entry"] for hook in repository["hooks"]]
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    (lint,) = re.findall(r"^lint: .*\n((?:\t.*\n)+)", makefile, flags=re.MULTILINE)
    assert hooks == [line.strip().replace("$(BIN)", ".venv/bin") for line in lint.splitlines()]
    assert re.search(r"^test: lint$", makefile, flags=re.MULTILINE)


def test_make_test_holds_both_parts_of_the_code_to_a_coverage() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    (pure,) = re.findall(r"^PURE := (.+)$", makefile, flags=re.MULTILINE)
    assert pure.split(",") == [f"worker/{package}/*" for package in ("language", "rules", "scores", "settings")]
    bounds = dict(
        re.findall(r"coverage report .*--fail-under=(\d+) (--\w+='\$\(PURE\)')$", makefile, flags=re.MULTILINE)
    )
    assert bounds.keys() == {"100", "92"}
    assert bounds["100"].startswith("--include")
    assert bounds["92"].startswith("--omit")


def test_editorconfig_says_how_files_are_written() -> None:
    rules = configparser.ConfigParser()
    rules.read_string("[top]\n" + (ROOT / ".editorconfig").read_text(encoding="utf-8"))
    assert (rules["*"]["charset"], rules["*"]["end_of_line"], rules["*"]["insert_final_newline"]) == (
        "utf-8",
        "lf",
        "true",
    )
    for pattern in ("*.md", "*.yaml", "Makefile", "worker/cli/*.py", "docs/*.md"):
        for file in ROOT.glob(pattern):
            text = file.read_bytes()
            assert text.endswith(b"\n"), file
            assert b"\r" not in text, file
