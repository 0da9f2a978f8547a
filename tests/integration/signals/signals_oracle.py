"""The signals of one account worked out row by row in plain Python: what the SQL must answer."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

Row = Mapping[str, Any]
Tables = Mapping[str, Sequence[Row]]

_JSON_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]{1,2})?")
_TIME = {"events": "occurred_at", "surveys": "responded_at", "tickets": "opened_at", "memberships": "added_at"}
_TIME |= {"subscriptions": "term_start", "invoices": "due_at", "invites": "sent_at"}
_BEGINS = {"memberships": ["added_at"], "tickets": ["opened_at"]}
_ENDS = {"memberships": ["removed_at"], "tickets": ["closed_at"]}
_CURRENT = {"memberships", "subscriptions"}
_REQUIRED = {"occurred_at", "responded_at", "opened_at", "due_at", "sent_at"}
_EARLY = datetime(1995, 1, 1, tzinfo=UTC)
_NOTHING = {"", "null", "none", "nan", "undefined", "-"}


def expected(
    tables: Tables, signals: Mapping[str, Mapping[str, Any]], as_of: datetime, zone: ZoneInfo
) -> dict[str, dict[str, Any]]:
    """Account id → every signal, by the definitions of ``signals`` (YAML shaped)."""
    tables = {**tables, "memberships": list(_members(tables))}
    accounts = [
        row["account_id"]
        for row in tables["accounts"]
        if row["account_id"] is not None and (row["created_at"] is None or row["created_at"] < as_of)
    ]
    return {
        account: {name: _signal(tables, signal, account, as_of, zone) for name, signal in signals.items()}
        for account in accounts
    }


def _members(tables: Tables) -> Iterator[Row]:
    """Nobody of our own people is a member, and nobody beyond the moment the person is deleted."""
    people = {user["user_id"]: user for user in tables["users"] if user["user_id"] is not None}
    for row in tables["memberships"]:
        user = people.get(row["user_id"], {})
        ends = [end for end in (row["removed_at"], user.get("deleted_at")) if end is not None]
        if not user.get("is_internal"):
            yield {**row, "removed_at": min(ends, default=None)}


def _signal(tables: Tables, signal: Mapping[str, Any], account: str, as_of: datetime, zone: ZoneInfo) -> Any:
    table = signal["from"]
    rows = [row for row in tables[table] if row["account_id"] == account]
    if any(_might_count(row, table, tables, signal, as_of, zone) for row in rows):
        return None
    members = [row for row in tables["memberships"] if row["account_id"] == account]
    if signal["measure"] in {"roles", "top_user"} and any(row["user_id"] is None for row in members):
        return None
    if table == "events":
        rows = [row for row in rows if _arrived(row, tables, as_of)]
    if table == "subscriptions":
        rows = list(then(rows, as_of))
    rows = [row for row in rows if _counts(row, table, signal, as_of, zone)]
    if table == "events" and signal["measure"] in {"users", "user_days", "roles", "top_user", "top_user_share"}:
        rows = [row for row in rows if not _of_the_deleted(row, tables, as_of)]
    value = _measured(rows, tables, signal, account, as_of, zone)
    if "as" in signal:
        value = _days(value, signal["as"], as_of)
    return signal.get("when_none") if value is None and not (signal["measure"] == "top" and rows) else value


def _might_count(
    row: Row, table: str, tables: Tables, signal: Mapping[str, Any], as_of: datetime, zone: ZoneInfo
) -> bool:
    """Whether a cell that is missing or no number keeps a row from counting that might count without this fault."""
    unsure = table == "memberships" and signal["measure"] == "users" and row["user_id"] is None
    mended = dict(row)
    if table == "events":
        if _of_own_people(row, tables) or (row["received_at"] is not None and row["received_at"] > as_of):
            return False
        if "events" in signal and row["name"] is None:
            unsure, mended["name"] = True, signal["events"][0]
    column = signal.get("at", _TIME[table])
    timed = "window" in signal or table not in _BEGINS or signal["measure"] in {"first", "last", "latest"}
    if column in _REQUIRED and row[column] is None and (timed or signal.get("current") is not None):
        unsure, mended[column] = True, _EARLY
        if "window" in signal:
            mended[column] = _window(signal, as_of, zone)[1] - timedelta(microseconds=1)
    tests = dict(signal.get("where", {}))
    for name, test in signal.get("where", {}).items():
        by_size = isinstance(test, Mapping) and not {"known", "is_not"} & test.keys()
        flag = isinstance(test, bool) and name.startswith("props.")
        if (by_size and _no_number(_value(row, name))) or (flag and _no_flag(_value(row, name))):
            unsure = True
            del tests[name]
    if signal["measure"] in {"sum", "average", "lowest", "highest"}:
        unsure = unsure or _no_number(_value(row, signal["column"]))
    for test in signal.get("that", {}).values():
        unsure = unsure or (isinstance(test, Mapping) and _no_number(_value(row, next(iter(signal["that"])))))
    return unsure and _counts(mended, table, {**signal, "where": tests}, as_of, zone)


def _no_number(value: Any) -> bool:
    """Whether a property says something that is no number."""
    return _says_something(value) and _number(value) is None


def _no_flag(value: Any) -> bool:
    """Whether a property says something that is no flag."""
    return _says_something(value) and _flag(value) is None


def _says_something(value: Any) -> bool:
    return value is not None and _text(value).strip().lower() not in _NOTHING


def _of_own_people(row: Row, tables: Tables) -> bool:
    return any(user["user_id"] == row["user_id"] and user["is_internal"] for user in tables["users"])


def _of_the_deleted(row: Row, tables: Tables, as_of: datetime) -> bool:
    ends = [user["deleted_at"] for user in tables["users"] if user["user_id"] == row["user_id"] is not None]
    return any(end is not None and end <= as_of for end in ends)


def _arrived(row: Row, tables: Tables, as_of: datetime) -> bool:
    if row["occurred_at"] is None or row["occurred_at"] >= as_of:
        return False
    if row["received_at"] is not None and row["received_at"] > as_of:
        return False
    return not _of_own_people(row, tables)


def _counts(row: Row, table: str, signal: Mapping[str, Any], as_of: datetime, zone: ZoneInfo) -> bool:
    if "events" in signal and row["name"] not in signal["events"]:
        return False
    if any(_passes(row, column, test) is not True for column, test in signal.get("where", {}).items()):
        return False
    current = signal.get("current", table in _CURRENT)
    if current and not (row["state"] != "ended" if table == "subscriptions" else in_force(row, table, as_of)):
        return False
    column = signal.get("at", _TIME[table])
    moment = row[column]
    if "window" in signal:
        start, end = _window(signal, as_of, zone)
        return moment is not None and start <= moment < end
    if table == "subscriptions" and signal["measure"] not in {"first", "last"}:
        return True
    if table in _BEGINS and signal["measure"] not in {"first", "last"}:
        begin = next((row[name] for name in _BEGINS[table] if row[name] is not None), None)
        return begin is None or begin <= as_of
    return moment is not None and moment < as_of


def _window(signal: Mapping[str, Any], as_of: datetime, zone: ZoneInfo) -> tuple[datetime, datetime]:
    last = _midnight(as_of, zone)
    if signal["window"] == "today":
        return _utc(last, zone), as_of
    days = timedelta(days=int(signal["window"].removesuffix("d")))
    if signal.get("previous"):
        return _utc(last - days - days, zone), _utc(last - days, zone)
    to_now = signal["measure"] in {"ever", "first", "last", "latest", "top"}
    return _utc(last - days, zone), as_of if to_now else _utc(last, zone)


def _midnight(as_of: datetime, zone: ZoneInfo) -> datetime:
    """The midnight (without zone) at or before ``as_of``."""
    return datetime.combine(as_of.astimezone(zone).date(), time())


def _utc(midnight: datetime, zone: ZoneInfo) -> datetime:
    return midnight.replace(tzinfo=zone).astimezone(UTC)


def in_force(row: Row, table: str, as_of: datetime) -> bool:
    begin = next((row[name] for name in _BEGINS[table] if row[name] is not None), None)
    end = next((row[name] for name in _ENDS[table] if row[name] is not None), None)
    return (begin is None or begin <= as_of) and (end is None or end > as_of)


_ALWAYS, _NEVER = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)


def began(row: Row) -> Any:
    """When the row started: with its trial, or with its term where no trial of unknown start came before."""
    if row["trial_start"]:
        return row["trial_start"]
    if row["trial_end"] and not (row["term_start"] and row["term_start"] < row["trial_end"]):
        return _ALWAYS
    return row["term_start"] or _ALWAYS


def asked(row: Row) -> Any:
    """When cancelling was asked for; a status without any date of it always said so."""
    if row["cancelled_at"]:
        return row["cancelled_at"]
    return _ALWAYS if _word(row) == "cancelled" and not row["ended_at"] else _NEVER


def ended(row: Row) -> Any:
    """When service ended or will end."""
    word, trial_only = _word(row), row["trial_end"] if not row["term_start"] else None
    if row["ended_at"]:
        return row["ended_at"]
    if row["term_end"]:
        graced = row["term_end"] + timedelta(days=30)
        if word != "past_due" or asked(row) <= row["term_end"]:
            return row["term_end"]
        return min(graced, asked(row))
    if word in {"cancelled", "expired"}:
        return row["cancelled_at"] or trial_only or _ALWAYS
    return trial_only if trial_only and word not in {"active", "past_due"} else _NEVER


def trial_over(row: Row) -> Any:
    """When the trial turned into something else: by its end, or by the start of a term of its own."""
    word, paid_word = _word(row), _word(row) in {"active", "past_due"}
    start, end, term = row["trial_start"], row["trial_end"], row["term_start"]
    if not end:
        if word == "trialing":
            return _NEVER
        return _ALWAYS if not start else term or (_ALWAYS if paid_word else _NEVER)
    if not term or (term <= start if start else not paid_word):
        return end
    return min(end, term)


def _word(row: Row) -> str:
    word = (row["status"] or "").strip().lower()
    return word if word in {"active", "trialing", "past_due", "cancelled", "expired"} else ""


def state(row: Row, as_of: datetime) -> str:
    dates = ("trial_start", "trial_end", "term_start", "term_end", "cancelled_at", "ended_at")
    if began(row) > as_of:
        return "not started"
    if not _word(row) and not any(row[name] for name in dates):
        return ""
    gap = row["trial_end"] and row["term_start"] and row["trial_end"] <= as_of < row["term_start"]
    if gap or ended(row) <= as_of:
        return "ended"
    if as_of < trial_over(row):
        return "trialing"
    if asked(row) <= as_of:
        return "cancelled_at_term_end"
    return "past_due" if _word(row) == "past_due" else "active"


def then(rows: Sequence[Row], as_of: datetime) -> list[dict[str, Any]]:
    """The subscriptions of one account that had started, with state, price and the dates that follow from it."""
    found = [dict(row) | {"state": state(row, as_of)} for row in rows]
    found = [row for row in found if row["state"] != "not started"]
    renewing = [row for row in found if row["state"] in {"active", "past_due"}]
    for row in [row for row in found if row["state"] == "cancelled_at_term_end" and row["cancelled_at"]]:
        day = row["cancelled_at"].astimezone(UTC).date()
        if any(began(other) is not _ALWAYS and began(other).astimezone(UTC).date() >= day for other in renewing):
            row["state"] = "ended"
    for row in found:
        free, renews = row["state"] in {"ended", "trialing"}, row["state"] in {"active", "past_due"}
        row["mrr"] = 0 if free else row["mrr"] if row["state"] else None
        row["paying"] = False if free else None if row["mrr"] is None else row["mrr"] > 0
        row["renews"] = renews if row["state"] else None
        row["renews_at"] = row["term_end"] if renews and row["term_end"] and row["term_end"] > as_of else None
        row["state"] = row["state"] or None
    return found


def _passes(row: Row, column: str, test: Any) -> bool | None:
    if not isinstance(test, Mapping):
        return _one_of(row, column, test if isinstance(test, list) else [test])
    parts: list[bool | None] = []
    compare = {"at_least": float.__ge__, "at_most": float.__le__, "above": float.__gt__, "below": float.__lt__}
    for name, bound in test.items():
        if name in compare:
            number = _number(_value(row, column))
            parts.append(None if number is None else compare[name](number, float(bound)))
        elif name == "is_not":
            same = _one_of(row, column, bound if isinstance(bound, list) else [bound])
            parts.append(None if same is None else not same)
        else:
            parts.append((_value(row, column) is not None) is bound)
    return _all(parts)


def _all(parts: Iterable[bool | None]) -> bool | None:
    found = list(parts)
    return False if False in found else None if None in found else True


def _one_of(row: Row, column: str, values: Sequence[Any]) -> bool | None:
    value = _value(row, column)
    answers: list[bool | None] = []
    for wanted in values:
        if isinstance(wanted, bool):
            flag = _flag(value)
            answers.append(None if flag is None else flag is wanted)
        elif isinstance(wanted, int | float):
            number = _number(value)
            answers.append(None if number is None else number == wanted)
        else:
            answers.append(None if value is None else _text(value).strip().lower() == wanted.strip().lower())
    return True if True in answers else None if None in answers else False


def _value(row: Row, column: str) -> Any:
    if not column.startswith("props."):
        return row[column]
    props = row["props"]
    return props.get(column.removeprefix("props.")) if isinstance(props, Mapping) else None


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _number(value: Any) -> float | None:
    if value is None or isinstance(value, bool):
        return None
    text = str(value).strip()
    return float(text) if _JSON_NUMBER.fullmatch(text) else None


def _flag(value: Any) -> bool | None:
    text = None if value is None else _text(value).strip().lower()
    return True if text in {"true", "yes", "1"} else False if text in {"false", "no", "0"} else None


def _measured(
    rows: list[Row], tables: Tables, signal: Mapping[str, Any], account: str, as_of: datetime, zone: ZoneInfo
) -> Any:
    measure = signal["measure"]
    column = signal.get("at", _TIME[signal["from"]])
    times = [row[column] for row in rows if row[column] is not None]
    users = [row["user_id"] for row in rows if row.get("user_id") is not None]
    days = {moment.astimezone(zone).date() for moment in times}
    simple: dict[str, Any] = {
        "count": len(rows),
        "ever": bool(rows),
        "users": len(set(users)),
        "days": len(days),
        "first": min(times, default=None),
        "last": max(times, default=None),
    }
    if measure in simple:
        return simple[measure]
    if measure == "decayed":
        return _faded(sorted(times), signal, as_of, zone)
    if measure == "kinds":
        return len({row["name"] for row in rows if row["name"] is not None})
    if measure == "user_days":
        return len(
            {(row["user_id"], row[column].astimezone(zone).date()) for row in rows if row["user_id"] is not None}
        )
    if measure in {"sum", "average", "lowest", "highest"}:
        unsure = signal["column"] in {"mrr", "amount"} and any(row[signal["column"]] is None for row in rows)
        return None if unsure else _numbers(measure, rows, signal["column"])
    if measure == "share":
        says = [_all(_passes(row, name, test) for name, test in signal["that"].items()) for row in rows]
        known = [answer for answer in says if answer is not None]
        return sum(known) / len(known) if known else None
    if measure == "latest":
        known_rows = [row for row in rows if row[signal["column"]] is not None]
        return max(((row[column], row[signal["column"]]) for row in known_rows), default=(None, None))[1]
    if measure == "top":
        return _top(rows, signal["column"])
    return _people(measure, users, tables, account, as_of)


def _faded(times: list[datetime], signal: Mapping[str, Any], as_of: datetime, zone: ZoneInfo) -> float:
    """Each event by its age; of a local day, the earliest until the day is full."""
    left: dict[Any, float] = {}
    total = 0.0
    for moment in times:
        day = moment.astimezone(zone).date()
        counts = min(1.0, left.get(day, signal["per_day"]))
        left[day] = left.get(day, signal["per_day"]) - counts
        total += counts * math.pow(2, -((as_of - moment) / timedelta(days=signal["half_life"])))
    return total


def _numbers(measure: str, rows: list[Row], column: str) -> Any:
    found = [number for row in rows if (number := _number(_value(row, column))) is not None]
    if measure == "sum":
        return math.fsum(found) if found else None if rows else 0
    if not found:
        return None
    return {"average": math.fsum(found) / len(found), "lowest": min(found), "highest": max(found)}[measure]


def _top(rows: list[Row], column: str) -> Any:
    def rank(row: Row) -> tuple[Any, ...]:
        tier, mrr = row["tier_rank"], row["mrr"]
        return (
            {True: 2, None: 1, False: 0}[row["paying"]],
            ["ended", None, "trialing", "cancelled_at_term_end", "past_due", "active"].index(row["state"]),
            -math.inf if tier is None else tier,
            -math.inf if mrr is None else mrr,
            began(row),
            row["plan"] or "",
        )

    if not rows:
        return None
    return max(rows, key=rank)[column]


def _people(measure: str, users: list[str], tables: Tables, account: str, as_of: datetime) -> Any:
    counted = {user: users.count(user) for user in users}
    memberships = [row for row in tables["memberships"] if row["account_id"] == account]
    present = [row for row in memberships if in_force(row, "memberships", as_of)]
    if measure == "top_user_share":
        return max(counted.values()) / len(users) if users else None
    if measure == "roles":
        roles = {row["role"].strip().lower() for row in present if row["user_id"] in counted and row["role"]}
        return len(roles) or (None if counted else 0)
    gone = {row["user_id"] for row in memberships} - {row["user_id"] for row in present}
    reachable = {
        user["user_id"]: user["email"]
        for user in tables["users"]
        if user["email"] and not user["opted_out"] and (user["deleted_at"] is None or user["deleted_at"] > as_of)
    }
    best = sorted((-n, user) for user, n in counted.items() if user in reachable and user not in gone)
    return reachable[best[0][1]] if best else None


def _days(value: Any, turn: str, as_of: datetime) -> Any:
    if value is None:
        return None
    days = (as_of - value) / timedelta(days=1)
    return math.floor(days) if turn == "days_since" else math.ceil(-days)
