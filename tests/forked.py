"""Python processes forked from one that has imported the product: a start costs a tenth of that of an interpreter.

A forked process has a pid of its own, is a child of the test, and dies of ``kill -9`` as any other. It does not prove
that a command can be started: for each entry point some test starts a new interpreter.
"""

from __future__ import annotations

import atexit
import ctypes
import fcntl
import gc
import importlib
import json
import os
import runpy
import signal
import socket
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, AnyStr, NoReturn

from worker.delivery.stop import CancelToken, worker_stop

_IMPORTED = (
    *("celery.__main__", "celery.apps.beat", "celery.apps.worker", "celery.bin.celery", "celery.concurrency.prefork"),
    *("connectors.hubspot.connector", "connectors.salesforce.connector", "connectors.sandbox.hubspot.app"),
    *("connectors.sandbox.salesforce.app", "connectors.sandbox.serve", "duckdb", "kombu.transport.redis"),
    *("sqlalchemy.dialects.postgresql.psycopg", "sqlalchemy.dialects.sqlite", "starlette.applications"),
    *("tests.chaos.inline", "tests.chaos.producer", "tests.integration.measured"),
    *("uvicorn.lifespan.off", "uvicorn.protocols.http.h11_impl"),
    *("worker.cli.processes", "worker.cli.run", "worker.rendering.progress", "worker.runtime.celery_steps"),
    *("worker.service", "worker.settings.shipped", "worker.signals.duck", "worker.tasks"),
)
"""What the forked find imported. Not `worker.app`, which reads the environment when it is imported."""
_SET_CHILD_SUBREAPER = 36
_ORDER_BYTES = 1 << 20
_MOST_FILES = 16
_POLL_S = 0.001
_connection: socket.socket | None = None


class Popen(subprocess.Popen[AnyStr]):
    """`subprocess.Popen` that forks for ``python -m MODULE …`` and ``python -c CODE …`` where the system is Linux."""

    if sys.platform == "linux":

        def _execute_child(  # the one method between its pipes and its waiting, the same in Python 3.11 to 3.14
            self, args: Sequence[str], *options: Any
        ) -> None:
            if args[0] != sys.executable or args[1] not in {"-m", "-c"}:
                return super()._execute_child(args, *options)  # type: ignore[misc, no-any-return]
            pass_fds: Sequence[int] = options[3]
            cwd, env, pipes, new_session = options[4], options[5], options[9:15], options[20]
            p2cread, _, _, c2pwrite, _, errwrite = pipes
            order = {
                "args": [str(word) for word in args[1:]],
                "cwd": str(cwd or Path.cwd()),
                "environment": dict(os.environ if env is None else env),
                "new_session": new_session,
                "numbers": [0, 1, 2, *pass_fds],
            }
            given = zip((p2cread, c2pwrite, errwrite), (0, 1, 2), strict=True)
            try:
                files: list[int] = [own if own != -1 else standard for own, standard in given]
                self.pid = _fork(order, [*files, *pass_fds])
                self._child_created = True
            finally:
                self._close_pipe_fds(*pipes)  # type: ignore[attr-defined]


def run(
    command: Sequence[str], *, timeout: float = 60, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end, as `subprocess.run` does with ``capture_output`` and ``text``."""
    with Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            out, err = process.communicate(timeout=timeout)
        except BaseException:
            process.kill()
            raise
    return subprocess.CompletedProcess(command, process.returncode, out, err)


def _fork(order: Mapping[str, Any], files: Sequence[int]) -> int:
    """The pid of a new child of this process. The fork's own parent ends at once, and leaves it to us."""
    parent = _parent()
    _adopt(True)
    try:
        socket.send_fds(parent, [json.dumps(order).encode()], list(files))
        return int(parent.recv(64))
    finally:
        _adopt(False)


def _adopt(orphans: bool) -> None:
    """Become the parent of what our descendants leave behind, or leave that to the system."""
    ctypes.CDLL(None).prctl(_SET_CHILD_SUBREAPER, int(orphans), 0, 0, 0)


def _parent() -> socket.socket:
    """The connection to the process that forks; it is started with the first fork, and ends with this process."""
    global _connection
    if _connection is None:
        _connection, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with there:
            command = [sys.executable, "-m", "tests.forked", str(there.fileno())]
            process = subprocess.Popen(command, pass_fds=[there.fileno()], cwd=Path(__file__).parents[1])
        atexit.register(process.wait)
        atexit.register(_connection.close)
    return _connection


def fork_children() -> None:
    """From here on fork the Python processes of this one, itself forked, from another fork of it."""
    global _connection
    _connection, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    if os.fork() == 0:
        _connection.close()
        _main(there)
    there.close()
    subprocess.Popen = Popen  # type: ignore[misc]


def serve(connection: socket.socket) -> list[str] | None:
    """Fork for every order; answers the arguments of the command in each child, and None at the end."""
    for name in _IMPORTED:
        importlib.import_module(name)
    gc.collect()
    gc.freeze()
    while True:
        message, files, _, _ = socket.recv_fds(connection, _ORDER_BYTES, _MOST_FILES)
        if not message:
            return None
        tell_pid, pid = os.pipe()[::-1]
        if between := os.fork():
            os.waitpid(between, 0)  # from here on the child is that of the test
            connection.send(os.read(pid, 64))
            for file in (*files, tell_pid, pid):
                os.close(file)
            continue
        between = os.getpid()
        if child := os.fork():
            os.write(tell_pid, str(child).encode())
            os._exit(0)
        for file in (connection.detach(), tell_pid, pid):
            os.close(file)
        while os.getppid() == between:  # what is done at the death of a parent waits for that of its own
            time.sleep(_POLL_S)
        return _become(json.loads(message), files)


def _become(order: Mapping[str, Any], files: Sequence[int]) -> list[str]:
    for number, file in zip(order["numbers"], _above(files, max(order["numbers"])), strict=True):
        os.dup2(file, number)
        os.close(file)
    if order["new_session"]:
        os.setsid()
    os.chdir(order["cwd"])
    os.environ.clear()
    os.environ.update(order["environment"])
    time.tzset()
    CancelToken.__init__(worker_stop)  # its memory is shared by all that are forked
    args: list[str] = order["args"]
    return args


def _above(files: Sequence[int], number: int) -> list[int]:
    """The same files under numbers above ``number``."""
    moved = [fcntl.fcntl(file, fcntl.F_DUPFD_CLOEXEC, number + 1) for file in files]
    for file in files:
        os.close(file)
    return moved


def _main(connection: socket.socket) -> NoReturn:
    """Fork; in a child, run the command and end as ``python`` would, without the cost of taking all apart."""
    args = serve(connection)
    if args is None:
        os._exit(0)
    code: object = 1
    try:
        _run(args)
        code = 0
    except SystemExit as ended:
        code = ended.code
    except KeyboardInterrupt:
        traceback.print_exc()
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
    except Exception:  # noqa: BLE001 - as an interpreter does
        traceback.print_exc()
    if not isinstance(code, int | None):
        print(code, file=sys.stderr)
        code = 1
    threading._shutdown()  # type: ignore[attr-defined]  # waits for threads, as an interpreter does at its end
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit((code or 0) & 0xFF)


def _run(args: Sequence[str]) -> None:
    kind, what, *sys.argv[1:] = args
    if kind == "-m":
        runpy.run_module(what, run_name="__main__", alter_sys=True)
    else:
        sys.argv[0] = kind
        exec(what, {"__name__": "__main__"})  # noqa: S102 - the code of a test


if __name__ == "__main__":
    _main(socket.socket(fileno=int(sys.argv[1])))
