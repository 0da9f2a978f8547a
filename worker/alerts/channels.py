"""Sends one message: Slack-compatible webhook, signed webhook or mail."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import smtplib
import ssl
from collections.abc import Mapping
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid
from pathlib import Path
from typing import Any

from connectors.base import AccessDenied
from connectors.base.values import stored_text
from worker.alerts.alert_store import Message
from worker.alerts.conditions import KINDS
from worker.settings.alerts import Channel, EmailChannel, SlackChannel, WebhookChannel
from worker.settings.environment import secret
from worker.store.moments import iso

TIMEOUT_S = 10.0
TIMESTAMP_HEADER = "Plgsync-Timestamp"
SIGNATURE_HEADER = "Plgsync-Signature"
_MENTION = re.compile(r"(?<![\w.-])@(?=\w)")
_WORD_JOINER = "\u2060"  # not seen, and no part of a name


class NotSent(Exception):
    """The message was not sent. The text names the cause for the operator and holds no secret."""


def send(channel: Channel, message: Message, root: Path, now: datetime) -> None:
    """Send a message over one channel. Raises `NotSent`."""
    try:
        match channel:
            case SlackChannel():
                _post(secret(channel.url, root)(), {"text": without_markup(text_of(message)), "mrkdwn": False})
            case WebhookChannel():
                _post_signed(channel, message, root, now)
            case EmailChannel():
                _mail(channel, message, root, now)
    except AccessDenied as error:  # the secret cannot be read
        raise NotSent(str(error)) from None


def text_of(message: Message) -> str:
    """The message as text: a first line with kind and times, then the text of the condition."""
    since, text = _time(message.opened_at), stored_text(message.text)
    if message.phase == "start":
        return f"plgsync: {KINDS[message.kind]} since {since}\n{text}"
    return f"plgsync: recovered, {KINDS[message.kind]} from {since} to {_time(message.recovered_at)}\n{text}"


def without_markup(text: str) -> str:
    """The text for a chat: nothing in it is a link or a format, and it calls nobody.

    Slack reads ``<!channel>`` and ``<url|words>`` (its page on formatting text), Mattermost a bare ``@channel``.
    """
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _MENTION.sub("@" + _WORD_JOINER, escaped)


def payload_of(message: Message) -> dict[str, Any]:
    """The message as JSON; ``id`` stays the same when the message is sent again."""
    return {
        "id": f"{message.alert_id}-{message.phase}",
        "phase": message.phase,
        "kind": message.kind,
        "subject": message.subject,
        "text": stored_text(message.text),
        "opened_at": _time(message.opened_at),
        "recovered_at": _time(message.recovered_at) if message.recovered_at else None,
    }


def sign(key: str, timestamp: str, body: bytes) -> str:
    """``v1=`` and the HMAC-SHA256 over timestamp, a dot and body, in hex."""
    return "v1=" + hmac.new(key.encode(), timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()


def _time(moment: float | None) -> str:
    return iso(datetime.fromtimestamp(moment or 0.0, UTC))


def _post_signed(channel: WebhookChannel, message: Message, root: Path, now: datetime) -> None:
    body = json.dumps(payload_of(message), ensure_ascii=False).encode()
    timestamp = str(int(now.timestamp()))
    signature = sign(secret(channel.secret, root)(), timestamp, body)
    _post(channel.url, body, {TIMESTAMP_HEADER: timestamp, SIGNATURE_HEADER: signature})


def _post(url: str, body: object, headers: Mapping[str, str] | None = None) -> None:
    import requests  # here, because every command that can alert imports this module

    from connectors.bounded import post, refusal_in

    sent = body if isinstance(body, bytes) else json.dumps(body, ensure_ascii=False).encode()
    try:
        answer = post(url, sent, (TIMEOUT_S, TIMEOUT_S), {"Content-Type": "application/json", **(headers or {})})
    except (requests.RequestException, ValueError) as error:  # its text holds the address, which may be secret
        raise NotSent(f"cannot be reached ({refusal_in(error) or type(error).__name__})") from None
    if answer.status_code >= 300:
        raise NotSent(f"answered {answer.status_code}")


def _mail(channel: EmailChannel, message: Message, root: Path, now: datetime) -> None:
    mail = EmailMessage()
    first, rest = text_of(message).split("\n", 1)
    mail["Subject"], mail["From"], mail["To"] = first, channel.from_, ", ".join(channel.to)
    mail["Date"] = format_datetime(now)
    mail["Message-ID"] = make_msgid(f"{message.alert_id}-{message.phase}", domain=channel.from_.split("@")[1])
    mail.set_content(f"{first}\n\n{rest}\n")
    try:
        with smtplib.SMTP(channel.host, channel.port, timeout=TIMEOUT_S) as server:
            if channel.starttls:
                server.starttls(context=ssl.create_default_context())
            if channel.user and channel.password:
                server.login(channel.user, secret(channel.password, root)())
            server.send_message(mail)
    except smtplib.SMTPResponseException as error:
        raise NotSent(f"the mail server answered {error.smtp_code} ({type(error).__name__})") from None
    except (smtplib.SMTPException, OSError) as error:
        raise NotSent(f"the mail server cannot be used ({type(error).__name__})") from None
