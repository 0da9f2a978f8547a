"""One account at an earlier moment: what was published then, and where it was in each playbook."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from worker.rules.enrollment import Enrollment
from worker.rules.past import KnownPast, PastEvent, PastState, state_then
from worker.settings.schedule import Retention
from worker.store import past as store
from worker.store.engine import database_moment
from worker.store.moments import iso


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """What the state database holds of an earlier moment.

    ``run`` is the newest run of then, ``config_version`` that of its settings. ``published`` are the scores by field,
    published on ``day``; empty where none are known, and ``remark`` says why. ``tasks`` are, by playbook, the keys of
    the tasks that its entry of then had made in a CRM.
    """

    run: str | None
    config_version: str
    day: str
    published: Mapping[str, float | str | None]
    remark: str
    playbooks: Mapping[str, PastState]
    tasks: Mapping[str, tuple[str, ...]]

    def to_json(self) -> dict[str, Any]:
        """The past as JSON, moments as ISO texts."""
        states = [asdict(state) for state in self.playbooks.values()]
        for state in states:
            state["events"] = [{**event, "as_of": event["as_of"].isoformat()} for event in state["events"]]
            state["tasks"] = list(self.tasks.get(state["playbook_id"], ()))
        return {
            "run": self.run,
            "config_version": self.config_version,
            "published_on": self.day,
            "published": dict(self.published),
            "remark": self.remark,
            "playbooks": states,
        }


def read_past(
    connection: Connection,
    account_id: str,
    enrollments: Mapping[str, Enrollment],
    retention: Retention,
    as_of: datetime,
) -> Past:
    """The past of an account. ``enrollments`` are those of the last run, by playbook."""
    moment = iso(as_of)
    run, first = store.run_at(connection, moment), store.first_run(connection)
    day = run.as_of[:10] if run else moment[:10]
    began = first is not None and first <= moment
    scores = store.published_scores(connection, account_id, day) if began else None
    if scores:
        later = store.next_run_of_day(connection, moment, scores.day)
        remark = f"of the last run of that day, as of {later}" if later else ""
    else:
        remark = _why_nothing(connection, first, day, began=began)
    states = _states(connection, account_id, enrollments, retention, as_of)
    return Past(
        run=run.as_of if run else None,
        config_version=scores.config_version if scores else "",
        day=scores.day if scores else "",
        published=scores.values if scores else {},
        remark=remark,
        playbooks=states,
        tasks={
            playbook_id: tuple(store.task_keys(connection, account_id, playbook_id, state.entry, moment[:10]))
            for playbook_id, state in states.items()
            if state.entry
        },
    )


def _why_nothing(connection: Connection, first: str | None, day: str, *, began: bool) -> str:
    if not began:
        return f"nothing had been published: the first run was as of {first}"
    kept = store.first_scored_day(connection)
    if kept is None or day < kept:
        return f"not known any more: scores before {kept or 'today'} are not kept"
    return "nothing had been published of this account"


def _states(
    connection: Connection,
    account_id: str,
    enrollments: Mapping[str, Enrollment],
    retention: Retention,
    as_of: datetime,
) -> dict[str, PastState]:
    decided: dict[str, list[PastEvent]] = defaultdict(list)
    for playbook_id, moment, event, because in store.decisions_on(connection, account_id):
        decided[playbook_id].append(PastEvent(datetime.fromisoformat(moment), event, because))
    kept = retention.decisions.span
    since = store.decisions_known_since(connection, (database_moment(connection) - kept).timestamp())
    states = {}
    for playbook_id in sorted(decided.keys() | enrollments.keys()):
        live = store.live_runs(connection, playbook_id).items()
        known = KnownPast(
            since=datetime.fromisoformat(since) if since else None,
            live={datetime.fromisoformat(run): was_live for run, was_live in live},
        )
        enrollment = enrollments.get(playbook_id, Enrollment())
        states[playbook_id] = state_then(playbook_id, enrollment, decided[playbook_id], as_of, known)
    return states
