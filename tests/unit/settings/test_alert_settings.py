"""config/alerts.yaml: channels that can send, and a warning when no channel receives a failed run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from worker.settings.alerts import NO_ALERTS, AlertSettings, check_alerts
from worker.settings.known import Known
from worker.settings.project import load_alerts

MAIL = {"kind": "email", "host": "smtp.example.com", "from": "plgsync@example.com", "to": ["ops@example.com"]}


def channels(**named: dict[str, Any]) -> AlertSettings:
    return AlertSettings.model_validate({"version": 1, "channels": named})


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"user": "plgsync"}, '"user" and "password" go together'),
        ({"password": "env:MAIL_PASSWORD"}, '"user" and "password" go together'),
        ({"user": "plgsync", "password": "env:MAIL_PASSWORD", "starttls": False}, "only sent encrypted"),
    ],
)
def test_mail_never_sends_a_password_in_clear_or_half_a_login(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        channels(mail=MAIL | changes)


def test_mail_may_go_without_a_login_or_with_an_encrypted_one() -> None:
    assert channels(mail=MAIL, login=MAIL | {"user": "plgsync", "password": "env:MAIL_PASSWORD"}).channels


@pytest.mark.parametrize(
    ("only", "warned"), [([], False), (["run_failed"], False), (["stale_data"], True)], ids=["all", "failed", "stale"]
)
def test_settings_in_which_no_channel_receives_a_failed_run_are_warned_of(only: list[str], warned: bool) -> None:
    found = list(check_alerts(channels(mail=MAIL | {"only": only}), Known()))
    assert [one.severity for one in found] == ["warning"] * warned


def test_without_channels_nobody_is_warned() -> None:
    assert list(check_alerts(NO_ALERTS, Known())) == []


def test_alerts_are_read_while_other_files_are_wrong(tmp_path: Path) -> None:
    assert load_alerts(tmp_path) == NO_ALERTS
    folder = tmp_path / "config"
    folder.mkdir()
    (folder / "crm.yaml").write_text("nonsense")
    (folder / "alerts.yaml").write_text("version: 1\nchannels: {ops: {kind: slack, url: env:HOOK}}\n")
    assert list(load_alerts(tmp_path).channels) == ["ops"]
    (folder / "alerts.yaml").write_text("version: 1\nchannels: {ops: {kind: fax}}\n")
    assert load_alerts(tmp_path) == NO_ALERTS
