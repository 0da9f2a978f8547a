"""config/crm.yaml: what is ours in each CRM, and names that clash or do not exist."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from connectors.base import FieldSpec, MatchField, TaskSettings
from worker.settings.crm import CrmSettings
from worker.settings.crm_check import check_crm
from worker.settings.known import FIELD_VALUES, SCORE_FIELDS, Known
from worker.settings.problems import Problem
from worker.settings.validation import place_findings, validate
from worker.settings.yaml_document import read_document

KNOWN = Known(fields=SCORE_FIELDS | {"account.domain"}, values=FIELD_VALUES)

BASE = """\
version: 1
destinations:
  sf:
    kind: salesforce
    base_url: https://acme.my.salesforce.com/
    auth: {method: jwt, client_id: abc, username: a@b.io, private_key: file:key.pem}
    account:
      object: Account
      match_field: Id__c
      fallbacks: [{field: Website, with: account.domain, kind: domain}]
    tasks: {key_field: Key__c}
    fields:
      health_score: {field: Health__c, from: health.score, type: number, precision: 3, scale: 0}
      health_band: {field: Band__c, from: health.band, type: enum, options: [red, yellow, green]}
      signal: {field: Signal__c, length: 80}
"""


def load(text: str) -> tuple[CrmSettings | None, list[Problem]]:
    document = read_document("config/crm.yaml", text.encode())
    settings, problems = validate(CrmSettings, document)
    found = place_findings(document, check_crm(settings, KNOWN)) if settings else []
    return settings, [*problems, *found]


def settings(text: str = BASE) -> CrmSettings:
    read, problems = load(text)
    assert problems == []
    assert read is not None
    return read


def test_a_destination_carries_what_its_connector_needs(tmp_path: Path) -> None:
    (tmp_path / "key.pem").write_text("KEY\n")
    made = settings().to_destination("sf", tmp_path)
    assert (made.name, made.kind, made.base_url) == ("sf", "salesforce", "https://acme.my.salesforce.com")
    assert (made.object, made.match_field, made.api_version) == ("Account", "Id__c", "67.0")
    assert made.fallbacks == (MatchField("Website", "account.domain", "domain"),)
    assert made.tasks == TaskSettings("Key__c")
    assert set(made.auth) == {"method", "client_id", "username", "private_key"}
    assert made.auth["client_id"] == "abc"
    key = made.auth["private_key"]
    assert callable(key)
    assert key() == "KEY"


def test_only_what_the_operator_opts_in_to_is_done() -> None:
    plain = settings()
    assert plain.destinations["sf"].account.create_missing is False
    assert plain.destinations["sf"].fields["signal"].write == "always"
    assert plain.guard.new_records == 50

    said = BASE.replace("{key_field: Key__c}", "{key_field: Key__c, at_least_once: true}")
    said = said.replace("length: 80", "write: if_ours")
    said = said.replace("Id__c\n", "Id__c\n      create_missing: true\n      create: {Name: account.domain}\n", 1)
    told = settings(said)
    assert told.to_destination("sf", Path()).tasks == TaskSettings("Key__c", at_least_once=True)
    assert told.destinations["sf"].account.create == {"Name": "account.domain"}
    assert told.destinations["sf"].fields["signal"].write == "if_ours"


def test_salesforce_calls_are_packed_as_configured() -> None:
    assert settings().to_destination("sf", Path()).options == {"composite": False, "bulk_from": 4_000}
    packed = settings(BASE + "    options: {composite: true, bulk_from: 0}\n").to_destination("sf", Path())
    assert packed.options == {"composite": True, "bulk_from": 0}


def test_a_fallback_may_look_on_contacts_and_leads() -> None:
    found = settings(BASE.replace("field: Website", "field: Lead.Email")).to_destination("sf", Path())
    assert found.fallbacks == (MatchField("Lead.Email", "account.domain", "domain"),)


def test_hubspot_needs_little() -> None:
    text = """
version: 1
destinations:
  hubspot:
    kind: hubspot
    auth: {token: env:T}
    account: {object: companies, match_field: plgsync_account_id}
"""
    made = settings(text).to_destination("hubspot", Path())
    assert (made.base_url, made.api_version, made.tasks) == ("https://api.hubapi.com", "2026-03", None)
    assert made.auth["method"] == "token"


def test_tasks_can_be_switched_off() -> None:
    off = settings(BASE.replace("{key_field: Key__c}", "{key_field: Key__c, enabled: false}"))
    assert off.to_destination("sf", Path()).tasks is None
    assert all(need.object == "account" for need in off.destinations["sf"].needs())


def test_setup_is_told_of_every_field() -> None:
    needs = {need.name: need for need in settings().destinations["sf"].needs()}
    assert (needs["Id__c"].unique, needs["Id__c"].length, needs["Id__c"].object) == (True, 64, "account")
    assert (needs["Key__c"].unique, needs["Key__c"].length, needs["Key__c"].object) == (True, 64, "task")
    assert (needs["Health__c"].type, needs["Health__c"].precision, needs["Health__c"].scale) == ("number", 3, 0)
    assert needs["Band__c"].options == ("red", "yellow", "green")
    assert (needs["Signal__c"].type, needs["Signal__c"].length, needs["Signal__c"].label) == ("string", 80, "Signal")


def test_names_are_known_to_the_other_files() -> None:
    read = settings(BASE + "    read: {renewal: Renewal__c}\n")
    assert read.computed_names() == {"health_score", "health_band"}


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("file:key.pem", "MIIEpAIBAAKCAQEA", "must not stand in a file in clear"),
        ("method: jwt", "method: password", '"password" is not one of: client_credentials, jwt, session'),
        ("kind: salesforce", "kind: pipedrive", '"pipedrive" is not one of: salesforce, hubspot'),
        ("https://acme.my.salesforce.com/", "acme.my.salesforce.com", "expected an address"),
        ("https://acme.my.salesforce.com/", "https://a:b@acme.com", "no user, no password"),
        ("https://acme.my.salesforce.com/", "https://acme.com/services/data", "no path"),
        ("https://acme.my.salesforce.com/", "http://[::1", "expected an address"),
        ("https://acme.my.salesforce.com/", "http://x:99999", "expected an address"),
        ("field: Signal__c", "field: Signal__c, write: once", '"once" is not one of: always, if_empty, if_ours'),
        ("match_field: Id__c", "match_field: Id__c\n      create_missing: true", 'needs "create" beside it'),
        ("match_field: Id__c", "match_field: Id__c\n      create: {Name: account.nam}", 'unknown field "account.nam"'),
        ("match_field: Id__c", "match_field: Id__c\n      create: {id__C: account.domain}", "by itself"),
        (
            "match_field: Id__c",
            "match_field: Id__c\n      create: {Health__C: account.domain}",
            "one writer per CRM field",
        ),
        ("{key_field: Key__c}", "{key_field: Key__c, at_least_once: 1}", "true or false"),
        ("field: Signal__c", "field: Signal__c, null: zero", '"zero" is not one of: clear, keep'),
        ("field: Signal__c, length: 80", "field: Signal__c, type: number, length: 80", '"length" is for'),
        ("options: [red, yellow, green]", "options: []", "go together"),
        ("options: [red, yellow, green]", "options: [red, red]", "named twice"),
        ("scale: 0", "scale: 4", "cannot be more than"),
        ("options: [red, yellow, green]", "options: [red, yellow]", "health.band can also be green"),
        ("from: health.score", "from: healht.score", 'unknown field "healht.score". Did you mean "health.score"?'),
        ("with: account.domain", "with: account.domian", 'Did you mean "account.domain"?'),
        ("field: Signal__c", "field: Health__c", "one writer per CRM field"),
        ("field: Signal__c", "field: health__C", "one writer per CRM field"),
        ("field: Signal__c", "field: id__c", "is the match field"),
        ("field: Signal__c", "field: Signal c", "does not have the form"),
        ("field: Website", "field: Contact.Account.Website", "does not have the form"),
        ("kind: salesforce", "kind: salesforce\n    options: {bulk_from: -1}", "0"),
        ("kind: salesforce", "kind: salesforce\n    options: {bulk_form: 5}", "bulk_from"),
        ("length: 80", "precision: 3", '"precision" and "scale" are for "type: number"'),
        ("file:key.pem", "", "nothing is written here"),
        ("signal:", "Signal:", "must be a small name"),
        ("kind: salesforce", "kind: salesforce\n    quota: {share: 80}", "write 80%"),
        ("kind: salesforce", "kind: salesforce\n    quota: {share: 0%}", "would never deliver anything"),
        ("kind: salesforce", "kind: salesforce\n    quota: {daily: 0}", "1"),
        ("kind: salesforce", "kind: salesforce\n    quota: {dayly: 5}", "dayly"),
    ],
)
def test_each_mistake_is_refused_where_it_stands(old: str, new: str, says: str) -> None:
    text = BASE.replace(old, new)
    assert text != BASE
    _, (problem, *others) = load(text)
    assert others == []
    assert says in problem.message
    assert problem.line >= 4


def test_an_unquoted_version_is_explained() -> None:
    _, (problem,) = load(BASE.replace("kind: salesforce", "kind: salesforce\n    api_version: 67.0"))
    assert 'put quotes around it: "67.0"' in problem.message


@pytest.mark.parametrize(
    ("queue", "says"),
    [
        ("[]", "the queue sales is empty"),
        ("[ann]", '"ann" is not an e-mail'),
        ("[a@b.io, A@b.io]", "is in sales twice"),
    ],
)
def test_a_queue_is_people(queue: str, says: str) -> None:
    _, (problem,) = load(f"version: 1\nqueues:\n  sales: {queue}\n")
    assert says in problem.message


def test_read_back_names_must_not_hide_ours() -> None:
    _, (problem,) = load(BASE + "    read: {owner_email: Boss__c}\n")
    assert "is always read" in problem.message


def test_four_fifths_of_a_crms_day_are_ours_unless_told_otherwise() -> None:
    (one,) = settings().destinations.values()
    assert (one.quota.share, one.quota.daily) == (0.80, None)
    (one,) = settings(BASE + "    quota: {share: 50%, daily: 9000}\n").destinations.values()
    assert (one.quota.share, one.quota.daily) == (0.50, 9000)


def test_the_guard_is_in_force_unless_told_otherwise() -> None:
    guard = settings("version: 1\n").guard
    assert (guard.changed_share, guard.new_tasks, guard.cleared_share) == (0.30, 200, 0.05)


HUBSPOT = """\
version: 1
destinations:
  hs:
    kind: hubspot
    auth: {method: oauth, client_id: 1b2c, client_secret: env:HS_SECRET, refresh_token: file:refresh.txt}
    account: {object: companies, match_field: plgsync_account_id}
    fields:
      stage: {field: lifecyclestage, type: enum, options: [lead, customer], null: keep}
"""


def test_a_fallback_may_look_at_the_contact_who_leads_to_the_record() -> None:
    text = BASE.replace(
        "field: Website, with: account.domain, kind: domain", "field: Contact.Email, with: account.domain"
    )
    assert settings(text).to_destination("sf", Path()).fallbacks == (MatchField("Contact.Email", "account.domain"),)
    assert load(BASE.replace("field: Website", "field: Contact.Email.x"))[1]


def test_hubspot_signs_in_as_an_app_whose_secrets_are_read_when_needed(tmp_path: Path) -> None:
    (tmp_path / "refresh.txt").write_text("one\n")
    made = settings(HUBSPOT.replace("null: keep", "null: keep, forward_only: true")).to_destination("hs", tmp_path)
    assert (made.auth["method"], made.auth["client_id"]) == ("oauth", "1b2c")
    refresh = made.auth["refresh_token"]
    assert callable(refresh)
    assert refresh() == "one"
    (tmp_path / "refresh.txt").write_text("two\n")
    assert refresh() == "two"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("client_secret: env:HS_SECRET", "client_secret: hush", "must not stand in a file in clear"),
        ("client_secret: env:HS_SECRET, ", "", "client_secret"),
        ("method: oauth", "method: basic", "basic"),
        ("null: keep", "null: keep", '"forward_only: true" goes with the field lifecyclestage'),
        ("null: keep", "forward_only: true", '"null: keep" goes with the field lifecyclestage'),
        ("lifecyclestage", "pql_status, forward_only: true", "lifecyclestage"),
    ],
)
def test_what_hubspot_settings_refuse(old: str, new: str, message: str) -> None:
    _, problems = load(HUBSPOT.replace(old, new))
    assert any(message in problem.message for problem in problems), problems


def test_a_fallback_that_leads_to_no_record_is_shown_where_it_stands() -> None:
    _, problems = load(BASE.replace("field: Website, with: account.domain", "field: User.Email, with: account.domain"))
    assert [(problem.line, problem.column, problem.message) for problem in problems] == [
        (10, 27, "User.Email does not lead to a record of Account; what does: Contact, Lead")
    ]


def test_a_field_is_never_wider_than_the_settings_say() -> None:
    fields = settings().destinations["sf"].fields
    number, text = FieldSpec(name="Health__c", type="number"), FieldSpec(name="Signal__c", type="string")
    assert fields["health_score"].within(number).scale == 0
    assert fields["signal"].within(text).length == 80
    assert fields["signal"].within(replace(text, length=40)).length == 40
    assert fields["health_score"].within(replace(number, scale=2)).scale == 0
    assert fields["health_band"].within(text) == text


def test_a_field_computed_for_one_destination_is_not_left_to_playbooks_in_another() -> None:
    other = HUBSPOT.partition("destinations:\n")[2].replace("null: keep", "length: 20")
    stage = "stage: {field: lifecyclestage, type: enum, options: [lead, customer]"
    other = other.replace(stage, "health_band: {field: b")
    _, problems = load(BASE + other)
    assert [problem.message for problem in problems] == [
        '"health_band" has a "from" in another destination; one writer per field: give it one here too'
    ]
