"""Each alert sends one message at its start and one at its recovery, over real HTTP and SMTP, from many workers."""

from __future__ import annotations

import hashlib
import hmac
import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from sqlalchemy import Engine, select, update

from worker.alerts.alert_store import QUIET_S, claim_message, open_alerts
from worker.alerts.notify import raise_alerts
from worker.settings.alerts import AlertSettings
from worker.store.job_results import record_job_result
from worker.store.tables import alert_messages, alerts

SECRET = "s3cret-of-both-sides"


class Inbox:
    """A real HTTP server that keeps the requests; it answers with ``answers`` in turn, then 200.

    It calls ``meanwhile`` once after it has read a message and before it answers.
    """

    def __init__(self) -> None:
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.answers: list[int] = []
        self.meanwhile: Callable[[], None] | None = None
        inbox = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                answer = inbox.answers.pop(0) if inbox.answers else 200
                meanwhile, inbox.meanwhile = inbox.meanwhile, None
                if meanwhile:
                    meanwhile()
                if answer == 200:
                    inbox.got.append((dict(self.headers), body))
                self.send_response(answer)
                self.end_headers()

            def log_message(self, *_: Any) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}/hook"

    def texts(self) -> list[str]:
        return [json.loads(body)["text"] for _, body in self.got]


@pytest.fixture
def inbox() -> Iterator[Inbox]:
    made = Inbox()
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture
def slack(inbox: Inbox, monkeypatch: pytest.MonkeyPatch) -> AlertSettings:
    monkeypatch.setenv("HOOK", inbox.url)
    return settings({"ops": {"kind": "slack", "url": "env:HOOK"}})


def settings(channels: dict[str, Any]) -> AlertSettings:
    return AlertSettings.model_validate({"version": 1, "channels": channels})


def ends(store: Engine, kind: str = "", problem: str = "") -> None:
    """The daily run ends with this result."""
    with store.begin() as connection:
        record_job_result(connection, "daily", "run", kind, problem)


def look(store: Engine, wanted: AlertSettings, root: Path = Path()) -> None:
    raise_alerts(store, wanted, root, None)


def make_due(store: Engine) -> None:
    with store.begin() as connection:
        connection.execute(update(alert_messages).values(due_at=0.0))


def long_after(store: Engine) -> None:
    """Every recovery happened more than an hour ago."""
    with store.begin() as connection:
        connection.execute(update(alerts).values(recovered_at=alerts.c.recovered_at - QUIET_S - 1))


def test_one_message_at_the_start_and_one_at_recovery(store: Engine, inbox: Inbox, slack: AlertSettings) -> None:
    ends(store)
    look(store, slack)
    assert inbox.texts() == []
    for problem in ("the newest event is 3 days old", "the newest event is 4 days old"):
        ends(store, "StaleData", problem)
        look(store, slack)
        look(store, slack)
    (start,) = inbox.texts()
    assert start.startswith("plgsync: stale data since ")
    assert "daily ended early: the newest event is 3 days old" in start
    with store.begin() as connection:
        assert [row["text"] for row in open_alerts(connection)] == ["daily ended early: the newest event is 4 days old"]
    ends(store)
    look(store, slack)
    look(store, slack)
    assert [text.split(" ")[1] for text in inbox.texts()] == ["stale", "recovered,"]


def test_what_a_message_quotes_calls_nobody_and_is_no_markup(store: Engine, inbox: Inbox, slack: AlertSettings) -> None:
    ends(store)
    ends(store, "StaleData", "<!channel> @here, @ann & <http://evil.example|us>: ann@example.com \x1b[1m")
    look(store, slack)
    (text,) = inbox.texts()
    assert "&lt;!channel&gt; @\u2060here, @\u2060ann &amp; &lt;http://evil.example|us&gt;: ann@example.com  [1m" in text
    assert json.loads(inbox.got[0][1])["mrkdwn"] is False


def test_a_flapping_condition_sends_two_messages_an_hour(store: Engine, inbox: Inbox, slack: AlertSettings) -> None:
    for _ in range(5):
        ends(store, "UnsafePlan", "too much")
        look(store, slack)
        ends(store)
        look(store, slack)
    assert len(inbox.got) == 2
    ends(store, "UnsafePlan", "too much")
    long_after(store)
    look(store, slack)
    assert len(inbox.got) == 3


def test_many_workers_at_once_send_one_message(store: Engine, inbox: Inbox, slack: AlertSettings) -> None:
    ends(store, "SourceError")
    for expected in (1, 2):
        together = threading.Barrier(6, timeout=30)

        def worker(_: int, together: threading.Barrier = together) -> None:
            together.wait()
            for _round in range(3):
                look(store, slack)

        with ThreadPoolExecutor(6) as pool:
            list(pool.map(worker, range(6)))
        assert len(inbox.got) == expected
        ends(store)


def test_a_channel_that_is_down_loses_no_message_and_delays_no_other_channel(
    store: Engine, inbox: Inbox, slack: AlertSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET", SECRET)
    down = {"down": {"kind": "webhook", "url": "http://127.0.0.1:9/x", "secret": "env:SECRET"}}
    both = AlertSettings(version=1, channels={**slack.channels, **settings(down).channels})
    inbox.answers = [503, 302, 429]
    ends(store, "SourceError")
    for _ in range(4):
        look(store, both)
        look(store, both)  # not due yet
        make_due(store)
    assert len(inbox.texts()) == 1
    with store.begin() as connection:
        left = connection.execute(select(alert_messages).where(alert_messages.c.state == "pending")).mappings().all()
    assert [(row["channel"], row["attempts"]) for row in left] == [("down", 4)]
    assert "cannot be reached" in left[0]["last_error"]


def test_a_start_that_could_not_be_sent_is_named_by_the_recovery(
    store: Engine, inbox: Inbox, slack: AlertSettings
) -> None:
    inbox.answers = [500]
    ends(store, "SourceError")
    look(store, slack)
    ends(store)
    look(store, slack)
    (only,) = inbox.texts()
    assert only.startswith("plgsync: recovered, a run failed from ")


@pytest.mark.parametrize(("answer", "subjects"), [(200, ["stale", "recovered,"]), (503, ["recovered,"])])
def test_a_recovery_while_the_start_is_being_sent_follows_the_start(
    store: Engine, inbox: Inbox, slack: AlertSettings, answer: int, subjects: list[str]
) -> None:
    def recovers() -> None:
        ends(store)
        look(store, slack)

    inbox.answers, inbox.meanwhile = [answer], recovers
    ends(store, "StaleData", "the newest event is 3 days old")
    for _ in range(3):
        look(store, slack)
        make_due(store)
    assert [text.split(" ")[1] for text in inbox.texts()] == subjects
    with store.begin() as connection:
        assert set(connection.execute(select(alert_messages.c.state)).scalars()) == {"sent"}


def test_a_start_whose_sender_died_is_not_sent_after_recovery(
    store: Engine, inbox: Inbox, slack: AlertSettings
) -> None:
    ends(store, "StaleData", "old")
    inbox.answers = [503]
    look(store, slack)
    make_due(store)
    with store.begin() as connection:
        assert claim_message(connection, ["ops"]) is not None, "leased by a worker that dies"
    ends(store)
    look(store, slack)
    assert inbox.got == [], "the dead worker's lease still holds"
    make_due(store)
    look(store, slack)
    look(store, slack)
    assert [text.split(" ")[1] for text in inbox.texts()] == ["recovered,"]


def test_a_worker_that_dies_while_sending_leaves_the_message_to_the_next(
    store: Engine, inbox: Inbox, slack: AlertSettings
) -> None:
    ends(store, "SourceError")
    look(store, settings({}))
    with store.begin() as connection:
        connection.execute(
            alert_messages.insert().values(alert_id=1, channel="ops", phase="start", state="pending", due_at=0.0)
        )
        assert claim_message(connection, ["ops"]) is not None, "leased by a worker that dies"
    look(store, slack)
    assert inbox.got == []
    make_due(store)
    look(store, slack)
    assert len(inbox.got) == 1


def test_a_webhook_is_signed_as_documented(store: Engine, inbox: Inbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", SECRET)
    ends(store, "UnsafePlan", "crm: 90 of 100 records would change")
    look(store, settings({"pager": {"kind": "webhook", "url": inbox.url, "secret": "env:SECRET"}}))
    ((headers, body),) = inbox.got
    expected = hmac.new(SECRET.encode(), headers["Plgsync-Timestamp"].encode() + b"." + body, hashlib.sha256)
    assert hmac.compare_digest(headers["Plgsync-Signature"], "v1=" + expected.hexdigest())
    assert abs(int(headers["Plgsync-Timestamp"]) - datetime.now(UTC).timestamp()) < 300
    sent = json.loads(body)
    assert (sent["id"], sent["phase"], sent["kind"], sent["subject"]) == ("1-start", "start", "guard_tripped", "daily")


def test_a_channel_receives_only_the_kinds_it_names(
    store: Engine, inbox: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOOK", inbox.url)
    ends(store, "UnsafePlan", "too much")
    look(store, settings({"ops": {"kind": "slack", "url": "env:HOOK", "only": ["stale_data"]}}))
    assert inbox.got == []


class Letters:
    """The mails that an SMTP server accepted."""

    def __init__(self) -> None:
        self.got: list[Any] = []

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's name
        self.got.append(envelope)
        return "250 OK"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


@contextmanager
def mail_server(letters: Letters, **more: Any) -> Iterator[int]:
    controller = Controller(letters, hostname="127.0.0.1", port=free_port(), **more)
    controller.start()
    yield controller.port
    controller.stop()


@pytest.fixture
def post_office() -> Iterator[tuple[int, Letters]]:
    letters = Letters()
    with mail_server(letters) as port:
        yield port, letters


def mail(port: int, **more: Any) -> AlertSettings:
    where = {"kind": "email", "host": "127.0.0.1", "port": port, "from": "plgsync@example.com"}
    return settings({"mail": {**where, "to": ["ops@example.com", "ann@example.com"], **more}})


def test_a_mail_goes_to_everybody_named(store: Engine, post_office: tuple[int, Letters]) -> None:
    port, letters = post_office
    ends(store, "StaleData", "the newest event is 3 days old")
    look(store, mail(port, starttls=False))
    (envelope,) = letters.got
    assert envelope.rcpt_tos == ["ops@example.com", "ann@example.com"]
    read = message_from_bytes(envelope.content, policy=policy.default)
    assert read["Subject"].startswith("plgsync: stale data since ")
    assert "the newest event is 3 days old" in read.get_content()


def test_no_mail_is_sent_to_a_server_without_encryption(store: Engine, post_office: tuple[int, Letters]) -> None:
    port, letters = post_office
    ends(store, "StaleData", "old")
    look(store, mail(port))
    assert letters.got == []
    with store.begin() as connection:
        (row,) = connection.execute(select(alert_messages)).mappings().all()
    assert (row["state"], row["last_error"]) == ("pending", "the mail server cannot be used (SMTPNotSupportedError)")


def certificate_of_localhost(folder: Path) -> Path:
    """A certificate and its key in one file, signed by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now, now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    form = (Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (folder / "mail.pem").write_bytes(key.private_bytes(*form) + made.public_bytes(Encoding.PEM))
    return folder / "mail.pem"


def test_mail_is_encrypted_with_login_and_a_verified_server(
    sqlite_store: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate = certificate_of_localhost(tmp_path)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    monkeypatch.setenv("MAIL_PASSWORD", "hunter2")
    letters, asked = Letters(), []

    def authenticator(_server: Any, session: Any, _envelope: Any, _how: str, given: Any) -> AuthResult:
        asked.append((given.login, given.password, session.ssl is not None))
        return AuthResult(success=True)

    signed_in = {"user": "plgsync", "password": "env:MAIL_PASSWORD"}
    with mail_server(letters, tls_context=context, require_starttls=True, authenticator=authenticator) as port:
        ends(sqlite_store, "StaleData", "old")
        look(sqlite_store, mail(port, **signed_in))
        assert (letters.got, asked) == ([], []), "no known authority signed this server's certificate"
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        make_due(sqlite_store)
        look(sqlite_store, mail(port, **signed_in))
    assert len(letters.got) == 1
    assert asked == [(b"plgsync", b"hunter2", True)]
