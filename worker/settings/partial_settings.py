"""The valid part of an invalid file, checked so that one mistake does not hide another in the same file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from worker.language.errors import LanguageError
from worker.settings.base import Finding, Loc
from worker.settings.validation import Lists, yaml_loc
from worker.settings.yaml_document import Document

Settings = TypeVar("Settings", bound=BaseModel)

_ATTEMPTS = 8


class PartialSettings:
    """A file's content without the parts that its model finds invalid, and the way from there back into the file."""

    def __init__(self, document: Document, lists: Lists | None = None) -> None:
        self.document, self._lists = document, lists
        self.data: Any = document.data
        self._cut: set[Loc] = set()
        self._as_text: dict[Loc, str] = {}
        self._kept: dict[Loc, list[int]] = {}

    def settings(self, model: type[Settings]) -> Settings | None:
        """The settings that remain without the invalid parts; None when nothing useful remains."""
        for _ in range(_ATTEMPTS):
            try:
                return model.model_validate(
                    self.data, context={"lists": self._lists or {}}, by_alias=True, by_name=False
                )
            except ValidationError as error:
                if not self._without(error.errors(include_url=False)):
                    return None
        return None

    def findings(self, findings: Iterable[Finding]) -> Iterator[Finding]:
        """The findings that are true for the whole file too, at their location in it.

        Those are the findings about a single text or a name; a finding about a block may only be true of what remains
        of it. A name that is unknown only because its own block was removed counts as known.
        """
        gone = {f'"{loc[-1]}"' for loc in self._cut}
        for finding in findings:
            loc = self._original(finding.loc)
            place = self.document.values.get(loc)
            single = finding.of_key or (place is not None and place.text is not None)
            if single and not any(name in finding.message for name in gone):
                yield Finding(loc, finding.message, finding.column, finding.severity, finding.of_key)

    def _without(self, details: list[ErrorDetails]) -> bool:
        """Remove the parts that these errors are about; False when that is the whole file."""
        for detail in details:
            for loc in self._invalid_parts(detail):
                text = self.document.written(loc) if detail["type"] == "string_type" else None
                if not loc:
                    return False
                if text and loc not in self._as_text:
                    self._as_text[loc] = text
                else:
                    self._cut.add(loc)
        self._kept = {}
        self.data = self._copy(self.document.data, ())
        return True

    def _invalid_parts(self, detail: ErrorDetails) -> list[Loc]:
        missing = detail["type"] == "missing"
        loc = yaml_loc(self.data, detail["loc"], missing=missing)[0]
        error = detail.get("ctx", {}).get("error")
        if isinstance(error, LanguageError):
            return [self._original(yaml_loc(self.data, (*loc, *one.loc))[0]) for one in error.problems]
        return [self._original(loc[:-1] if missing else loc)]

    def _copy(self, node: Any, loc: Loc) -> Any:
        if loc in self._as_text:
            return self._as_text[loc]
        if isinstance(node, dict):
            return {key: self._copy(inner, (*loc, key)) for key, inner in node.items() if (*loc, key) not in self._cut}
        if isinstance(node, list):
            kept = self._kept[loc] = [index for index in range(len(node)) if (*loc, index) not in self._cut]
            return [self._copy(node[index], (*loc, index)) for index in kept]
        return node

    def _original(self, loc: Loc) -> Loc:
        there: Loc = ()
        for part in loc:
            kept = self._kept.get(there)
            there = (*there, kept[part] if kept and isinstance(part, int) and part < len(kept) else part)
        return there
