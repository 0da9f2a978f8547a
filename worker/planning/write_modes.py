"""May we write this CRM field now? ``write: always | if_empty | if_ours`` of config/crm.yaml, one field at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from connectors.base import Scalar
from worker.settings.crm_fields import WriteMode

Verdict = Literal["write", "settled", "kept"]
"""``settled``: nothing to do. ``kept``: a person changed the field, and it is left alone though we want otherwise."""


@dataclass(frozen=True, slots=True)
class KnownRecord:
    """What we know of one record: what the CRM shows, what we wrote last, and the values sent without an answer.

    ``late`` are older ones of those: a CRM may apply a request long after it was given up, and after newer values.
    """

    shown: Mapping[str, Scalar] = field(default_factory=dict)
    written: Mapping[str, Scalar] = field(default_factory=dict)
    attempted: Mapping[str, Sequence[Scalar]] = field(default_factory=dict)
    late: Mapping[str, Sequence[Scalar]] = field(default_factory=dict)

    def is_ours(self, name: str) -> bool:
        """Whether nobody but us has put there what the field shows; an empty field nobody wrote is free to take."""
        shown = self.shown.get(name)
        if shown in (*self.attempted.get(name, ()), *self.late.get(name, ())):
            return True
        return shown == self.written[name] if name in self.written else shown is None


def judge(mode: WriteMode, name: str, wanted: Scalar, record: KnownRecord) -> tuple[Verdict, Scalar]:
    """Whether to write a field, and the value."""
    shown, unsure = record.shown.get(name), name in record.attempted
    if shown == wanted and not unsure:
        return "settled", wanted
    if mode == "always":
        return "write", wanted
    if mode == "if_empty":
        return ("write", wanted) if shown is None and wanted is not None else ("settled", shown)
    if record.is_ours(name):
        return "write", wanted
    return ("settled" if shown == wanted else "kept"), shown
