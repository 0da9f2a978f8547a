"""config/schedule.yaml: when what runs, which days are no working days, and how old data may be."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import takewhile
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError
from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema, model_validator

from worker.language.units import Duration
from worker.settings.base import DurationText, Finding, Strict
from worker.settings.known import Known
from worker.settings.product_columns import ZoneText

Job = Literal["run", "deliver", "read_back", "prune"]

_ANY_MOMENT = datetime(2026, 1, 1, tzinfo=UTC)
_CRON_PARTS = 5
_DAY = timedelta(days=1)
_LOOK_BACK = tuple(timedelta(hours=hours) for hours in (1, 25, 24 * 32, 24 * 366, 24 * 366 * 30))


def _cron(text: str) -> str:
    if len(text.split()) != _CRON_PARTS:
        raise ValueError(
            'expected five parts: minute hour day month weekday, such as "0 5 * * *" for every day at 5:00'
        )
    try:
        next(CronSim(text, _ANY_MOMENT))
    except CronSimError as error:
        raise ValueError(f'"{text}" is not a cron time: {str(error).lower()}') from None
    except StopIteration:
        raise ValueError(f'"{text}" never happens') from None
    return " ".join(text.split())


def _written_date(value: Any) -> Any:
    if isinstance(value, bool | int | float):
        raise ValueError("expected a date (YYYY-MM-DD)")  # pydantic would count seconds since 1970
    return value


CronText = Annotated[str, AfterValidator(_cron), WithJsonSchema({"type": "string", "examples": ["0 5 * * *"]})]
Day = Annotated[date, BeforeValidator(_written_date)]
_LEAST_KEPT = timedelta(days=7)


def _kept(duration: Duration) -> Duration:
    if duration.kind not in {"hours", "days"} or duration.span < _LEAST_KEPT:
        raise ValueError("what is kept counts days or weeks and is at least 7d: answers may come late")
    return duration


KeptText = Annotated[DurationText, AfterValidator(_kept)]


class Calendar(Strict):
    """Business days are Monday to Friday, without the holidays."""

    zone: ZoneText = "UTC"
    """The zone in which days begin and end for an account without ``tz``, and for a person whose CRM names no zone."""
    holidays: tuple[Day, ...] = ()
    """Days that are no business days."""


class Retention(Strict):
    """How long the state database keeps what it no longer needs. What keeps a task from being made twice stays."""

    ledger: KeptText = Duration("days", 400)
    """Every write that was sent, with its reasons and the CRM's answer: what ``plgsync history`` shows."""
    decisions: KeptText = Duration("days", 400)
    """What the playbooks decided on each account."""
    history: KeptText = Duration("days", 400)
    """The scores of each day."""
    runs: KeptText = Duration("days", 400)
    """When each run was, how much product data it read, and what each playbook counted.

    A run stays while its decisions stay.
    """
    outbox: KeptText = Duration("days", 30)
    """Writes that are finished. Those that wait, or that a CRM rejected, stay until they are finished."""
    calls: KeptText = Duration("days", 40)
    """How many calls were made to each CRM, by quarter of an hour."""
    alerts: KeptText = Duration("days", 90)
    """Alerts that are over, and their messages."""


class Schedule(Strict):
    """A job and when it starts."""

    job: Job
    """``run`` computes and plans, ``deliver`` sends what waits, ``read_back`` asks the CRMs what people changed,
    ``prune`` removes from the state database what is older than ``retention`` allows."""
    cron: CronText
    """When it starts: minute, hour, day, month, weekday."""
    zone: ZoneText = "UTC"
    """The time zone of ``cron``."""
    enabled: bool = True
    """``false``: never starts."""

    def latest_slot(self, as_of: datetime) -> datetime | None:
        """The last moment up to and including ``as_of`` at which this was due, in UTC; None in 30 years.

        A slot that the change to summer time skips moves to the first minute that exists; none happens twice.
        """
        for back in _LOOK_BACK:
            due = deque(takewhile(lambda slot: slot <= as_of, self._slots(as_of - back)), maxlen=1)
            if due:
                return due[0]
        return None

    def interval(self, as_of: datetime) -> timedelta | None:
        """The time between the last two moments up to ``as_of`` at which this was due."""
        latest = self.latest_slot(as_of)
        before = self.latest_slot(latest - timedelta(seconds=1)) if latest else None
        return latest - before if latest and before else None

    def next_slot(self, after: datetime) -> datetime:
        """The first moment after ``after`` at which this is due, in UTC."""
        return next(slot for slot in self._slots(after) if slot > after)

    def _slots(self, after: datetime) -> Iterator[datetime]:
        # Only forwards: backwards, cronsim moves a skipped slot elsewhere.
        return (slot.astimezone(UTC) for slot in CronSim(self.cron, after.astimezone(ZoneInfo(self.zone))))


class ScheduleSettings(Strict):
    """The whole of config/schedule.yaml."""

    version: Literal[1]
    calendar: Calendar = Calendar()
    stale_after: DurationText | None = None
    """Product data whose newest event is older than this stops a run: nothing is scored from old data.

    Left out: twice the time between two runs, and no less than a day.
    """
    retention: Retention = Retention()
    """How long the state database keeps what it no longer needs; the job ``prune`` removes the rest."""
    schedules: dict[str, Schedule] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _stale_after_is_a_time(self) -> ScheduleSettings:
        wanted = self.stale_after
        if wanted is not None and (wanted.kind not in {"hours", "days"} or wanted.n < 1):
            raise ValueError("stale_after counts hours or days, such as 48h")
        return self

    def max_age(self, as_of: datetime) -> timedelta:
        """How old the newest event may be at ``as_of``."""
        if self.stale_after is not None:
            return self.stale_after.span
        runs = [one for one in self.schedules.values() if one.enabled and one.job == "run"]
        between = [interval for one in runs if (interval := one.interval(as_of)) is not None]
        return max(2 * min(between, default=_DAY), _DAY)


def check_schedule(settings: ScheduleSettings, known: Known) -> Iterable[Finding]:  # noqa: ARG001 - one shape for all checks
    """What would keep a schedule from doing its work."""
    jobs = {schedule.job for schedule in settings.schedules.values() if schedule.enabled}
    if "run" in jobs and "deliver" not in jobs:
        yield Finding(("schedules",), "no schedule with job: deliver, so nothing is ever sent", severity="warning")
    if jobs and "prune" not in jobs:
        line = 'prune: {job: prune, cron: "30 3 * * *"}'
        message = f'no schedule runs the job prune: the state database grows for ever; add {line} to "schedules"'
        yield Finding(("schedules",), message, severity="warning")
