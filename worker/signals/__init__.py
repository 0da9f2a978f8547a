"""Product data → one row of measurements per account, computed inside the user's database."""

from worker.signals.check import SourceFinding, check_source
from worker.signals.compute import compute
from worker.signals.errors import SourceError, StaleData
from worker.signals.freshness import check_fresh
from worker.signals.source import Source, open_source
from worker.signals.volume import Volume

__all__ = [
    "Source",
    "SourceError",
    "SourceFinding",
    "StaleData",
    "Volume",
    "check_fresh",
    "check_source",
    "compute",
    "open_source",
]
