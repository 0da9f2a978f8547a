"""What the README shows, works: every YAML block is loaded, every command and path in it exists."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
import yaml
from typer.main import get_command

from worker.cli import app
from worker.settings.project import load_project
from worker.starting import write_project

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```yaml\n# (\S+)[^\n]*\n(.*?)```", README, flags=re.DOTALL)


def test_every_yaml_block_says_which_file_it_is() -> None:
    assert len(BLOCKS) == README.count("```yaml")


@pytest.mark.parametrize(("file", "block"), BLOCKS, ids=[f"{n}-{file}" for n, (file, _) in enumerate(BLOCKS)])
def test_yaml_blocks_load(file: str, block: str, tmp_path: Path) -> None:
    if file == "compose.yaml":
        assert set(yaml.safe_load(block)["services"]) == {"postgres", "redis", "worker", "beat"}
        return
    write_project(tmp_path)
    if file == "config/crm.yaml":
        queues = yaml.safe_load((ROOT / "config/crm.yaml").read_text(encoding="utf-8"))["queues"]
        block += yaml.safe_dump({"queues": queues})
        shutil.rmtree(tmp_path / "playbooks")
    (tmp_path / file).write_text(block, encoding="utf-8")
    project = load_project(tmp_path)
    assert project.refused == ()


def test_every_command_of_the_table_exists() -> None:
    commands = get_command(app)
    named = set(re.findall(r"^\| `plgsync (\w+)", README, flags=re.MULTILINE))
    named |= set(re.findall(r"`plgsync (tick|worker)", README))
    assert named == set(commands.commands)  # type: ignore[attr-defined]


def test_every_path_of_the_map_exists() -> None:
    section = README.split("## I want to know")[1]
    for path in re.findall(r"`([\w./*]+/[\w./*]*|\w+\.md)`", section):
        assert list(ROOT.glob(path.rstrip("/"))), path
