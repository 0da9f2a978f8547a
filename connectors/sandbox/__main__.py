"""``python -m connectors.sandbox [--salesforce-port N] [--hubspot-port N] [--seed FILE [--keep]] [--state FILE]``.

Runs both sandbox CRMs. Writes one JSON line with URLs and credentials to stdout once both accept connections,
and stops on SIGTERM. With ``--keep`` the next start from the same seed file continues where this one stopped. With
``--state`` the next start continues even after a kill.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from connectors.garbage import collect_seldom
from connectors.sandbox.serve import Addresses, serve


def main() -> None:
    """Parse the command line and serve."""
    collect_seldom()
    parser = argparse.ArgumentParser(prog="python -m connectors.sandbox", description=__doc__)
    parser.add_argument("--salesforce-port", type=int, default=0, help="0 picks a free port")
    parser.add_argument("--hubspot-port", type=int, default=0, help="0 picks a free port")
    parser.add_argument("--only", choices=["salesforce", "hubspot"], help="run only one of the two")
    parser.add_argument("--seed", type=Path, help="JSON file with the records to start with")
    parser.add_argument(
        "--keep", action="store_true", help="on stop, write both CRMs and the credentials back to the seed file"
    )
    parser.add_argument("--state", type=Path, help="SQLite file that stores every change of both CRMs at once")
    chosen = parser.parse_args()
    if chosen.keep and chosen.seed is None:
        parser.error("--keep needs --seed FILE")
    serve(
        None if chosen.only == "hubspot" else chosen.salesforce_port,
        None if chosen.only == "salesforce" else chosen.hubspot_port,
        json.loads(chosen.seed.read_text()) if chosen.seed else None,
        _announce,
        keep=chosen.seed if chosen.keep else None,
        state=chosen.state,
    )


def _announce(addresses: Addresses) -> None:
    sys.stdout.write(json.dumps(addresses) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
