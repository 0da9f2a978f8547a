"""Field history: a row for every change of a field that an admin tracks (option ``tracked_fields``).

Rows have the user who saved the change. A new record has one row, ``created``, and none for its first values. The rows
of long texts have no values. The history objects of standard objects always exist; their rows start with tracking.
https://developer.salesforce.com/docs/atlas.en-us.securityImplGuide.meta/securityImplGuide/tracking_field_history.htm
"""

from __future__ import annotations

from typing import Any

from connectors.sandbox.salesforce.org import Org
from connectors.sandbox.salesforce.schema import Field, ObjectType
from connectors.sandbox.salesforce.table import Journal, Record

_LONGEST = 255
_NEW = "created"


def record_history(org: Org, kind: ObjectType, before: Record | None, record: Record, journal: Journal) -> None:
    """Add the history rows of a saved record."""
    tracked = org.options.tracked_fields.get(kind.name)
    if not tracked:
        return
    if before is None:
        _add(org, kind, record, journal, _NEW, None, None)
        return
    for name in tracked:
        old, new = before.get(name), record.get(name)
        if old != new:
            _add(org, kind, record, journal, name, *(_recorded(kind.fields[name], value) for value in (old, new)))


def _add(org: Org, kind: ObjectType, record: Record, journal: Journal, name: str, old: Any, new: Any) -> None:
    history = org.catalogue.types[f"{kind.name}History"]
    row_id = org.new_id(history.prefix)
    row: Record = {
        "Id": row_id,
        "IsDeleted": False,
        f"{kind.name}Id": record["Id"],
        "CreatedById": record["LastModifiedById"],
        "CreatedDate": record["LastModifiedDate"],
        "SystemModstamp": record["SystemModstamp"],
        "Field": name,
        "OldValue": old,
        "NewValue": new,
    }
    journal.put(org.tables[history.name], row_id, row)


def _recorded(changed: Field, value: Any) -> Any:
    return None if changed.length > _LONGEST or changed.type == "multipicklist" else value
