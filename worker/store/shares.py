"""What each account of a company last wanted of the record that its accounts share (``record: parent``)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, bindparam, delete, func, select

from worker.language.values import Value, value_from_json, value_to_json
from worker.store.tables import record_shares
from worker.store.upsert import upsert


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """The share of one account in the record of its company, which is named by its top account.

    ``counts`` is False for a deleted or internal account. ``fields`` are the values of signals and scores that the
    record is made of, ``set_fields`` those that playbooks set.
    """

    company: str
    counts: bool = True
    fields: Mapping[str, Value] = field(default_factory=dict)
    set_fields: Mapping[str, Value] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The values as JSON."""
        groups = {"fields": self.fields, "set_fields": self.set_fields}
        return {name: {key: value_to_json(one) for key, one in group.items()} for name, group in groups.items()}


def load_shares(connection: Connection, destination: str) -> dict[str, Share]:
    """The last share of every account of a company, by account id."""
    query = select(record_shares).where(record_shares.c.destination == destination)
    return {
        row["account_id"]: Share(
            company=row["company"],
            counts=row["counts"],
            **{
                name: {key: value_from_json(one) for key, one in group.items()} for name, group in row["values"].items()
            },
        )
        for row in connection.execute(query).mappings()
    }


def count_shares(connection: Connection) -> list[tuple[str, int, int]]:
    """By CRM, how many companies have a record that accounts share, and how many accounts share them."""
    companies = func.count(record_shares.c.company.distinct())
    counted = select(record_shares.c.destination, companies, func.count()).group_by(record_shares.c.destination)
    return [(row[0], row[1], row[2]) for row in connection.execute(counted.order_by(record_shares.c.destination))]


def save_shares(
    connection: Connection, destination: str, before: Mapping[str, Share], after: Mapping[str, Share]
) -> None:
    """Store the shares that changed, and forget those of accounts that have none any more."""
    gone = [{"gone": account_id} for account_id in sorted(before.keys() - after.keys())]
    if gone:
        of_crm = record_shares.c.destination == destination
        connection.execute(delete(record_shares).where(of_crm, record_shares.c.account_id == bindparam("gone")), gone)
    rows = [
        {
            "destination": destination,
            "account_id": account_id,
            "company": share.company,
            "counts": share.counts,
            "values": share.to_json(),
        }
        for account_id, share in sorted(after.items())
        if before.get(account_id) != share
    ]
    upsert(connection, record_shares, rows)
