"""Checks whether a project is ready for a run: all its files, then the source, then each CRM."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from connectors.base import CallFailed, Connector, FieldNeed, FieldSpec
from connectors.clock import now
from worker.language.plural import counted
from worker.pipeline.measure import check_fresh_report
from worker.pipeline.run import connect_all
from worker.reports.earlier_runs import EarlierRuns, load_earlier_runs, refused_data
from worker.reports.people_check import unknown_people
from worker.reports.tasks_check import tasks_of_others
from worker.rules.playbook_tests import TestResult, run_playbook_tests
from worker.settings.base import Finding
from worker.settings.crm import DestinationSettings
from worker.settings.environment import project_dir
from worker.settings.problems import ConfigError, Problem
from worker.settings.project import CONFIG, Project, load_project
from worker.settings.scores import conditions as score_conditions
from worker.settings.scores import uses as uses_of_scores
from worker.settings.validation import place_findings
from worker.settings.yaml_document import load_document, read_document
from worker.signals.check import PRODUCT, SIGNALS, PlacedNeed, SourceFinding, check_source
from worker.signals.data_report import DataReport
from worker.signals.errors import SourceError, StaleData
from worker.signals.property_kinds import typed_properties
from worker.signals.source import Source, open_source
from worker.signals.vocabulary import Vocabulary, words_of_conditions, words_of_signals
from worker.store.crm import Record
from worker.store.errors import StoreError
from worker.telemetry.steps import report_step

SCORES = "config/scores.yaml"
_SHOWN = 5
_FITTING = {
    "string": {"string"},
    "number": {"number"},
    "bool": {"bool"},
    "date": {"date", "datetime"},
    "datetime": {"datetime", "date"},
    "enum": {"enum", "string"},
}


@dataclass(slots=True)
class Check:
    """The result of a check. ``passed`` says what was checked and found good, in order."""

    problems: list[Problem] = field(default_factory=list)
    passed: list[str] = field(default_factory=list)
    data: DataReport | None = None
    """What a look at the product's data found, where it was read."""

    @property
    def fit(self) -> bool:
        return all(problem.severity != "error" for problem in self.problems)

    def to_json(self) -> dict[str, Any]:
        """The check as JSON."""
        return {
            "fit": self.fit,
            "problems": [asdict(problem) for problem in self.problems],
            "ok": self.passed,
            "data": self.data and self.data.to_json(),
        }


def check_project(option: Path | None, *, offline: bool) -> Check:
    """Check a project's files, and unless ``offline`` its source and its CRMs; changes nothing anywhere."""
    report_step("reading the files of the project")
    root = project_dir(option)
    check = Check()
    try:
        project = load_project(root)
    except ConfigError as error:
        check.problems.extend(error.problems)
        return check
    check.problems += [*project.invalid, *project.warnings]
    playbooks = counted(len(project.playbooks), "playbook")
    check.passed.append(f"files: {_config_files(project.root)} in config/, {playbooks}")
    if not offline:
        earlier = _earlier_runs(check, project)
        _check_source(check, project, earlier)
        _check_crms(check, project, earlier)
    return check


def _config_files(root: Path) -> int:
    return sum(1 for name in CONFIG if (root / "config" / f"{name}.yaml").exists())


def run_tests_of_playbooks(option: Path | None) -> list[TestResult]:
    """Run the ``.test.yaml`` beside every playbook that has one. Raises `ConfigError`."""
    project = load_project(project_dir(option))
    if project.invalid:
        raise ConfigError(project.invalid)
    results = []
    for number, playbook in enumerate(project.playbooks, 1):
        report_step(f"testing playbook {playbook.id}", number, len(project.playbooks))
        file = f"playbooks/{playbook.id}.test.yaml"
        if (project.root / file).is_file():
            results += run_playbook_tests(playbook, load_document(project.root / file, file))
    return results


def _earlier_runs(check: Check, project: Project) -> EarlierRuns:
    try:
        earlier = load_earlier_runs(project)
    except StoreError as error:
        message = f"what is usual cannot be read from the state database: {error}"
        check.problems += _placed(project, PRODUCT, [Finding(("tables",), message, severity="warning")])
        return EarlierRuns()
    if earlier.other_project:
        check.problems.append(earlier.other_project)
    return earlier


def _check_source(check: Check, project: Project, earlier: EarlierRuns) -> None:
    try:
        spellings, kinds = project.signals.names_of_spellings, typed_properties(project.signals)
        with open_source(project.product, project.root, None, spellings, kinds) as source:
            findings = check_source(source, project.product, project.signals, list(_placed_needs(project)))
            findings += [SourceFinding(PRODUCT, loc, text, "warning") for loc, text in source.warnings()]
            if project.crm.shares_records:
                source.parents()
            tables = len(project.product.mapped())
            if all(one.severity != "error" for one in findings):
                check.data = source.report(now())
                findings += _stale(project, source, earlier, check.data)
                findings += _data_findings(project, source, earlier, check.data)
                check.problems += _words_never_found(project, source, check.data)
    except SourceError as error:
        check.problems += _placed(project, PRODUCT, [Finding(error.loc, str(error))])
        return
    for file in dict.fromkeys(one.file for one in findings):
        found = [Finding(one.loc, one.message, one.column, one.severity) for one in findings if one.file == file]
        check.problems += _placed(project, file, found)
    check.passed.append(f"source: {counted(tables, 'table')} read")


def _data_findings(
    project: Project, source: Source, earlier: EarlierRuns, report: DataReport
) -> Iterable[SourceFinding]:
    """What a run would refuse, as errors, and what else an admin should know of the data."""
    report_step("comparing the data with the earlier runs")
    for reason in refused_data(project, source, earlier, report):
        yield SourceFinding(PRODUCT, ("tables",), f"a run would stop now: {reason}")
    for table, remark in report.remarks():
        yield SourceFinding(PRODUCT, ("tables", table), f"{table}: {remark}", "warning")


def _words_never_found(project: Project, source: Source, report: DataReport) -> Iterable[Problem]:
    """A warning at every text of the settings and playbooks that the data does not have."""
    words = {
        SIGNALS: words_of_signals(project.signals),
        SCORES: words_of_conditions(score_conditions(project.scores), project.signals),
    }
    for file, playbook in zip(project.playbook_texts, project.playbooks, strict=True):
        words[file] = words_of_conditions(playbook.conditions(), project.signals)
    report_step("looking up the words of the settings in the data")
    vocabulary = Vocabulary(source.catalogue, report)
    for file, some in words.items():
        found = [
            Finding(word.loc, message, word.offset, "warning") for word in some if (message := vocabulary.missing(word))
        ]
        if found:
            yield from _placed(project, file, found)


def _placed_needs(project: Project) -> Iterable[PlacedNeed]:
    for loc, need, column in uses_of_scores(project.scores, ()):
        yield PlacedNeed(need, SCORES, loc, column)
    for file, playbook in zip(project.playbook_texts, project.playbooks, strict=True):
        yield from (PlacedNeed(need, file, loc, column) for loc, need, column in playbook.uses())


def _placed(project: Project, file: str, findings: Iterable[Finding]) -> list[Problem]:
    text = project.playbook_texts.get(file)
    document = load_document(project.root / file, file) if text is None else read_document(file, text.encode())
    return place_findings(document, findings)


def _stale(project: Project, source: Source, earlier: EarlierRuns, report: DataReport) -> Iterator[SourceFinding]:
    """Why a run at this moment would reject the data."""
    try:
        check_fresh_report(project, source, report, next(iter(earlier.sizes), None))
    except StaleData as error:
        yield SourceFinding(PRODUCT, ("tables", "events"), f"a run would stop now: {error}")


def _check_crms(check: Check, project: Project, earlier: EarlierRuns) -> None:
    try:
        connectors = connect_all(project)
    except CallFailed as error:
        check.problems.append(Problem("config/crm.yaml", 1, 1, str(error)))
        return
    document = load_document(project.root / "config" / "crm.yaml", "config/crm.yaml")
    for number, (name, connector) in enumerate(connectors.items(), 1):
        report_step(f"checking {name}", number, len(connectors))
        try:
            findings = list(_crm_findings(check, name, project.crm.destinations[name], connector))
            findings += _spare_records(name, earlier.spare_records.get(name, ()), connector)
            check.problems += unknown_people(project, name, connector.owners())
            check.problems += tasks_of_others(project, name, connector)
        except CallFailed as error:
            findings = [Finding(("destinations", name), f"{name}: {error}")]
        finally:
            connector.close()
        check.problems += place_findings(document, findings)


def _crm_findings(check: Check, name: str, settings: DestinationSettings, connector: Connector) -> Iterable[Finding]:
    health = connector.check()
    left = "" if health.calls_left is None else f", {health.calls_left:,} of {health.calls_limit:,} API calls left"
    check.passed.append(f"{name}: authenticated as {health.identity}{left}")
    check.passed += [f"{name}: {note}" for note in health.notes]
    for problem in health.problems:
        yield Finding(("destinations", name), f"{name}: {problem}")
    fields = connector.describe("account")
    tasks = connector.describe("task") if settings.tasks and settings.tasks.enabled else {}
    for need in settings.needs():
        specs: Mapping[str, FieldSpec] = fields if need.object == "account" else tasks
        for complaint in _field_complaints(name, need, specs.get(need.name)):
            yield Finding(_loc_of(name, settings, need), complaint)


def _spare_records(name: str, spares: Sequence[Record], connector: Connector) -> Iterable[Finding]:
    if spares:
        some = ", ".join(f"{one.account_id} {connector.record_url(one.record_id or '')}" for one in spares[:_SHOWN])
        more = f" … and {len(spares) - _SHOWN:,} more" if len(spares) > _SHOWN else ""
        have = counted(len(spares), "account has a record", "accounts have records")
        message = (
            f"{name}: {have} beside that of the company, where nothing is written any more: {some}{more}; "
            "merge each into that of the company, or empty the account id on it"
        )
        yield Finding(("destinations", name, "account", "record"), message, severity="warning")


def _field_complaints(name: str, need: FieldNeed, spec: FieldSpec | None) -> Iterable[str]:
    if spec is None:
        yield f"{name} has no {need.object} field {need.name} that we can see; run: plgsync crm setup {name}"
        return
    if not spec.writable:
        yield f"{need.name} cannot be written by our user: allow editing it"
    if spec.type not in _FITTING[need.type]:
        yield f"{need.name} is a {spec.type} field in {name}, but {need.type} values go into it"
    if need.unique and not spec.unique and need.object == "account":  # `Health` reports the promise for tasks
        yield f"{need.name} must be unique in {name}, so that nothing is created twice; it is not"
    missing = [option for option in need.options if spec.options and option not in spec.options]
    if missing and spec.restricted:
        yield f"{need.name} does not allow {', '.join(missing)}: add them to its values in {name}"


def _loc_of(name: str, settings: DestinationSettings, need: FieldNeed) -> tuple[str, ...]:
    if need.object == "task":
        return ("destinations", name, "tasks", "key_field")
    for ours, entry in settings.fields.items():
        if entry.field == need.name:
            return ("destinations", name, "fields", ours, "field")
    return ("destinations", name, "account", "match_field")
