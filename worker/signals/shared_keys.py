"""Keys that rows about different things share: counted within each account, or the id of a batch, and so no keys."""

from __future__ import annotations

import sqlalchemy as sa

from worker.settings.product_schema import SCHEMA
from worker.signals.constructs import Column
from worker.signals.engines import Engine
from worker.signals.mapped_table import MappedTable
from worker.signals.repeats import repeated_ids, written_key


def count_shared(engine: Engine, table: MappedTable, repeats: int) -> int:
    """How many rows have the id of a row of another account, or of an event with another name. Raises SourceError.

    ``repeats`` rows have the whole key of another; where there are none, an id that is the whole key is of one row.
    """
    key_columns = SCHEMA[table.name].key
    if not repeats and len(key_columns) == 1:
        return 0
    if not key_columns or "account_id" in key_columns or not (table.has(key_columns[0]) and table.has("account_id")):
        return 0
    name = key_columns[0]
    key = written_key(table, name)
    repeated = repeated_ids(table, name, key)
    about: list[Column] = [table.id("account_id"), *([table.text("name")] if table.name == "events" else [])]
    joined = table.rows.join(repeated, repeated.c.s_key == key)
    differ = sa.or_(*(sa.func.min(one) != sa.func.max(one) for one in about))
    many = sa.func.count().label("s_n")
    shared = sa.select(many).select_from(joined).group_by(repeated.c.s_key).having(differ).subquery("s_shared")
    return int(engine.run(sa.select(sa.func.sum(shared.c.s_n)))[0][0] or 0)
