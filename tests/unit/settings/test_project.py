"""A project folder: every problem of every file at once, and a bad playbook that stops no other."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import pytest

from worker.settings.partial_settings import PartialSettings
from worker.settings.playbook import Playbook
from worker.settings.problems import ConfigError, Problem
from worker.settings.project import NO_PLAYBOOKS, Project, load_project, read_playbooks
from worker.settings.shipped import shipped_files
from worker.settings.yaml_document import read_document

PLAYBOOK = """\
version: 1
id: {id}
name: Demo
owner: revops@example.com
audience: plan is pro
when:
  enters: health.score < 40
do:
  - set_fields: {{expansion_signal: "{{{{account.name}}}}"}}
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The shipped configuration with no playbook but one."""
    shutil.copytree(shipped_files() / "config", tmp_path / "config")
    (tmp_path / "playbooks").mkdir()
    (tmp_path / "playbooks" / "demo.yaml").write_text(PLAYBOOK.format(id="demo"))
    return tmp_path


def edit(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1))


def refused(root: Path) -> tuple[Problem, ...]:
    with pytest.raises(ConfigError) as caught:
        load_project(root)
    return caught.value.problems


def messages(problems: tuple[Problem, ...]) -> list[str]:
    return [f"{problem.file}: {problem.message}" for problem in problems]


def test_a_right_project_has_no_problem(project: Path) -> None:
    loaded = load_project(project)
    assert (loaded.invalid, loaded.warnings) == ((), ())
    assert [playbook.id for playbook in loaded.playbooks] == ["demo"]
    assert loaded.root == project


def test_the_shipped_project_has_no_problem() -> None:
    loaded = load_project(shipped_files())
    assert messages(loaded.invalid) == []
    assert messages(loaded.warnings) == []
    assert {playbook.id for playbook in loaded.playbooks} >= {
        "pql-to-task",
        "health-drop",
        "onboarding-stalled",
        "expansion-signal",
    }


def test_problems_of_all_files_come_at_once(project: Path) -> None:
    edit(project / "config" / "schedule.yaml", "job: run ", "job: runs ")
    edit(project / "config" / "crm.yaml", "changed_share: 30%", "changed_share: 300%")
    edit(project / "playbooks" / "demo.yaml", "health.score", "healht.score")
    assert messages(refused(project)) == [
        "config/crm.yaml: expected a share between 0% and 100%",
        'config/schedule.yaml: "runs" is not one of: run, deliver, read_back, prune. Did you mean "run"?',
        'playbooks/demo.yaml: unknown field "healht.score". Did you mean "health.score"?',
    ]


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("product.yaml", "version: 1", "version: 7"),
        ("signals.yaml", "version: 1", "version: 7"),
        ("crm.yaml", "version: 1", "version: 7"),
    ],
)
def test_a_slip_in_one_file_hides_no_name_of_it(project: Path, file: str, old: str, new: str) -> None:
    edit(project / "config" / file, old, new)
    assert [problem.file for problem in refused(project)] == [f"config/{file}"]


def test_a_file_that_cannot_be_read_hides_the_problems_of_no_other(project: Path) -> None:
    (project / "config" / "signals.yaml").write_text("signals: [")
    (project / "config" / "scores.yaml").unlink()
    edit(project / "playbooks" / "demo.yaml", "owner: revops@example.com", "owner: nobody")
    assert {problem.file for problem in refused(project)} == {
        "config/signals.yaml",
        "config/scores.yaml",
        "playbooks/demo.yaml",
    }


def test_a_slip_hides_no_unknown_name_of_the_same_file(project: Path) -> None:
    edit(project / "playbooks" / "demo.yaml", "audience: plan is pro", "audience:\n  all: [a and b, healht.score < 1]")
    edit(project / "playbooks" / "demo.yaml", "name: Demo", "name: 1.10\nmode: lvie")
    edit(project / "config" / "crm.yaml", "from: health.band", "from: health.bnd")
    edit(project / "config" / "crm.yaml", "new_tasks: 200", "new_tasks: many")
    found = [(problem.file, problem.message.split('"')[1]) for problem in refused(project) if '"' in problem.message]
    assert ("config/crm.yaml", "health.bnd") in found
    assert ("playbooks/demo.yaml", "healht.score") in found
    assert len(refused(project)) == 6


def test_what_is_taken_out_of_a_wrong_file_is_not_called_unknown(project: Path) -> None:
    signals = project / "config" / "signals.yaml"
    signals.write_text(signals.read_text() + "  zz: {label: A, of: yy / yy}\n  yy: {unit: count}\n")
    assert [problem.message for problem in refused(project)] == ['"label" is missing in yy']


def test_a_check_of_the_remains_says_nothing_about_blocks(project: Path) -> None:
    text = PLAYBOOK.format(id="demo") + "  - wait: 1d\n  - create_task: {key: a}\n"
    (project / "playbooks" / "demo.yaml").write_text(text)
    assert not [message for message in messages(load_project(project).invalid) if "after this wait" in message]


def test_an_unknown_name_is_found_at_its_place(project: Path) -> None:
    edit(project / "playbooks" / "demo.yaml", "health.score", "healht.score")
    (problem,) = load_project(project).invalid
    assert problem.format() == (
        'playbooks/demo.yaml:7:11  error: unknown field "healht.score". Did you mean "health.score"?\n'
        "      7 |   enters: healht.score < 40"
    )


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("table: accounts ", "from: events #", 'accounts "from: events" have no parents: map a table of accounts'),
        (
            "version: 1",
            "version: 1\naccount: {level: parent}",
            "account.level: parent in config/product.yaml makes one",
        ),
    ],
)
def test_accounts_without_parents_share_no_record(project: Path, old: str, new: str, said: str) -> None:
    edit(project / "config" / "crm.yaml", "object: Account\n", "object: Account\n      record: parent\n")
    edit(project / "config" / "product.yaml", old, new)
    named = [problem.message for problem in refused(project) if "parent" in problem.message]
    assert len(named) == 1
    assert said in named[0]


def test_a_bad_playbook_stops_no_other(project: Path) -> None:
    (project / "playbooks" / "bad.yaml").write_text("version: 1\n\tid: bad\n")
    loaded = load_project(project)
    assert [playbook.id for playbook in loaded.playbooks] == ["demo"]
    assert {problem.file for problem in loaded.invalid} == {"playbooks/bad.yaml"}


def test_of_a_wrong_playbook_the_last_good_version_runs_and_its_problems_are_still_told(project: Path) -> None:
    good = load_project(project)
    edit(project / "playbooks" / "demo.yaml", "health.score < 40", "healht.score < 30")
    loaded = load_project(project, good.playbook_texts)
    assert loaded.playbooks == good.playbooks
    assert (loaded.last_good_files, loaded.left_out) == (("playbooks/demo.yaml",), False)
    assert {problem.file for problem in loaded.invalid} == {"playbooks/demo.yaml"}
    assert loaded.playbook_texts == good.playbook_texts, "so that it stays the last good one"
    assert load_project(project).left_out


def test_a_last_good_version_that_does_not_fit_the_other_files_any_more_does_not_run(project: Path) -> None:
    texts = load_project(project).playbook_texts
    edit(project / "playbooks" / "demo.yaml", "health.score < 40", "healht.score < 30")
    edit(project / "config" / "crm.yaml", "      expansion_signal:", "      expansion_hint:")
    edit(project / "config" / "crm.yaml", "      expansion_signal:", "      expansion_hint:")
    loaded = load_project(project, texts)
    assert (loaded.playbooks, loaded.last_good_files, loaded.left_out) == ((), (), True)


def test_a_good_playbook_never_runs_by_an_older_version(project: Path) -> None:
    texts = load_project(project).playbook_texts
    edit(project / "playbooks" / "demo.yaml", "health.score < 40", "health.score < 30")
    loaded = load_project(project, texts)
    assert loaded.last_good_files == ()
    assert loaded.playbook_texts != texts


def test_a_playbook_whose_file_is_gone_does_not_run_on(project: Path) -> None:
    texts = load_project(project).playbook_texts
    (project / "playbooks" / "demo.yaml").unlink()
    assert load_project(project, texts).playbooks == ()


def test_tests_of_playbooks_are_no_playbooks(project: Path) -> None:
    (project / "playbooks" / "demo.test.yaml").write_text("anything: else\n")
    assert len(load_project(project).playbooks) == 1


def test_a_playbook_id_is_used_once(project: Path) -> None:
    other = PLAYBOOK.format(id="demo").replace("set_fields: {expansion_signal: ", "set_fields: {expansion_signal: ")
    (project / "playbooks" / "other.yaml").write_text(other)
    loaded = load_project(project)
    assert [playbook.id for playbook in loaded.playbooks] == ["demo"]
    assert 'playbooks/other.yaml: id "demo" is already used by playbooks/demo.yaml:2' in messages(loaded.invalid)


def test_a_field_filled_by_from_is_not_set_by_a_playbook(project: Path) -> None:
    edit(project / "playbooks" / "demo.yaml", "expansion_signal", "health_score")
    (problem,) = load_project(project).invalid
    line = 1 + (project / "config" / "crm.yaml").read_text().splitlines().index("        from: health.score")
    assert f"config/crm.yaml:{line}" in problem.message
    assert "one writer per field" in problem.message
    assert (problem.line, problem.column) == (9, 18)


def test_two_playbooks_do_not_set_the_same_field(project: Path) -> None:
    (project / "playbooks" / "other.yaml").write_text(PLAYBOOK.format(id="other"))
    loaded = load_project(project)
    assert [playbook.id for playbook in loaded.playbooks] == ["demo"]
    assert messages(loaded.invalid) == [
        'playbooks/other.yaml: "expansion_signal" is already set by playbooks/demo.yaml:9; one writer per field'
    ]


def test_a_field_nobody_fills_is_warned_of(project: Path) -> None:
    (project / "playbooks" / "demo.yaml").unlink()
    warnings = load_project(project).warnings
    assert {problem.file for problem in warnings} == {"config/crm.yaml"}
    assert all('"expansion_signal" has no "from"' in problem.message for problem in warnings)


def test_files_that_are_not_read_are_named(project: Path) -> None:
    (project / "config" / "signal.yaml").write_text("a: 1")
    (project / "config" / "crm.yml").write_text("a: 1")
    (project / "playbooks" / "new.yml").write_text("a: 1")
    (project / "playbooks" / "LOUD.YAML").write_text("a: 1")
    (project / "playbooks" / "sales").mkdir()
    (project / "playbooks" / "sales" / "deep.yaml").write_text("a: 1")
    (project / "playbooks" / "sales" / "notes.txt").write_text("a: 1")
    assert messages(load_project(project).warnings) == [
        "config/crm.yml: this file is not read; its name must end in .yaml",
        'config/signal.yaml: this file is not read. Did you mean "signals"?',
        "playbooks/LOUD.YAML: this file is not read; its name must end in .yaml",
        "playbooks/new.yml: this file is not read; its name must end in .yaml",
        "playbooks/sales/deep.yaml: this file is not read; move it into playbooks/ itself",
    ]


def test_a_folder_that_is_no_project_is_said_to_be_none(tmp_path: Path) -> None:
    (problem,) = refused(tmp_path)
    assert "plgsync init" in problem.message


@pytest.mark.parametrize("folder", ["config", "playbooks"])
def test_a_folder_that_cannot_be_read_is_a_problem_and_not_an_empty_one(
    project: Path, monkeypatch: pytest.MonkeyPatch, folder: str
) -> None:
    def denied(path: Path) -> Iterator[Path]:
        if path == project / folder:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return real(path)

    real = Path.iterdir
    monkeypatch.setattr(Path, "iterdir", denied)
    assert f"{folder}: this folder cannot be read: Permission denied" in messages(refused(project))


@pytest.mark.parametrize("target", ["nowhere", "playbooks"])
def test_a_folder_of_playbooks_behind_a_broken_link_is_a_problem(project: Path, target: str) -> None:
    shutil.rmtree(project / "playbooks")
    (project / "playbooks").symlink_to(target)
    assert [problem.file for problem in refused(project) if problem.severity == "error"] == ["playbooks"]


def test_a_missing_folder_of_playbooks_is_warned_of(project: Path) -> None:
    shutil.rmtree(project / "playbooks")
    assert f"playbooks: {NO_PLAYBOOKS}" in messages(load_project(project).warnings)


@pytest.mark.parametrize(("target", "message"), [("nowhere", "this link leads"), ("b.yaml", "cannot be read")])
def test_a_playbook_behind_a_broken_link_is_invalid_and_not_left_out(project: Path, target: str, message: str) -> None:
    (project / "playbooks" / "b.yaml").symlink_to(target)
    (project / "playbooks" / ".#b.yaml").symlink_to("the.lock@of.an.editor")
    (problem,) = load_project(project).invalid
    assert problem.file == "playbooks/b.yaml"
    assert problem.message.startswith(message)


def test_alert_settings_that_cannot_be_looked_at_are_not_left_out(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def denied(path: Path, *_: str) -> NoReturn:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))

    monkeypatch.setattr(Path, "lstat", denied)
    monkeypatch.setattr(Path, "open", denied)
    assert "config/alerts.yaml: cannot be read: Permission denied" in messages(refused(project))


def test_the_version_follows_the_content_and_not_the_comments(project: Path) -> None:
    def version() -> str:
        return load_project(project).config_version

    before = version()
    edit(project / "config" / "schedule.yaml", "version: 1", "# a comment\nversion:   1")
    assert version() == before
    edit(project / "playbooks" / "demo.yaml", "< 40", "< 41")
    changed = version()
    assert changed != before
    (project / "playbooks" / "demo.yaml").unlink()
    assert version() not in {before, changed}


def test_queues_and_crm_fields_are_known_by_name(project: Path) -> None:
    text = PLAYBOOK.format(id="demo").replace("expansion_signal", "expansion_signl") + (
        "  - create_task:\n"
        "      key: a\n"
        "      to: queue(onbording)\n"
        "      subject: Call\n"
        "      due: 1bd\n"
    )  # fmt: skip
    (project / "playbooks" / "demo.yaml").write_text(text)
    found = load_project(project).invalid
    assert [(problem.line, problem.column) for problem in found] == [(9, 18), (12, 17)]
    assert 'Did you mean "expansion_signal"?' in found[0].message
    assert 'Did you mean "onboarding"?' in found[1].message


def test_every_shipped_output_is_in_both_crms() -> None:
    loaded: Project = load_project(shipped_files())
    expected = {
        "health_score", "health_band", "health_status", "health_change_28d", "health_reasons", "onboarding_score",
        "onboarding_status", "onboarding_next", "pql_status", "pql_score", "pql_label", "pql_reasons",
        "pql_entered_at", "expansion_signal",
    }  # fmt: skip
    for name in ("salesforce", "hubspot"):
        assert set(loaded.crm.destinations[name].fields) == expected


def test_a_playbook_without_an_id_hides_no_double_one(project: Path) -> None:
    (project / "playbooks" / "a.yaml").write_text(PLAYBOOK.format(id="demo").replace("id: demo\n", ""))
    (project / "playbooks" / "other.yaml").write_text(PLAYBOOK.format(id="demo"))
    found = messages(load_project(project).invalid)
    assert any('playbooks/a.yaml: "id" is missing' in message for message in found), found
    assert any('playbooks/other.yaml: id "demo" is already used' in message for message in found), found


def test_no_last_good_version_runs_beside_config_that_breaks_while_it_is_read(project: Path) -> None:
    good = (project / "playbooks" / "demo.yaml").read_text()
    edit(project / "playbooks" / "demo.yaml", "health.score", "helth.score")

    class EditedMeanwhile(dict[str, str]):
        def __getitem__(self, file: str) -> str:
            (project / "config" / "schedule.yaml").write_text("version: 2\n")
            return super().__getitem__(file)

    loaded = load_project(project, EditedMeanwhile({"playbooks/demo.yaml": good}))
    assert (loaded.playbooks, loaded.last_good_files) == ((), ())


def test_nothing_is_checked_of_a_file_that_is_wrong_at_every_level() -> None:
    step = "{wait: x}"
    for _ in range(9):
        step = f"{{if: a is 1, then: [{step}]}}"
    text = PLAYBOOK.format(id="deep").partition("do:")[0] + f"do: [{step}]\n"
    assert PartialSettings(read_document("p.yaml", text.encode())).settings(Playbook) is None


def test_playbooks_are_read_from_texts_and_invalid_ones_left_out(project: Path) -> None:
    texts = load_project(project).playbook_texts
    broken = {**texts, "playbooks/a.yaml": "version: 1\nid: a\n", "playbooks/b.yaml": "[\n"}
    assert read_playbooks(broken, {}) == list(load_project(project).playbooks)
