"""The bad days of the contract suite, in the words of the sandbox portal's ``/__sim/faults``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.contract.connectors.harness import Fault

MATCH_FIELD = "plgsync_account_id"
KEY_FIELD = "plgsync_key"
RECORD_WRITES = r"/batch/(create|update|upsert)"
READS = r"batch/read|/search|/properties/|/owners|/details|archived="

FAULTS: Mapping[Fault, dict[str, Any]] = {
    "answer_lost": {"kind": "drop_after", "match": {"path_regex": RECORD_WRITES}},
    "answer_lost_midway": {"kind": "partial_apply", "args": {"drop": True}, "match": {"path_regex": RECORD_WRITES}},
    "connection_lost": {"kind": "drop_before", "match": {"path_regex": RECORD_WRITES}},
    "unavailable": {"kind": "status", "args": {"status": 503}, "match": {"path_regex": RECORD_WRITES}},
    "unavailable_reads": {"kind": "status", "args": {"status": 503}, "match": {"path_regex": READS}, "times": None},
    "own_key_race": {
        "kind": "own_key_race",
        "args": {"property": KEY_FIELD},
        "match": {"path_regex": r"tasks/batch/upsert"},
    },
    "own_record_race": {
        "kind": "own_key_race",
        "args": {"property": MATCH_FIELD},
        "match": {"path_regex": r"companies/batch/upsert"},
    },
    "row_locked": {"kind": "lock", "args": {"seconds": 2}, "match": {"path_regex": RECORD_WRITES}},
    "garbled_answer": {"kind": "truncate", "args": {"bytes": 40}, "match": {"path_regex": RECORD_WRITES}},
}
