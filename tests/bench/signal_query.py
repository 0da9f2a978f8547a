"""What the look at the data adds to the signal query: CPU of the data report against CPU of the shipped signals.

Prints the ratio of medians, measured in turns in one run on one generated product, with the events' ids mapped and
without. The aim is 15 % at most. CPU counts all threads of DuckDB.

    python tests/bench/signal_query.py [events] [accounts] [rounds]
"""

from __future__ import annotations

import statistics
import sys
import tempfile
from datetime import datetime
from pathlib import Path
from time import process_time

import yaml

from tests.bench.parts.product import AS_OF, make_product, product_settings
from worker.settings.shipped import shipped_files
from worker.settings.signals import SignalsSettings
from worker.signals.compute import compute
from worker.signals.source import open_source


def main(events: int, accounts: int, rounds: int) -> None:
    """Generate the product, measure in turns and print the ratios."""
    text = (shipped_files() / "config" / "signals.yaml").read_text(encoding="utf-8")
    signals = SignalsSettings.model_validate(yaml.safe_load(text))
    with tempfile.TemporaryDirectory() as folder:
        make_product(Path(folder), accounts, events)
        for with_event_id in (False, True):
            spent = [once(Path(folder), signals, with_event_id=with_event_id) for _ in range(rounds)]
            volume, report, query = (statistics.median(column) for column in zip(*spent, strict=True))
            ids = "with event_id" if with_event_id else "without event_id"
            print(
                f"{events:,} events, {accounts:,} accounts, {ids}: volume {volume:.2f} s CPU, data report "
                f"{report:.2f} s, signal query {query:.2f} s; the report adds {report / query:.0%}"
            )


def once(folder: Path, signals: SignalsSettings, *, with_event_id: bool) -> tuple[float, float, float]:
    """CPU seconds of the volume, the report and the query of one run."""
    as_of = datetime.fromisoformat(AS_OF)
    product = product_settings(with_event_id=with_event_id)
    with open_source(product, folder, as_of) as source:
        moments = [process_time()]
        source.volume(as_of)
        moments.append(process_time())
        source.report(as_of)
        moments.append(process_time())
        compute(source, product, signals, [], as_of)
        moments.append(process_time())
    return moments[1] - moments[0], moments[2] - moments[1], moments[3] - moments[2]


if __name__ == "__main__":
    given = [int(argument) for argument in sys.argv[1:]]
    main(*[*given, *(10_000_000, 1_000, 3)[len(given) :]])
