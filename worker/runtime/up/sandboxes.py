"""Sandbox CRMs in the tree. Environment variables alone point the project's destinations at them."""

from __future__ import annotations

import argparse
import json
import socket
import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path

from connectors.clock import stopwatch
from connectors.private_files import write_private
from connectors.sandbox.core.control import ControlError
from connectors.sandbox.serve import Credentials, serve
from worker.runtime.up.parent import die_with_parent
from worker.runtime.up.supervisor import Child, child_command, end
from worker.settings.crm import ClientCredentials, DestinationSettings
from worker.settings.crm_hubspot import Token
from worker.settings.environment import CRM_URL, SecretMissing, secret, with_variables
from worker.settings.problems import CommandError
from worker.settings.project import Project

SEED_FILE = "crm-seed.json"
_START_S = 30.0
_PORTS = ("salesforce", "hubspot")


@dataclass(frozen=True, slots=True)
class Sandboxes:
    """The process that serves both, and the environment variables that point a project at them."""

    child: Child
    variables: Mapping[str, str]


def start_sandboxes(project: Project, folder: Path, seed: Path | None, ports: Mapping[str, int]) -> Sandboxes:
    """Start both with the records of ``seed``, which they write back when they stop; returns when they answer.

    Raises `CommandError` when environment variables alone cannot point the project's authentication at a sandbox.
    """
    seed = seed or _seed_of(project, folder)
    credentials = _credentials(seed)
    chosen = {name: ports.get(name) or _free_port() for name in _PORTS}
    variables: dict[str, str] = {}
    for name, settings in project.crm.destinations.items():
        variables[f"{CRM_URL}{name.upper().replace('-', '_')}"] = f"http://127.0.0.1:{chosen[settings.kind]}"
        variables |= _credential_variables(project, name, settings, credentials)
    words = [word for name, port in chosen.items() for word in (f"--{name}-port", str(port))]
    child = Child(
        name="sandbox",
        command=child_command("worker.runtime.up.sandboxes", "--seed", str(seed), *words),
        environment=with_variables({}),
        ends_last=True,
    )
    child.start()
    try:
        _wait_until_up(child, chosen)
    except BaseException:
        end([child])
        raise
    return Sandboxes(child, variables)


def write_variables(variables: Mapping[str, str], file: Path) -> None:
    """Write them for a shell, readable by the owner only: ``set -a; . FILE`` points other commands at the sandboxes."""
    write_private(file, "".join(f"{name}='{value}'\n" for name, value in sorted(variables.items())))


def _seed_of(project: Project, folder: Path) -> Path:
    kept = project.root / SEED_FILE
    return kept if kept.is_file() else folder / "sandbox.json"


def _credentials(seed: Path) -> dict[str, str]:
    """The credentials that the sandboxes accept: those of the seed; missing ones are generated and written into it."""
    try:
        records = json.loads(seed.read_text(encoding="utf-8")) if seed.exists() else {}
        accepted = asdict(Credentials.of_seed(records.get("credentials", {})))
    except (ControlError, ValueError, AttributeError) as error:
        raise CommandError(f"{seed}: {error}") from None
    write_private(seed, json.dumps({**records, "credentials": accepted}))
    return accepted


def _credential_variables(
    project: Project, name: str, settings: DestinationSettings, credentials: Mapping[str, str]
) -> dict[str, str]:
    """The variables from which this destination reads the sandbox's credentials."""
    match settings.auth:
        case ClientCredentials() as auth:
            needed = {
                auth.client_id: credentials["salesforce_client_id"],
                auth.client_secret: credentials["salesforce_client_secret"],
            }
        case Token() as auth:
            needed = {auth.token: credentials["hubspot_token"]}
        case _:
            raise CommandError(f"{name}: a sandbox supports the authentication by client_credentials and by token only")
    for ref, value in needed.items():
        if not ref.startswith("env:") and not _is_there(project, ref, value):
            raise CommandError(f"{name}: {ref.partition(':')[0]}: a sandbox cannot set this; use env:NAME")
    return {ref.removeprefix("env:"): value for ref, value in needed.items() if ref.startswith("env:")}


def _is_there(project: Project, ref: str, value: str) -> bool:
    try:
        return secret(ref, project.root)() == value if ref.startswith("file:") else ref == value
    except SecretMissing:
        return False


def _free_port() -> int:
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        port: int = listener.getsockname()[1]
        return port


def _wait_until_up(child: Child, ports: Mapping[str, int]) -> None:
    until = stopwatch() + _START_S
    for port in ports.values():
        while not _answers(port):
            if stopwatch() > until or child.process is None or child.process.poll() is not None:
                raise CommandError("the sandbox CRMs did not start; their error message is above")
            time.sleep(0.05)


def _answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def main() -> None:
    """``python -m worker.runtime.up.sandboxes --seed FILE --salesforce-port N --hubspot-port N --parent PID``."""
    parser = argparse.ArgumentParser(prog="python -m worker.runtime.up.sandboxes")
    parser.add_argument("--seed", type=Path, required=True)
    parser.add_argument("--salesforce-port", type=int, required=True)
    parser.add_argument("--hubspot-port", type=int, required=True)
    parser.add_argument("--parent", type=int, required=True)
    chosen = parser.parse_args()
    die_with_parent(chosen.parent)
    records = json.loads(chosen.seed.read_text(encoding="utf-8"))
    serve(chosen.salesforce_port, chosen.hubspot_port, records, keep=chosen.seed)


if __name__ == "__main__":
    main()
