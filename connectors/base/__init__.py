"""The types and the protocol of connectors: operations in, one outcome per operation out. No I/O."""

from connectors.base.adoption import DeletedRecord, FieldWriters, OurTask
from connectors.base.budgets import Bucket, Budget, Permit, RateLimitStatus
from connectors.base.connector import Connector
from connectors.base.destinations import Destination, MatchField, Secret, TaskSettings
from connectors.base.errors import AccessDenied, CallFailed, QuotaExhausted, Unavailable, Underway
from connectors.base.facts import CrmFact, Cursor, DealFact, ReadBack, RecordFact, TaskFact, TaskStatus
from connectors.base.fields import FieldNeed, FieldSpec, FieldType, ObjectKind, Scalar, SetupStep
from connectors.base.health import Health, Usage
from connectors.base.journal import Journal
from connectors.base.operations import CloseTask, CreateRecord, CreateTask, Operation, UpdateFields, UpdateTask
from connectors.base.outcomes import ALREADY_CLOSED, ALREADY_THERE, LEFT_ALONE, Outcome, Status
from connectors.base.records import Match, MatchKey, MatchStatus, Owner, Person

__all__ = [
    "ALREADY_CLOSED",
    "ALREADY_THERE",
    "LEFT_ALONE",
    "AccessDenied",
    "Bucket",
    "Budget",
    "CallFailed",
    "CloseTask",
    "Connector",
    "CreateRecord",
    "CreateTask",
    "CrmFact",
    "Cursor",
    "DealFact",
    "DeletedRecord",
    "Destination",
    "FieldNeed",
    "FieldSpec",
    "FieldType",
    "FieldWriters",
    "Health",
    "Journal",
    "Match",
    "MatchField",
    "MatchKey",
    "MatchStatus",
    "ObjectKind",
    "Operation",
    "OurTask",
    "Outcome",
    "Owner",
    "Permit",
    "Person",
    "QuotaExhausted",
    "RateLimitStatus",
    "ReadBack",
    "RecordFact",
    "Scalar",
    "Secret",
    "SetupStep",
    "Status",
    "TaskFact",
    "TaskSettings",
    "TaskStatus",
    "Unavailable",
    "Underway",
    "UpdateFields",
    "UpdateTask",
    "Usage",
]
