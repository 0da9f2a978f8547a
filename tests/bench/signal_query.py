"""What the look at the data costs beside the signal query: CPU of both, and of two parts of the look.

Prints ratios of medians, measured in turns in one run on one generated product: without the events' ids, with them as a
primary key, with them as they come, and with some events delivered twice. Two parts of the look a run needs without
any report: counting the events by name and day, which shows whether data arrives, and finding the ids that repeat,
without which the query counts events twice or sorts them all by their ids. CPU counts all threads of DuckDB.

    python tests/bench/signal_query.py [events] [accounts] [rounds]
"""

from __future__ import annotations

import statistics
import sys
import tempfile
from collections.abc import Callable, Mapping
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from time import process_time

import yaml

from tests.bench.parts.product import AS_OF, drop_key, make_key, make_product, product_settings, repeat_events
from worker.settings.product import ProductSettings
from worker.settings.shipped import shipped_files
from worker.settings.signals import SignalsSettings
from worker.signals.compute import compute
from worker.signals.occurrences import occurrences
from worker.signals.repeats import count_repeats
from worker.signals.source import open_source

_CASES: Mapping[str, Callable[[Path, int], object]] = {
    "without event_id": lambda _folder, _events: None,
    "with event_id as the primary key": lambda folder, _events: make_key(folder),
    "with event_id": lambda folder, _events: drop_key(folder),
    "with event_id, 1 event of 1,000 twice": lambda folder, events: repeat_events(folder, events // 1_000),
}


def main(events: int, accounts: int, rounds: int) -> None:
    """Generate the product, measure in turns and print the ratios."""
    text = (shipped_files() / "config" / "signals.yaml").read_text(encoding="utf-8")
    signals = SignalsSettings.model_validate(yaml.safe_load(text))
    with tempfile.TemporaryDirectory() as folder:
        make_product(Path(folder), accounts, events)
        for case, change in _CASES.items():
            change(Path(folder), events)
            product = product_settings(with_event_id=case.startswith("with "))
            spent = [once(Path(folder), product, signals) for _ in range(rounds)]
            counting, ids, look, query = (statistics.median(column) for column in zip(*spent, strict=True))
            alone = (look - counting - ids) / (query + ids)
            print(
                f"{events:,} events, {accounts:,} accounts, {case}: look {look:.2f} s CPU, of it counting events "
                f"{counting:.2f} s and finding repeated ids {ids:.2f} s; signal query {query:.2f} s; the look "
                f"is {look / query:.0%} of the query, without the counting {(look - counting) / query:.0%}, "
                f"and the report alone {alone:.0%} of query and ids"
            )


def once(folder: Path, product: ProductSettings, signals: SignalsSettings) -> tuple[float, float, float, float]:
    """CPU seconds of counting the events alone, of finding the repeated ids, of the whole look, and of the query."""
    as_of = datetime.fromisoformat(AS_OF)
    with open_source(product, folder, as_of) as source:
        mapped = source.catalogue.events
        moments = [process_time()]
        source.report(as_of)
        moments.append(process_time())
        compute(source, product, signals, [], as_of)
        moments.append(process_time())
        occurrences(source.catalogue, as_of)
        moments.append(process_time())
        count_repeats(source.catalogue.engine, mapped)
        moments.append(process_time())
    look, query, counting, ids = (end - start for start, end in pairwise(moments))
    return counting, ids, look, query


if __name__ == "__main__":
    given = [int(argument) for argument in sys.argv[1:]]
    main(*[*given, *(10_000_000, 1_000, 3)[len(given) :]])
