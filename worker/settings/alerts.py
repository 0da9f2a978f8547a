"""config/alerts.yaml: where alerts are sent, and their thresholds. Without the file no alert is sent."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Literal

from pydantic import Field, model_validator

from worker.settings.base import Finding, Percent, SecretRef, Strict
from worker.settings.known import Known

AlertKind = Literal[
    "run_failed",
    "stale_data",
    "guard_tripped",
    "rejected",
    "dead_letters",
    "quota_short",
    "unreadable_data",
    "access_denied",
    "playbook_paused",
]
Mail = Annotated[str, Field(pattern=r"^[^@\s<>]+@[^@\s<>]+$", examples=["ops@example.com"])]


class SlackChannel(Strict):
    """A webhook that takes Slack's ``{"text": …}``: Slack, Mattermost, Rocket.Chat, Teams by a workflow."""

    kind: Literal["slack"]
    url: SecretRef
    """A secret: everybody who knows the address may post."""
    only: tuple[AlertKind, ...] = ()
    """Send only these kinds; left out: everything."""


class WebhookChannel(Strict):
    """A service of your own: JSON, signed with a secret that both sides know."""

    kind: Literal["webhook"]
    url: Annotated[str, Field(pattern=r"^https?://[^\s@]+$", examples=["https://alerts.example.com/plgsync"])]
    """The address that alerts are posted to."""
    secret: SecretRef
    """The key of the signature."""
    only: tuple[AlertKind, ...] = ()
    """Send only these kinds; left out: everything."""


class EmailChannel(Strict):
    """Mail over SMTP."""

    kind: Literal["email"]
    host: str
    """The SMTP server."""
    port: Annotated[int, Field(ge=1, le=65535)] = 587
    """Its port."""
    starttls: bool = True
    """Send nothing when the server offers no encryption. Switch off only for a server on this machine."""
    user: str | None = None
    """The login; left out: none."""
    password: SecretRef | None = None
    """The password of ``user``."""
    from_: Mail = Field(alias="from")
    """The sender."""
    to: Annotated[tuple[Mail, ...], Field(min_length=1)]
    """The recipients."""
    only: tuple[AlertKind, ...] = ()
    """Send only these kinds; left out: everything."""

    @model_validator(mode="after")
    def _signs_in_whole(self) -> EmailChannel:
        if (self.user is None) != (self.password is None):
            raise ValueError('"user" and "password" go together')
        if self.password and not self.starttls:
            raise ValueError("a password is only sent encrypted: leave starttls on")
        return self


Channel = Annotated[SlackChannel | WebhookChannel | EmailChannel, Field(discriminator="kind")]


class Thresholds(Strict):
    """From when on something is worth a message."""

    rejected_share: Percent = 0.05
    """A CRM rejected more than this share of a day's writes."""
    rejected_of_at_least: Annotated[int, Field(ge=1)] = 20
    """The share counts only from this many writes on."""
    dead_letters: Annotated[int, Field(ge=1)] = 1
    """This many outbox rows became dead."""
    quota_left: Percent = 0.1
    """Less than this share of the day's API calls is left."""


class AlertSettings(Strict):
    """The whole of config/alerts.yaml."""

    version: Literal[1]
    channels: dict[str, Channel] = Field(default_factory=dict)
    """Name: where alerts are sent."""
    when: Thresholds = Thresholds()


NO_ALERTS = AlertSettings(version=1)


def check_alerts(settings: AlertSettings, known: Known) -> Iterable[Finding]:  # noqa: ARG001 - one shape for all checks
    """Channels that would leave an important alert unsent."""
    kinds = {kind for channel in settings.channels.values() for kind in channel.only}
    everything = any(not channel.only for channel in settings.channels.values())
    if settings.channels and not everything and "run_failed" not in kinds:
        yield Finding(("channels",), 'no channel sends "run_failed": add it to "only"', severity="warning")
