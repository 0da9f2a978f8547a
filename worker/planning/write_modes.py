"""Whether a run may write a CRM field: ``write: always | if_empty | if_ours`` of config/crm.yaml, field by field."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from connectors.base import Scalar
from worker.settings.crm_fields import WriteMode

Choice = Literal["write", "unchanged", "human_owned"]
"""``unchanged``: nothing to write. ``human_owned``: a person changed the field, so it is left alone."""


@dataclass(frozen=True, slots=True)
class KnownRecord:
    """What is known of one record: what the CRM shows, what we wrote last, and the values sent without an answer.

    ``unanswered`` are older values sent without an answer: a CRM may apply a request long after it timed out, and
    after newer values. ``sent_meanwhile`` are those that a delivery sent while the CRM was read.
    """

    shown: Mapping[str, Scalar] = field(default_factory=dict)
    written: Mapping[str, Scalar] = field(default_factory=dict)
    attempted: Mapping[str, Sequence[Scalar]] = field(default_factory=dict)
    unanswered: Mapping[str, Sequence[Scalar]] = field(default_factory=dict)
    sent_meanwhile: Mapping[str, Sequence[Scalar]] = field(default_factory=dict)

    def is_ours(self, name: str) -> bool:
        """Whether we wrote the value that the field shows; an empty field that nobody wrote counts as ours."""
        shown = self.shown.get(name)
        if any(shown in sent.get(name, ()) for sent in (self.attempted, self.unanswered, self.sent_meanwhile)):
            return True
        return shown == self.written[name] if name in self.written else shown is None


def choose(mode: WriteMode, name: str, wanted: Scalar, record: KnownRecord) -> tuple[Choice, Scalar]:
    """What a run does with one field, and the value that it has afterwards."""
    shown, unsure = record.shown.get(name), name in record.attempted
    if shown == wanted and not unsure:
        return "unchanged", wanted
    if mode == "always":
        return "write", wanted
    if mode == "if_empty":
        return ("write", wanted) if shown is None and wanted is not None else ("unchanged", shown)
    if record.is_ours(name):
        return "write", wanted
    return ("unchanged" if shown == wanted else "human_owned"), shown
