"""Faults that only Salesforce has, and their effect on single records of a write."""

from __future__ import annotations

from typing import Any

from connectors.sandbox.core.exchange import Exchange
from connectors.sandbox.core.faults import Fault
from connectors.sandbox.salesforce.errors import RequestRejected
from connectors.sandbox.salesforce.schema import ObjectType
from connectors.sandbox.salesforce.table import Record

_RECORD_KINDS = frozenset({"lock", "record_error", "wrap_lock_in_trigger", "partial_then_drop", "dup_race"})
FAULT_KINDS = _RECORD_KINDS | {"session_expire", "quota_exhausted", "concurrent_limit"}
_NO_FAULT = Fault(id=0, kind="none", args={})


class RecordFaults:
    """The effect of a fault, or of another request's locks, on the records of one request.

    | kind | args | effect |
    |---|---|---|
    | ``lock`` | ids or percent (100) | these records answer UNABLE_TO_LOCK_ROW |
    | ``wrap_lock_in_trigger`` | the same | the same, wrapped as a trigger's CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY |
    | ``record_error`` | index, indexes or percent; code, message, fields | these records are rejected with this error |
    | ``partial_then_drop`` | k | the first k records are applied, then the connection closes |
    | ``dup_race`` | | another client creates a record with the same unique values just before the first create |
    """

    def __init__(self, fault: Fault | None, exchange: Exchange, busy: frozenset[str]) -> None:
        self._fault = fault or _NO_FAULT
        self._exchange = exchange
        self._busy = busy
        self._index = -1
        self._raced = False

    def on_records(self) -> RecordFaults | None:
        """The faults for a job that applies its records later, without a connection to close."""
        return self if self._fault.kind in _RECORD_KINDS - {"partial_then_drop"} else None

    def next_record(self) -> None:
        """Start the next record of the request. Raises `core.exchange.ConnectionDropped` or `RequestRejected`."""
        self._index += 1
        args = self._fault.args
        if self._fault.kind == "partial_then_drop" and self._index >= int(args.get("k", 1)):
            raise self._exchange.drop()
        if self._fault.kind == "record_error" and self._is_selected():
            fields = tuple(args.get("fields", ()))
            raise RequestRejected(
                args.get("code", "UNKNOWN_EXCEPTION"), args.get("message", "An unexpected error"), fields
            )

    def before_save(self, record: Record) -> None:
        """Lock a record and its parent before it is saved. Raises `RequestRejected`."""
        record_id = record["Id"]
        held = (record_id, record.get("WhatId"), record.get("AccountId"))
        if self._busy.isdisjoint(held) and not self._is_locked(record_id):
            return
        words = f"unable to obtain exclusive access to this record or 1 records: {record_id}"
        if self._fault.kind != "wrap_lock_in_trigger":
            raise RequestRejected("UNABLE_TO_LOCK_ROW", words)
        message = (
            "SyncTrigger: execution of AfterUpdate caused by: System.DmlException: Update failed. First exception on "
            f"row 0 with id {record_id}; first error: UNABLE_TO_LOCK_ROW, {words}: []"
        )
        raise RequestRejected("CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", message)

    def loses_race(self, kind: ObjectType, record: Record) -> bool:
        """Whether another client creates this record a moment earlier: once, for a record with a unique value."""
        if self._fault.kind != "dup_race" or self._raced:
            return False
        self._raced = any(field.unique and record.get(field.name) is not None for field in kind.fields.values())
        return self._raced

    def _is_locked(self, record_id: str) -> bool:
        if self._fault.kind not in ("lock", "wrap_lock_in_trigger"):
            return False
        ids = self._fault.args.get("ids")
        return record_id in ids if ids else self._by_chance()

    def _is_selected(self) -> bool:
        args: dict[str, Any] = dict(self._fault.args)
        if "index" in args or "indexes" in args:
            return self._index in (args.get("indexes") or [args.get("index")])
        return self._by_chance()

    def _by_chance(self) -> bool:
        return self._fault.rng.random() * 100 < float(self._fault.args.get("percent", 100))


def record_faults_of(exchange: Exchange, busy: frozenset[str]) -> RecordFaults | None:
    """The faults for the records of this request: an armed one, or ids (``busy``) that another request locks."""
    fault = exchange.fault
    if fault is not None and fault.kind not in _RECORD_KINDS:
        fault = None
    return RecordFaults(fault, exchange, busy) if fault or busy else None
