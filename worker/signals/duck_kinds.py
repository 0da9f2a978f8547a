"""What DuckDB's types hold."""

from __future__ import annotations

from worker.signals.constructs import Kind


def duck_kind(name: str) -> Kind:
    """The kind of a column of the type that DuckDB calls ``name``."""
    if name.endswith("]"):
        return "list"
    if name.startswith(("STRUCT", "MAP", "UNION", "VARIANT")):
        return "struct"
    if name.startswith("TIMESTAMP"):
        return "time" if "TIME ZONE" in name else "naive"
    if name in {"DOUBLE", "FLOAT"}:
        return "float"
    if name.endswith("INT") or name in {"INTEGER", "UINTEGER", "BIGNUM"} or name.startswith("DECIMAL"):
        return "number"
    named: dict[str, Kind] = {"VARCHAR": "text", "UUID": "text", "BOOLEAN": "flag", "JSON": "json"}
    named |= {"DATE": "date", "BLOB": "bytes"}
    return "text" if name.startswith("ENUM") or name == '"NULL"' else named.get(name, "other")
