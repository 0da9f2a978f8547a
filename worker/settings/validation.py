"""From a document to frozen settings; pydantic's errors in an admin's words, at their line and column."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import UnionType
from typing import Any, TypeAlias, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from worker.language.errors import LanguageError
from worker.language.suggest import suggestion
from worker.language.values import Value
from worker.settings.base import Finding, Loc, SecretInClear
from worker.settings.problems import Problem
from worker.settings.wording import Expected, message_of
from worker.settings.yaml_document import Document

Settings = TypeVar("Settings", bound=BaseModel)
Lists: TypeAlias = Mapping[str, Sequence[Value]]


def validate(
    model: type[Settings], document: Document, lists: Lists | None = None
) -> tuple[Settings | None, tuple[Problem, ...]]:
    """The settings in a document, or None, and every problem of it: traps first, then the errors of the model.

    ``lists`` are the named lists that its conditions may use.
    """
    problems: list[Problem] = []
    settings = None
    try:
        settings = model.model_validate(document.data, context={"lists": lists or {}}, by_alias=True, by_name=False)
    except ValidationError as error:
        details = error.errors(include_url=False, include_input=True)
        problems = list(_problems(model, document, details))
    else:
        problems = [
            document.problem(loc, f"expected a number, not {document.written(loc)}")
            for loc in _true_for_one(document.data, settings, ())
        ]
    kept = without_echoes(document.problems, problems)
    return (None if any(problem.severity == "error" for problem in kept) else settings), kept


def place_findings(document: Document, findings: Iterable[Finding]) -> list[Problem]:
    """The findings of a check, each at its line and column of the document."""
    return [
        document.problem(loc, finding.message, offset=finding.column, of_key=finding.of_key, severity=finding.severity)
        for finding in findings
        for loc in [yaml_loc(document.data, finding.loc)[0]]
    ]


def without_echoes(traps: tuple[Problem, ...], problems: list[Problem]) -> tuple[Problem, ...]:
    """Both, but only one kind per position: an error that a trap explains is left out."""
    explained = {(trap.line, trap.column) for trap in traps if trap.severity == "error"}
    kept = [problem for problem in problems if (problem.line, problem.column) not in explained]
    places = {(problem.line, problem.column) for problem in kept if problem.severity == "error"}
    shown = [trap for trap in traps if trap.severity == "error" or (trap.line, trap.column) not in places]
    return tuple(sorted({*shown, *kept}))


def _problems(model: type[BaseModel], document: Document, details: list[ErrorDetails]) -> Iterator[Problem]:
    unions: dict[Loc, dict[str, list[tuple[Loc, ErrorDetails]]]] = {}
    for detail in details:
        loc, form = yaml_loc(document.data, detail["loc"], missing=detail["type"] == "missing")
        if form is None:
            yield from _problem(model, document, loc, detail)
        else:
            unions.setdefault(form[0], {}).setdefault(form[1], []).append((loc, detail))
    for at, forms in unions.items():
        tried = [one for errors in forms.values() for one in errors]
        if len(forms) > 1:
            yield from _of_union(model, document, at, tried)
        else:  # only the form that was meant has errors
            for loc, detail in tried:
                yield from _problem(model, document, loc, detail)


def _of_union(
    model: type[BaseModel], document: Document, at: Loc, tried: list[tuple[Loc, ErrorDetails]]
) -> Iterator[Problem]:
    """Where several forms are allowed: the errors inside the form that was meant, else all forms in one message."""
    inside = [(loc, detail) for loc, detail in tried if len(loc) > len(at) or detail["type"] in _OF_BLOCKS]
    wording = [(detail, message_of(detail, document.written(at))) for _, detail in tried]
    if inside:
        for loc, detail in inside:
            yield from _problem(model, document, loc, detail)
    elif all(isinstance(words, Expected) for _, words in wording):
        forms = list(dict.fromkeys(words.form for _, words in wording if isinstance(words, Expected)))
        first = wording[0][1]
        found = first.found if isinstance(first, Expected) else ""
        yield document.problem(at, f"expected {' or '.join(forms)}{found}")
    else:
        for detail, words in wording:
            if not isinstance(words, Expected):
                yield from _problem(model, document, at, detail)


_OF_BLOCKS = {"missing", "extra_forbidden"}


def _problem(model: type[BaseModel], document: Document, loc: Loc, detail: ErrorDetails) -> Iterator[Problem]:
    error = detail.get("ctx", {}).get("error")
    if isinstance(error, LanguageError):
        for one in error.problems:
            at = yaml_loc(document.data, (*loc, *one.loc))[0]
            yield document.problem(at, one.message, offset=one.column)
    elif isinstance(error, SecretInClear):
        line, column = document.position(loc)
        yield Problem(document.file, line, column, f"{loc[-1]}: {error}" if loc else str(error))
    elif detail["type"] == "extra_forbidden":
        yield document.problem(loc, _unknown(model, loc), of_key=True)
    elif detail["type"].startswith("union_tag_"):
        key = str(detail["ctx"]["discriminator"]).strip("'")
        yield document.problem((*loc, key), str(message_of(detail, document.written((*loc, key)))))
    elif detail["type"] == "missing":
        yield document.problem(loc[:-1], f'"{loc[-1]}" is missing{_inside(loc[:-1])}', of_key=True)
    else:
        words = message_of(detail, document.written(loc))
        yield document.problem(loc, words.text if isinstance(words, Expected) else words, of_key=_key_of(detail))


def _key_of(detail: ErrorDetails) -> bool:
    return bool(detail["loc"]) and detail["loc"][-1] == "[key]"


def _unknown(model: type[BaseModel], loc: Loc) -> str:
    name, known = str(loc[-1]), sorted(_settings_at(model, loc[:-1]))
    known_words = f". Known: {', '.join(known)}" if 0 < len(known) <= 20 else ""
    return f'unknown setting "{name}"{_inside(loc[:-1])}{suggestion(name, known, known_words)}'


def _inside(loc: Loc) -> str:
    names = [part for part in loc if isinstance(part, str)]
    return f" in {names[-1]}" if names else ""


def yaml_loc(data: Any, loc: tuple[int | str, ...], *, missing: bool = False) -> tuple[Loc, tuple[Loc, str] | None]:
    """The path that exists in the file; where pydantic's path also names a form of a union, that place and form.

    With ``missing`` the last part names a key that is not there and is kept.
    """
    path: list[str | int] = []
    form: tuple[Loc, str] | None = None
    for index, part in enumerate(loc):
        if _has(data, part):
            data = data[part]
            path.append(part)
        elif missing and index == len(loc) - 1:
            path.append(part)
        elif part != "[key]" and form is None:
            form = (tuple(path), str(part))
    return tuple(path), form


def _true_for_one(data: Any, settings: Any, loc: Loc) -> Iterator[Loc]:
    """Where the file has true or false and pydantic made 1 or 0 of it."""
    if isinstance(data, bool):
        if isinstance(settings, int | float) and not isinstance(settings, bool):
            yield loc
    elif isinstance(data, dict) and isinstance(settings, BaseModel):
        for name, field in type(settings).model_fields.items():
            key = field.alias or name
            if key in data:
                yield from _true_for_one(data[key], getattr(settings, name), (*loc, key))
    elif isinstance(data, dict) and isinstance(settings, Mapping):
        for key in data.keys() & settings.keys():
            yield from _true_for_one(data[key], settings[key], (*loc, key))
    elif isinstance(data, list) and isinstance(settings, list | tuple):
        for index, (item, made) in enumerate(zip(data, settings, strict=False)):
            yield from _true_for_one(item, made, (*loc, index))


def _has(data: Any, part: str | int) -> bool:
    if isinstance(data, list):
        return isinstance(part, int) and 0 <= part < len(data)
    return isinstance(data, Mapping) and part in data


def _settings_at(model: type[BaseModel], loc: Loc) -> frozenset[str]:
    """The keys a block at ``loc`` may have, over every form it may take."""
    kinds: list[Any] = [model]
    for part in loc:
        kinds = [inner for kind in kinds for inner in _step(kind, part)]
    models = [kind for outer in kinds for kind in _alternatives(outer)]
    found = [kind for kind in models if isinstance(kind, type) and issubclass(kind, BaseModel)]
    return frozenset(field.alias or name for kind in found for name, field in kind.model_fields.items())


def _step(kind: Any, part: str | int) -> Iterator[Any]:
    for one in _alternatives(kind):
        if isinstance(one, type) and issubclass(one, BaseModel):
            for name, field in one.model_fields.items():
                if part == (field.alias or name):
                    yield field.annotation
        elif arguments := get_args(one):
            yield arguments[-1] if isinstance(part, str) else arguments[0]


def _alternatives(kind: Any) -> Iterator[Any]:
    """A type and, for unions and annotated types, the types it is made of."""
    arguments = get_args(kind)
    if hasattr(kind, "__metadata__"):
        yield from _alternatives(arguments[0])
    elif get_origin(kind) in {Union, UnionType}:
        for one in arguments:
            yield from _alternatives(one)
    else:
        yield kind
