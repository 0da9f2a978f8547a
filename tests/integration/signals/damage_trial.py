"""A damaged company is measured, and every number is held against those of the clean one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from hypothesis import HealthCheck, Phase, settings

from tests.integration.signals.damage_kit import AS_OF, TYPES, Damage, Tables, company, stored
from tests.integration.signals.signals_kit import Database, product_of
from worker.language.values import Fields, Value
from worker.scores import ScoreMemory, score_account
from worker.settings.product_schema import SCHEMA
from worker.settings.scores import ScoresSettings
from worker.settings.shipped import shipped_files
from worker.settings.signals import SignalsSettings
from worker.signals.compute import compute
from worker.signals.data_report import DataReport
from worker.signals.source import open_source
from worker.signals.trust import distrust

_CONFIG = shipped_files() / "config"
OF_PROPS = yaml.safe_load(
    """
    amount: {label: x, from: events, measure: sum, column: props.amount, window: 28d}
    gold: {label: x, from: events, measure: count, where: {props.plan.tier: gold}}
    """
)
_SHIPPED = yaml.safe_load((_CONFIG / "signals.yaml").read_text(encoding="utf-8"))
SIGNALS = SignalsSettings.model_validate(_SHIPPED | {"signals": _SHIPPED["signals"] | OF_PROPS})
SCORES = ScoresSettings.model_validate(yaml.safe_load((_CONFIG / "scores.yaml").read_text(encoding="utf-8")))
ONE_POINT = 0.01


def examples(number: int) -> Callable[[Any], Any]:
    """Few, but rich: the time goes into planning queries, not into rows. Ten times as many in ``make chaos``."""
    return settings(
        max_examples=number if settings().max_examples < 100 else 10 * number,
        deadline=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )


class Found(NamedTuple):
    """The data report, every account, and why a run would refuse the data."""

    report: DataReport
    accounts: dict[str, dict[str, Value]]
    refused: list[str]


class Trial:
    """One database, and what is measured of the clean company in it."""

    def __init__(
        self,
        database: Database,
        clean: Mapping[str, Fields],
        signals: SignalsSettings = SIGNALS,
        names: Collection[str] = TYPES,
    ) -> None:
        self.database, self.clean, self.signals, self.names = database, clean, signals, names

    def measured(
        self,
        tables: Tables,
        damaged: Iterable[tuple[str, str]] = (),
        signals: SignalsSettings | None = None,
        **product: Any,
    ) -> Found:
        """What a look at ``tables`` finds, and what is measured after it."""
        rows, types = stored(tables, damaged)
        self.database.fill({name: rows[name] for name in self.names}, types)
        return measure(self.database.source, self.database.folder, signals or self.signals, self.names, **product)

    def judge(self, damaged: Sequence[Damage], **product: Any) -> Found:
        """Damage the company: the report counts each damage, and no number is wrong. Answers what was found."""
        tables = company()
        hit = [damage.inflict(tables) for damage in damaged]
        found = self.measured(tables, [(damage.table, damage.column) for damage in damaged], **product)
        for damage, rows in zip(damaged, hit, strict=True):
            said = counted(found.report, damage)
            assert said.keys() == ({damage.counted} if damage.counted else set()), damage
            off = abs(said.total() - len(rows)) if damage.counted else 0
            assert off < ONE_POINT * len(tables[damage.table]), damage
        hurt: dict[str, set[str]] = {}
        for damage in damaged:
            for account in damage.accounts if damage.counted else ():
                hurt.setdefault(account, set()).update(reading(damage.table))
        self.hold(found.accounts, hurt)
        return found

    def hold(self, found: Mapping[str, Fields], unknown: Mapping[str, Collection[str]] = {}) -> None:
        """Every number is the clean one; those ``unknown`` names may be unknown. So are the scores of the others."""
        assert found.keys() == self.clean.keys()
        for account, clean in self.clean.items():
            may = unknown.get(account, ())
            wrong = {
                name: (found[account][name], value)
                for name, value in clean.items()
                if found[account][name] != value and (found[account][name] is not None or name not in may)
            }
            assert not wrong, (account, wrong)
            assert may or scores(found[account]) == scores(clean), account


def signals_of_tables(names: Collection[str]) -> SignalsSettings:
    """The signals that need no other table."""
    few = {name: signal for name, signal in SIGNALS.signals.items() if tables_of(name) <= set(names)}
    return SIGNALS.model_copy(update={"signals": few})


def trial_in(database: Database, signals: SignalsSettings = SIGNALS, names: Collection[str] = TYPES) -> Trial:
    """The clean company in ``database``, only the tables ``names``: no remark, and nearly every signal is known."""
    report, clean, _ = Trial(database, {}, signals, names).measured(company())
    assert list(report.remarks()) == []
    unknown = {name for name in signals.signals if all(row[name] is None for row in clean.values())}
    assert unknown <= {"subscription.trial_end", "trial_days_left"}
    return Trial(database, clean, signals, names)


def measure(
    source: Mapping[str, str],
    folder: Path,
    signals: SignalsSettings = SIGNALS,
    names: Collection[str] = TYPES,
    **product: Any,
) -> Found:
    """What a look finds in these tables of ``source``, and what is measured. A refused source measures nothing."""
    mapped = product_of(source, names, **{"nothing": ["k. A."], **product})
    with open_source(mapped, folder, AS_OF, signals.names_of_spellings) as opened:
        report = opened.report(AS_OF)
        refused = list(distrust(report, mapped.trust))
        return Found(report, {} if refused else compute(opened, mapped, signals, [], AS_OF), refused)


def counted(report: DataReport, damage: Damage) -> Counter[str]:
    """How many cells of the damaged column the report does not use, by the reason."""
    table = report.table(damage.table)
    assert table is not None
    cells = {column.name: column for column in table.columns}.get(damage.column)
    found = Counter({kind: getattr(cells, kind, 0) for kind in ("unreadable", "disbelieved", "unlimited")})
    found["unjoined"] = sum(join.given - join.joined for join in table.joins if join.column == damage.column)
    if damage.counted in {None, "missing"}:  # what cannot be read or believed is missing too
        found["missing"] = table.missing.get(damage.column, 0)
    return +found


def reading(table: str) -> set[str]:
    """The fields that are worked out from rows of ``table``."""
    own = {"accounts": {f"account.{name}" for name in (*SCHEMA["accounts"].columns, "age_days")}}
    return own.get(table, set()) | {name for name in SIGNALS.signals if table in tables_of(name)}


def tables_of(field: str) -> set[str]:
    signal = SIGNALS.signals[field]
    if signal.of is not None:
        return {table for part in signal.of.needs() for table in tables_of(part.name)}
    people = {"roles": {"memberships"}, "top_user": {"users", "memberships"}}.get(str(signal.measure), set())
    return {str(signal.from_), *people}


def scores(fields: Fields) -> Fields:
    """The scores of one account, at its first run."""
    return score_account(SCORES, fields, None, ScoreMemory(), AS_OF).fields()
