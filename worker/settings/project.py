"""A project folder becomes one frozen `Project`, or every problem of every file at once.

config/{product,signals,scores,crm,schedule}.yaml must exist and be valid; config/alerts.yaml is optional. An invalid
playbook stops no other: they keep running, and so does the last good version of the invalid one, as long as it is valid
with the other files.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from worker.language.suggest import suggestion
from worker.settings.alerts import NO_ALERTS, AlertSettings, check_alerts
from worker.settings.base import Finding
from worker.settings.crm import CrmSettings
from worker.settings.crm_check import check_crm
from worker.settings.cross_check import doubled_ids, doubled_writers, known_names, named_lists, unset_fields
from worker.settings.known import Known
from worker.settings.partial_settings import PartialSettings
from worker.settings.playbook import Playbook
from worker.settings.playbook_check import check_playbook
from worker.settings.problems import ConfigError, Problem, Severity
from worker.settings.product import ProductSettings, check_product
from worker.settings.schedule import ScheduleSettings, check_schedule
from worker.settings.scores import ScoresSettings, check_scores
from worker.settings.signals import SignalsSettings
from worker.settings.signals_check import check_signals
from worker.settings.validation import Lists, place_findings, validate, without_echoes
from worker.settings.yaml_document import Document, load_document, read_document

CONFIG: Mapping[str, tuple[type[BaseModel], Callable[[Any, Known], Iterable[Finding]]]] = {
    "product": (ProductSettings, check_product),
    "signals": (SignalsSettings, check_signals),
    "scores": (ScoresSettings, check_scores),
    "crm": (CrmSettings, check_crm),
    "schedule": (ScheduleSettings, check_schedule),
    "alerts": (AlertSettings, check_alerts),
}
"""Each file of ``config/``: the model it must fit, and the check of the names it uses."""

OPTIONAL: Mapping[str, BaseModel] = {"alerts": NO_ALERTS}
"""Files that may be left out, and their settings then. They change nothing that is written to a CRM."""

NO_PLAYBOOKS = "there is no folder playbooks/, so no playbook runs; make an empty one if that is what you want"

_TEST_ENDING = ".test.yaml"
_YAML = ("yaml", "yml")


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """Everything a run needs to know from YAML.

    ``invalid`` are the problems of invalid playbook files. Of the files in ``last_good_files`` the last good version
    runs; the others are left out. ``config_version`` changes when the content of a file changes that decides what is
    written; comments and layout do not count. ``playbook_texts`` are the playbooks that run, as read, by file.
    """

    root: Path
    product: ProductSettings
    signals: SignalsSettings
    scores: ScoresSettings
    crm: CrmSettings
    schedule: ScheduleSettings
    alerts: AlertSettings
    playbooks: tuple[Playbook, ...]
    invalid: tuple[Problem, ...]
    warnings: tuple[Problem, ...]
    config_version: str
    last_good_files: tuple[str, ...] = ()
    playbook_texts: Mapping[str, str] = field(default_factory=dict)

    @property
    def left_out(self) -> bool:
        """Whether a playbook file is invalid and no earlier version of it runs."""
        return not {problem.file for problem in self.invalid} <= set(self.last_good_files)


@dataclass(frozen=True, slots=True)
class _Folder:
    """The names in one folder of a project, in order; none where the folder is missing or cannot be read."""

    name: str
    files: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()

    @property
    def unreadable(self) -> bool:
        """Whether the folder may hold files that nobody can read now."""
        return any(problem.severity == "error" for problem in self.problems)


@dataclass(slots=True)
class _Loaded:
    """One file while it is loaded: its document if it can be read, its settings while it is valid."""

    file: str
    model: type[BaseModel]
    document: Document | None = None
    settings: Any = None
    problems: tuple[Problem, ...] = ()

    def add(self, problems: Iterable[Problem]) -> None:
        """Add problems; an error makes the file invalid."""
        self.problems = without_echoes(self.problems, list(problems))
        if any(problem.severity == "error" for problem in self.problems):
            self.settings = None


def load_project(root: Path, last_good: Mapping[str, str] | None = None) -> Project:
    """The settings of a project folder. Raises `ConfigError` with all problems when a file of ``config/`` is invalid.

    ``last_good`` holds the text of playbook files as they last ran.
    """
    folders = {name: _open_folder(root, name) for name in ("config", "playbooks")}
    if folders["config"].problems:
        raise ConfigError(folders["config"].problems)
    config, playbooks = _load_files(root, {})
    everything = [
        *folders["playbooks"].problems,
        *_unread_files(root, folders.values()),
        *(problem for one in (*config.values(), *playbooks) for problem in one.problems),
    ]
    if any(one.settings is None for one in config.values()) or folders["playbooks"].unreadable:
        raise ConfigError(everything)
    invalid = [one for one in playbooks if one.settings is None]
    last_good_files = _last_good_files(root, invalid, last_good or {})
    running = [one for one in (last_good_files.get(one.file, one) for one in playbooks) if one.settings is not None]
    return Project(
        root=root,
        playbooks=tuple(one.settings for one in running),
        invalid=tuple(problem for one in invalid for problem in one.problems),
        warnings=tuple(sorted(problem for problem in everything if problem.severity == "warning")),
        config_version=_version([*(one for name, one in config.items() if name not in OPTIONAL), *running]),
        last_good_files=tuple(sorted(last_good_files)),
        playbook_texts={one.file: "\n".join(one.document.lines) for one in running if one.document},
        **{name: one.settings for name, one in config.items()},
    )


def _open_folder(root: Path, name: str) -> _Folder:
    path = root / name
    severity: Severity = "error"
    try:
        return _Folder(name, tuple(sorted(one.name for one in path.iterdir())))
    except FileNotFoundError:
        if path.is_symlink():
            message = "this link leads to a folder that is missing"
        elif name == "config":
            message = f'there is no folder config/ in {root}; "plgsync init" makes a project'
        else:
            message, severity = NO_PLAYBOOKS, "warning"
    except OSError as error:
        message = f"this folder cannot be read: {error.strerror or error}"
    return _Folder(name, problems=(Problem(name, 1, 1, message, severity),))


def _load_files(root: Path, texts: Mapping[str, str]) -> tuple[dict[str, _Loaded], list[_Loaded]]:
    """Every file, checked alone and with the others; ``texts`` replace the content of those files."""
    product = _load_config(root, "product", ProductSettings)
    lists = named_lists(product.document)
    others = {name: model for name, (model, _) in CONFIG.items() if name != "product"}
    config = {"product": product, **{name: _load_config(root, name, model, lists) for name, model in others.items()}}
    playbooks = [_load(root, file, Playbook, lists, texts.get(file)) for file in playbook_files(root)]
    _check_across(config, playbooks, lists)
    return config, playbooks


def _last_good_files(root: Path, invalid: Iterable[_Loaded], last_good: Mapping[str, str]) -> dict[str, _Loaded]:
    """The last good version of each invalid playbook, if it is valid with the files as they are now."""
    texts = {one.file: last_good[one.file] for one in invalid if one.file in last_good}
    if not texts:
        return {}
    config, playbooks = _load_files(root, texts)
    if any(one.settings is None for one in config.values()):
        return {}
    return {one.file: one for one in playbooks if one.file in texts and one.settings is not None}


def load_alerts(root: Path) -> AlertSettings:
    """The alert settings, even while other files are invalid; no alerts while this one is."""
    settings: AlertSettings | None = _load_config(root, "alerts", AlertSettings).settings
    return settings or NO_ALERTS


def read_playbooks(texts: Mapping[str, str], lists: Lists) -> list[Playbook]:
    """The playbooks of these texts by themselves, by file; those that are not valid are left out."""
    loaded = (_load(Path(), file, Playbook, lists, text) for file, text in texts.items())
    return [one.settings for one in loaded if one.settings is not None]


def playbook_files(root: Path) -> list[str]:
    """The playbooks of a project, ``playbooks/<name>.yaml``, in order; their tests are left out."""
    named = (name for name in _open_folder(root, "playbooks").files if name.endswith(".yaml"))
    return [f"playbooks/{name}" for name in named if not name.endswith(_TEST_ENDING) and not name.startswith(".#")]


def _load_config(root: Path, name: str, model: type[BaseModel], lists: Lists | None = None) -> _Loaded:
    file = f"config/{name}.yaml"
    if name in OPTIONAL and _left_out(root / file):
        return _Loaded(file, model, settings=OPTIONAL[name])
    return _load(root, file, model, lists)


def _left_out(path: Path) -> bool:
    """Whether there is neither a file nor a link; whatever cannot be looked at is not left out."""
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
    return False


def _load(root: Path, file: str, model: type[BaseModel], lists: Lists | None, text: str | None = None) -> _Loaded:
    try:
        document = load_document(root / file, file) if text is None else read_document(file, text.encode())
    except ConfigError as error:
        return _Loaded(file, model, problems=error.problems)
    settings, problems = validate(model, document, lists)
    return _Loaded(file, model, document, settings, problems)


def _check_across(config: Mapping[str, _Loaded], playbooks: list[_Loaded], lists: Lists) -> None:
    """Checks the names that one file uses of another, and what only one file may do."""
    documents = {name: one.document for name, one in config.items() if one.document is not None}
    known = known_names(documents, {name: one.settings for name, one in config.items()})
    for name, (_, check) in CONFIG.items():
        if known is not None:
            _check(config[name], check, known, lists)
    for one in playbooks:
        if known is not None:
            _check(one, check_playbook, known, lists)
    read = [one for one in playbooks if one.document is not None]
    with_documents = [one.document for one in read if one.document is not None]
    crm = documents.get("crm")
    for problem in [*doubled_ids(with_documents), *doubled_writers(with_documents, crm)]:
        next(one for one in read if one.file == problem.file).add([problem])
    if crm is not None and config["crm"].settings is not None:
        config["crm"].add(unset_fields(with_documents, crm))


def _check(loaded: _Loaded, check: Callable[[Any, Known], Iterable[Finding]], known: Known, lists: Lists) -> None:
    if loaded.document is None:
        return
    if loaded.settings is not None:
        loaded.add(place_findings(loaded.document, check(loaded.settings, known)))
        return
    partial = PartialSettings(loaded.document, lists)
    settings = partial.settings(loaded.model)
    if settings is not None:
        loaded.add(place_findings(loaded.document, partial.findings(check(settings, known))))


def _unread_files(root: Path, folders: Iterable[_Folder]) -> list[Problem]:
    """Files that look like settings and are not read."""
    unread = []
    for folder, name in ((one.name, file) for one in folders for file in [*one.files, *_below(root, one)]):
        stem, _, ending = name.rpartition(".")
        if "/" in name:
            message = f"this file is not read; move it into {folder}/ itself"
        elif ending != "yaml" and ending.lower() in _YAML:
            message = "this file is not read; its name must end in .yaml"
        elif folder == "config" and ending == "yaml" and stem not in CONFIG:
            message = f"this file is not read{suggestion(stem, CONFIG)}"
        else:
            continue
        unread.append(Problem(f"{folder}/{name}", 1, 1, message, "warning"))
    return unread


def _below(root: Path, folder: _Folder) -> Iterator[str]:
    """The YAML files in the folders of a folder."""
    for name in folder.files:
        with suppress(OSError):  # a file, or a folder that is not ours to read
            inside = sorted(one.name for one in (root / folder.name / name).iterdir())
            yield from (f"{name}/{file}" for file in inside if file.lower().endswith(_YAML))


def _version(files: Iterable[_Loaded]) -> str:
    content = {one.file: one.document.data for one in files if one.document is not None}
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()[:16]
