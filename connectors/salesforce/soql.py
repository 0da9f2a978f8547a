"""Queries as text: quoted values, and no query longer than a request allows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from urllib.parse import quote

from simple_salesforce.format import format_soql

URI_LIMIT = 15_000
"""Bytes of an encoded query: URI and headers together may have 16,384.

https://developer.salesforce.com/docs/atlas.en-us.salesforce_app_limits_cheatsheet.meta/salesforce_app_limits_cheatsheet/salesforce_app_limits_platform_api.htm
"""


def select(columns: Iterable[str], object: str, *clauses: str) -> str:
    """A query of these columns, each once. Values inside the clauses have been through `format_soql`."""
    return " ".join(("SELECT", ", ".join(dict.fromkeys(columns)), "FROM", object, *clauses))


def in_chunks(start: str, values: Iterable[str], end: str = "") -> list[str]:
    """``start``, a quoted list of the values, ``end``; as many queries as the length requires, none for no values."""
    quoted = [format_soql("{}", value) for value in dict.fromkeys(values)]
    return [f"{start}({','.join(some)}){end}" for some in sized(quoted, len(quote(start + end)) + 2, len(quote(",")))]


def sized(parts: Sequence[str], overhead: int, between: int, most: int = 10_000) -> list[list[str]]:
    """The parts in groups that fit into one query, with ``between`` bytes after each and ``overhead`` once."""
    chunks: list[list[str]] = []
    size = URI_LIMIT
    for part in parts:
        length = len(quote(part, safe="")) + between
        if size + length > URI_LIMIT or len(chunks[-1]) >= most:
            chunks.append([])
            size = overhead
        chunks[-1].append(part)
        size += length
    return chunks
