"""``python -m tests.chaos.producer NAME SEED``: queues fields and tasks as runs do, until it is stopped.

Every producer of one seed queues the same task keys, and fields of the same records.
"""

from __future__ import annotations

import json
import sys
import time
from datetime import date
from random import Random

from sqlalchemy import Connection, select
from sqlalchemy.exc import DBAPIError

from connectors.base import CreateTask
from tests.chaos.wanted import rounds, want
from worker.delivery.outbox import NewFields, NewTask, queue_fields, queue_tasks
from worker.delivery.payload import to_payload
from worker.delivery.task_context import TaskContext
from worker.settings.environment import database_url, project_dir
from worker.store.engine import open_store, transact
from worker.store.upsert import upsert

OBJECTS = {"salesforce": "Account", "hubspot": "companies"}
TEXT_FIELDS = {"salesforce": "Onboarding_Next__c", "hubspot": "plgsync_onboarding_next"}
NUMBER_FIELDS = {"salesforce": "Health_Score__c", "hubspot": "plgsync_health_score"}
RECORDS_FILE = "records.json"
ENOUGH_FILE = "enough"
_CONTEXT = TaskContext(task_key="call", entry=1)
_PAUSE_S = 0.6


def new_task(destination: str, record_id: str, key: str) -> NewTask:
    """A task whose subject is its key, so that every copy of it is recognised, keyed or not."""
    create = CreateTask(
        key=key,
        record_id="",
        subject=key,
        body="Why now",
        due=date(2026, 7, 1),
        priority="high",
        owner_id=None,
        person_id=None,
    )
    return NewTask(
        destination=destination,
        kind="task_create",
        key=key,
        account_id=f"of-{record_id}",
        record_id=record_id,
        playbook_id="chaos",
        payload=to_payload(create),
        rank=0,
        context=_CONTEXT,
    )


def new_fields(destination: str, record_id: str, text: str, number: int) -> NewFields:
    """The newest values of one record."""
    values = {TEXT_FIELDS[destination]: text, NUMBER_FIELDS[destination]: number % 100}
    return NewFields(destination, f"of-{record_id}", record_id, OBJECTS[destination], values)


def queue_round(connection: Connection, records: dict[str, list[str]], producer: str, seed: str, number: int) -> None:
    """One round: a third of the records get new values and a few get a task, with what is wanted beside it."""
    mine, shared = Random(f"{seed}/{producer}/{number}"), Random(f"{seed}/{number}")
    fields, tasks = [], []
    for destination, ids in sorted(records.items()):
        chosen = sorted(mine.sample(ids, max(1, len(ids) // 3)))
        texts = {record_id: f"{producer}-{number}-{record_id}" for record_id in chosen}
        want(connection, destination, "field", texts)
        fields += [new_fields(destination, record_id, text, number) for record_id, text in texts.items()]
        keys = {f"{seed}-{number}-{record_id}": record_id for record_id in shared.sample(ids, min(4, len(ids)))}
        want(connection, destination, "task", keys)
        tasks += [new_task(destination, record_id, key) for key, record_id in keys.items()]
    queue_fields(connection, fields, f"{producer}-{number}")
    queue_tasks(connection, tasks, f"{producer}-{number}")


def main(producer: str, seed: str) -> None:
    """Queue round after round, going on after a kill where the database says; at least one."""
    project = project_dir()
    records = json.loads((project / RECORDS_FILE).read_text(encoding="utf-8"))
    engine = open_store(database_url(project))

    def one_round(connection: Connection) -> None:
        number = connection.execute(select(rounds.c.round).where(rounds.c.producer == producer)).scalar() or 0
        queue_round(connection, records, producer, seed, number)
        upsert(connection, rounds, [{"producer": producer, "round": number + 1}])

    enough = False
    while not enough:
        enough = (project / ENOUGH_FILE).exists()
        try:
            transact(engine, one_round)
        except DBAPIError as error:
            sys.stderr.write(f"{producer}: {error}\n")
            enough = False
        time.sleep(_PAUSE_S)


if __name__ == "__main__":
    main(*sys.argv[1:])
