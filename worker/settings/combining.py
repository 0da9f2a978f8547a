"""How the values of several accounts become the one value of a CRM field: ``record: parent`` in config/crm.yaml.

A field of a score need not say it: it takes the account that the score itself puts first, the worst health and
onboarding, the best PQL. Any other field must say it, because a sum, the top account's own value and the newest one are
all plausible, and a wrong guess would write a plausible wrong number.
"""

from __future__ import annotations

from collections.abc import Iterator

from worker.settings.base import Finding, Loc
from worker.settings.crm_fields import Combine, CrmField, FieldKind
from worker.settings.score_specs import spec_of

_EVERY_KIND: tuple[Combine, ...] = ("top", "any")
_OF_SCORES: tuple[Combine, ...] = ("worst", "best")
_OF_KIND: dict[FieldKind, tuple[Combine, ...]] = {
    "number": ("sum", "lowest", "highest"),
    "date": ("latest", "earliest"),
    "datetime": ("latest", "earliest"),
    "bool": ("all",),
}


def combine_of(entry: CrmField) -> Combine | None:
    """How the field is combined; None when it does not say, and no score says it for it."""
    spec = spec_of(entry.from_) if entry.from_ else None
    return entry.combine or (spec.comes_first if spec else None)


def possible(entry: CrmField) -> tuple[Combine, ...]:
    """The ways that fit the kind of the field, the most usual one first. Scores are not added up."""
    of_kind = _OF_KIND.get(entry.type, ())
    if entry.from_ and spec_of(entry.from_):
        return (*_OF_SCORES, *(one for one in of_kind if one != "sum"), *_EVERY_KIND)
    return (*of_kind, *_EVERY_KIND)


def combine_findings(ours: str, entry: CrmField, *, shared: bool, loc: Loc) -> Iterator[Finding]:
    """What is wrong with ``combine`` of one field; ``shared``: the accounts of a company share a record."""
    fits = possible(entry)
    if not shared:
        if entry.combine:
            yield Finding((*loc, "combine"), '"combine" goes with "record: parent" under account; here it does nothing')
    elif combine_of(entry) is None:
        more = f" (or {', '.join(fits[1:])})"
        message = (
            f'"{ours}" has one value per account of a company: say how they become one, "combine: {fits[0]}"{more}'
        )
        yield Finding(loc, message, of_key=True)
    elif entry.combine and entry.combine not in fits:
        yield Finding((*loc, "combine"), f'"{entry.combine}" {_why_not(entry)}; possible: {", ".join(fits)}')


def _why_not(entry: CrmField) -> str:
    if entry.combine in _OF_SCORES:
        return "is for the fields of scores, which know which value is better"
    if entry.combine == "sum" and entry.from_ and spec_of(entry.from_):
        return "of scores means nothing"
    kinds = " or ".join(kind for kind, ways in _OF_KIND.items() if entry.combine in ways)
    return f'is for "type: {kinds}", and this field is of type {entry.type}'
