"""What the README shows, works: every YAML block is loaded, every command and path in it exists."""

from __future__ import annotations

import configparser
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.main import get_command

from worker.cli import app
from worker.settings.project import load_project
from worker.settings.shipped import write_project

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```yaml\n# (\S+)[^\n]*\n(.*?)```", README, flags=re.DOTALL)


DEPLOYED = {"compose.yaml", "deployment.yaml"}
GRACE_S = 45


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


def assert_can_be_run(deployed: dict[str, Any]) -> None:
    """Every command exists with its options, every queue has a worker, and a worker is given its time to end."""
    known = get_command(app)
    lines = list(commands_in(deployed))
    assert lines
    for line in lines:
        command = known.commands[line[1]]  # type: ignore[attr-defined]
        if line[1] != "worker":
            options = {option for parameter in command.params for option in parameter.opts}
            assert set(line[2:]) <= options, line
    queues = {q for line in lines if "--queues" in line for q in line[line.index("--queues") + 1].split(",")}
    if "services" in deployed:
        assert queues == {"compute", "deliver", "default"}
        workers = [one for one in deployed["services"].values() if "plgsync worker" in one.get("command", "")]
        assert [int(one["stop_grace_period"].removesuffix("s")) >= GRACE_S for one in workers] == [True, True]
        computing = next(one["command"].split() for one in workers if "compute" in one["command"])
        assert computing[computing.index("--concurrency") + 1] == "1"
    else:
        pod = deployed["spec"]["template"]["spec"]
        assert pod["terminationGracePeriodSeconds"] >= GRACE_S
        (container,) = pod["containers"]
        assert container["livenessProbe"]["exec"]["command"] == ["plgsync", "probe", "--live"]
        assert container["readinessProbe"]["exec"]["command"] == ["plgsync", "probe", "--ready"]
        assert "PLGSYNC_HEARTBEAT" in {one["name"] for one in container["env"]}


def test_the_unit_for_systemd_runs_a_command_that_exists() -> None:
    (block,) = re.findall(r"```ini\n(.*?)```", README, flags=re.DOTALL)
    unit = configparser.ConfigParser()
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read_string(block)
    service = unit["Service"]
    assert service["ExecStart"].split("/")[-1].split()[1] in get_command(app).commands  # type: ignore[attr-defined]
    assert (service["KillMode"], service["Restart"]) == ("mixed", "always")
    assert int(service["TimeoutStopSec"]) > 5


def test_every_yaml_block_says_which_file_it_is() -> None:
    assert len(BLOCKS) == README.count("```yaml")


@pytest.mark.parametrize(("file", "block"), BLOCKS, ids=[f"{n}-{file}" for n, (file, _) in enumerate(BLOCKS)])
def test_yaml_blocks_load(file: str, block: str, tmp_path: Path) -> None:
    if file in DEPLOYED:
        assert_can_be_run(yaml.safe_load(block))
        return
    write_project(tmp_path)
    if file == "config/crm.yaml":
        queues = yaml.safe_load((ROOT / "config/crm.yaml").read_text(encoding="utf-8"))["queues"]
        block += yaml.safe_dump({"queues": queues})
        shutil.rmtree(tmp_path / "playbooks")
    (tmp_path / file).write_text(block, encoding="utf-8")
    project = load_project(tmp_path)
    assert project.invalid == ()


def test_every_command_of_the_table_exists() -> None:
    commands = get_command(app).commands  # type: ignore[attr-defined]
    visible = {name for name, command in commands.items() if not command.hidden}
    named = set(re.findall(r"^\| `plgsync (\w+)", README, flags=re.MULTILINE))
    named |= set(re.findall(r"`plgsync (tick|worker)", README))
    assert named == visible


def test_every_path_of_the_map_exists() -> None:
    section = README.split("## I want to know")[1]
    for path in re.findall(r"`([\w./*]+/[\w./*]*|\w+\.md)`", section):
        assert list(ROOT.glob(path.rstrip("/"))), path
