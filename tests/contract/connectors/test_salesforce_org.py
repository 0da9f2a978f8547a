"""What only Salesforce has: its logins, merges, field-level security, triggers, and the price of each call."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from structlog.testing import capture_logs

from connectors.base import (
    LEFT_ALONE,
    AccessDenied,
    CloseTask,
    Connector,
    DealFact,
    FieldNeed,
    MatchField,
    RecordFact,
    UpdateTask,
)
from connectors.registry import connect
from connectors.sandbox.serve import Credentials, running
from tests.contract.connectors.drive import companies, match_key, statuses, task, update, values, write_calls
from tests.contract.connectors.harness import Company
from tests.contract.connectors.harness_salesforce import KEY_FIELD, KEYS, MATCH_FIELD, SalesforceCrm

RSA = rsa.generate_private_key(65537, 2048)
PEM = RSA.private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
).decode()
PUBLIC = (
    RSA.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()
)


@pytest.fixture(scope="module")
def server() -> Iterator[SalesforceCrm]:
    accepted = replace(Credentials.generate(), salesforce_public_key=PUBLIC)
    crm = SalesforceCrm(running(hubspot_port=None, credentials=accepted))
    yield crm
    crm.stop()


@pytest.fixture
def org(server: SalesforceCrm) -> SalesforceCrm:
    return server.set_up()


@pytest.fixture
def connector(org: SalesforceCrm) -> Iterator[Connector]:
    connector = org.connect()
    yield connector
    connector.close()


def with_auth(org: SalesforceCrm, **auth: Any) -> Connector:
    return connect(replace(org.destination(), auth=auth))


def logins(org: SalesforceCrm) -> int:
    return sum("oauth2/token" in call.path for call in org.calls())


# ------------------------------------------------------------------ logins


def test_a_jwt_signed_with_the_apps_key_is_a_login(org: SalesforceCrm) -> None:
    auth = {"method": "jwt", "client_id": org.address["client_id"], "username": org.address["username"]}
    assert org.address["username"] in with_auth(org, **auth, private_key=lambda: PEM).check().identity
    other = rsa.generate_private_key(65537, 2048).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    with pytest.raises(AccessDenied, match="invalid_grant"):
        with_auth(org, **auth, private_key=other.decode()).check()
    with pytest.raises(AccessDenied, match="hasn't approved this consumer"):
        with_auth(org, **{**auth, "username": "else@example.com"}, private_key=PEM).check()


def test_a_wrong_secret_is_refused_once_and_not_shown(org: SalesforceCrm) -> None:
    auth = {"method": "client_credentials", "client_id": org.address["client_id"], "client_secret": "wr0ngsecret"}
    with pytest.raises(AccessDenied, match="invalid_client") as caught:
        with_auth(org, **auth).check()
    assert "wr0ngsecret" not in str(caught.value)
    assert len(org.calls()) == 1


def test_a_rotated_secret_needs_no_restart(org: SalesforceCrm) -> None:
    secret = [org.address["client_secret"]]
    auth = {"method": "client_credentials", "client_id": org.address["client_id"], "client_secret": lambda: secret[0]}
    connector = with_auth(org, **auth)
    connector.owners()
    org.mutate(do="expire_sessions")
    secret[0] = "wrong"
    with pytest.raises(AccessDenied):
        connector.owners()
    secret[0] = org.address["client_secret"]
    assert connector.owners()


def test_a_session_that_ends_cannot_be_renewed_here(org: SalesforceCrm) -> None:
    good = org.connect()
    good.owners()
    token = good._client._tokens.current().access  # type: ignore[attr-defined]
    connector = with_auth(org, method="session", session_id=lambda: token)
    assert connector.owners()
    org.mutate(do="expire_sessions")
    org.forget_calls()
    with pytest.raises(AccessDenied, match="configure a new one"):
        connector.owners()
    assert len(org.calls()) == 1


def test_check_names_what_an_admin_has_to_do(server: SalesforceCrm) -> None:
    server.reset()
    problems = server.connect().check().problems
    assert [word for word in (MATCH_FIELD, KEY_FIELD) if any(word in problem for problem in problems)] == [
        MATCH_FIELD,
        KEY_FIELD,
    ]


# ------------------------------------------------------------------ what calls cost


def test_matching_600_known_records_costs_one_call_and_the_describe(org: SalesforceCrm, connector: Connector) -> None:
    records = companies(org, 600)
    org.forget_calls()
    found = connector.match([match_key(f"a{n}", record) for n, record in enumerate(records)], [org.field("score")])
    assert [match.record_id for match in found] == records
    assert len(org.calls()) == 3  # login, describe, one composite of two queries


def test_making_300_tasks_costs_one_look_and_two_writes(org: SalesforceCrm, connector: Connector) -> None:
    connector.write([task(record) for record in companies(org, 300)])
    assert (connector.usage().calls, connector.usage().write_calls) == (3, 2)
    assert write_calls(org) == 2


def test_making_nothing_new_costs_one_look(org: SalesforceCrm, connector: Connector) -> None:
    operations = [task(record) for record in companies(org, 20)]
    connector.write(operations)
    org.forget_calls()
    connector.write(operations)
    assert len(org.calls()) == 1
    assert write_calls(org) == 0


def test_reading_back_costs_one_call_and_the_describe(org: SalesforceCrm, connector: Connector) -> None:
    operations = [task(record) for record in companies(org, 50)]
    tasks = {outcome.key: outcome.record_id or "" for outcome in connector.write(operations)}
    cursor = connector.read_back({}, [], tasks).cursor
    org.forget_calls()
    connector.read_back(cursor, [org.field("score")], tasks)
    assert len(org.calls()) == 1


# ------------------------------------------------------------------ records


def test_merges_of_merges_are_followed(org: SalesforceCrm, connector: Connector) -> None:
    first, second, last = org.add_companies([Company("One"), Company("Two"), Company("Three")])
    org.human_merges(second, first)
    org.human_merges(last, second)
    assert connector.match([match_key("a1", first)], [])[0].record_id == last


def test_two_accounts_whose_records_were_merged_do_not_share_the_survivor(
    org: SalesforceCrm, connector: Connector
) -> None:
    survivor, loser = org.add_companies([Company("One", None, "a1"), Company("Two")])
    org.human_merges(survivor, loser)
    ours, theirs = connector.match([match_key("a1", survivor), match_key("a2", loser)], [])
    assert ours.record_id == survivor
    assert (theirs.status, theirs.candidates) == ("ambiguous", (survivor,))


def test_a_contact_can_lead_to_its_account(org: SalesforceCrm) -> None:
    records = org.add_companies([Company("Acme"), Company("Bolt"), Company("Core")])
    people = [(0, "Ann@Acme.example"), (1, "x@y.example"), (2, "x@y.example")]
    for n, email in people:
        person = {"LastName": "Lee", "Email": email, "AccountId": records[n]}
        org.mutate(do="create", object="Contact", values=person)
    fallback = MatchField("Contact.Email", "account.owner_email", "email")
    connector = connect(replace(org.destination(), fallbacks=(fallback,)))
    keys = [match_key("a1", owner_email="ann@acme.example"), match_key("a2", owner_email="x@y.example")]
    one, several = connector.match([*keys, match_key("a3", owner_email="no@one.example")], [])[:2]
    assert (one.record_id, one.by) == (records[0], "Contact.Email")
    assert (several.status, sorted(several.candidates)) == ("ambiguous", sorted(records[1:]))


def test_a_deleted_account_is_reported(org: SalesforceCrm, connector: Connector) -> None:
    [record] = companies(org, 1)
    cursor = connector.read_back({}, [], {}).cursor
    org.pass_time(60)
    org.human_deletes_company(record)
    [gone] = [fact for fact in connector.read_back(cursor, [], {}).facts if isinstance(fact, RecordFact)]
    assert (gone.record_id, gone.deleted) == (record, True)


def test_deals_are_reported_even_when_their_amount_is_hidden(org: SalesforceCrm, connector: Connector) -> None:
    [record] = companies(org, 1)
    deal = org.add_deal(record, 900.0)
    org.mutate(do="hide_field", object="Opportunity", field="Amount")
    [fact_read] = [fact for fact in connector.read_back({}, [], {}).facts if isinstance(fact, DealFact)]
    assert (fact_read.id, fact_read.open, fact_read.amount) == (deal, True, None)


@pytest.mark.parametrize("kind", ["lock", "wrap_lock_in_trigger"])
def test_locked_records_are_sent_once_more_even_if_a_trigger_says_so(
    org: SalesforceCrm, connector: Connector, kind: str
) -> None:
    records = companies(org, 10)
    org.control("faults", {"kind": kind, "args": {"ids": records[:3]}, "match": {"path_regex": "composite/sobjects"}})
    assert statuses(connector.write([update(org, record, score=4) for record in records])) == ["applied"] * 10
    assert values(org, records, "score") == [4] * 10
    assert write_calls(org) == 2


def test_a_value_outside_a_restricted_picklist_is_rejected_without_being_shown(
    org: SalesforceCrm, connector: Connector
) -> None:
    [record] = companies(org, 1)
    [outcome] = connector.write([update(org, record, kind="secret4711")])
    assert (outcome.status, outcome.code) == ("rejected", "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST")
    assert "secret4711" not in outcome.reason


def test_a_task_whose_owner_has_left_since_is_made_without_that_owner(org: SalesforceCrm, connector: Connector) -> None:
    here, gone = org.add_owner("here@example.com"), org.add_owner("gone@example.com")
    ann = org.human_adds_person("ann@example.com")
    records = companies(org, 3)
    org.mutate(do="edit", id=gone, values={"IsActive": False})
    org.forget_calls()
    operations = [
        task(records[0], owner_id=gone),
        replace(task(records[1], owner_id=gone), person_id=ann),
        task(records[2], owner_id=here),
    ]
    with capture_logs() as logged:
        assert statuses(connector.write(operations)) == ["applied"] * 3
    assert [one["owners"] for one in logged if one["event"] == "salesforce_task_without_owner"] == [[gone]]
    assert write_calls(org) == 2
    made = {one.key: one for one in org.tasks()}
    ours = connector._client.our_user_id()  # type: ignore[attr-defined]
    assert [made[op.key].owner_id for op in operations] == [ours, ours, here]
    assert [made[op.key].person_id for op in operations] == [None, ann, None]
    assert len(org.tasks()) == 3


def test_a_task_whose_owner_and_person_have_both_left_is_still_made(org: SalesforceCrm, connector: Connector) -> None:
    [record] = companies(org, 1)
    gone, ann = org.add_owner("gone@example.com", active=False), org.human_adds_person("ann@example.com")
    org.human_deletes_person(ann)
    assert statuses(connector.write([replace(task(record, owner_id=gone), person_id=ann)])) == ["applied"]
    [made] = org.tasks()
    assert (made.record_id, made.person_id, made.owner_id != gone) == (record, None, True)


def test_when_the_look_after_a_lost_race_fails_the_tasks_made_beside_it_are_reported(
    org: SalesforceCrm, connector: Connector
) -> None:
    operations = [task(record) for record in companies(org, 3)]
    org.control("faults", {"kind": "dup_race", "match": {"path_regex": "composite/sobjects/Task/"}})
    org.control("faults", {"kind": "quota_exhausted", "match": {"path_regex": "/queryAll", "nth": 2}})
    outcomes = connector.write(operations)
    made = {one.key: one.id for one in org.tasks()}
    assert len(made) == 3  # one is the other client's
    assert sorted(statuses(outcomes)) == ["applied", "applied", "retry"]
    assert all(one.record_id == made[one.key] for one in outcomes if one.status == "applied")
    assert [one.record_id for one in connector.write(operations)] == [made[op.key] for op in operations]
    assert len(org.tasks()) == 3


def test_a_task_we_have_closed_ourselves_stays_as_it_was(org: SalesforceCrm, connector: Connector) -> None:
    [made] = connector.write([task(companies(org, 1)[0])])
    connector.write([CloseTask("c", made.record_id or "")])
    before = org.tasks()
    assert before[0].status == "completed"
    [outcome] = connector.write([UpdateTask("u", made.record_id or "", "New subject", "New body")])
    assert (outcome.status, outcome.code, outcome.reason) == ("applied", LEFT_ALONE, "completed")
    assert org.tasks() == before


def test_an_org_that_never_answers_does_not_hold_us_for_ever(org: SalesforceCrm) -> None:
    [record] = companies(org, 1)
    connector = connect(replace(org.destination(), timeout_s=0.3))
    org.control("faults", {"kind": "hang", "args": {"max_s": 20}, "match": {"path_regex": "composite/sobjects"}})
    assert statuses(connector.write([update(org, record, score=1)])) == ["unknown"]
    assert statuses(connector.write([update(org, record, score=1)])) == ["applied"]


def test_an_owner_has_a_time_zone(org: SalesforceCrm, connector: Connector) -> None:
    ann = org.add_owner("ann@example.com")
    org.mutate(do="edit", id=ann, values={"TimeZoneSidKey": "America/New_York"})
    assert [owner.zone for owner in connector.owners() if owner.id == ann] == ["America/New_York"]


def test_robots_and_guests_own_no_tasks() -> None:
    people = [{"Email": "ann@example.com", "Name": "Ann Lee"}]
    guest = {"Email": "guest@example.com", "Name": "Site Guest", "UserType": "Guest"}
    crm = SalesforceCrm(running(hubspot_port=None, seed={"salesforce": {"records": {"User": [*people, guest]}}}))
    try:
        emails = {owner.email for owner in crm.connect().owners()}
    finally:
        crm.stop()
    assert "ann@example.com" in emails
    assert "guest@example.com" not in emails


# ------------------------------------------------------------------ setup


def test_a_field_that_exists_but_is_hidden_is_opened(server: SalesforceCrm) -> None:
    server.reset()
    needs = list(server.needs())
    server.connect().setup(needs, dry_run=False)
    permissions = server.records("FieldPermissions")
    for one in permissions:
        server.mutate(do="delete", id=one["Id"])
    assert server.field("score") not in server.connect().describe("account")
    steps = server.connect().setup(needs, dry_run=False)
    assert {step.status for step in steps} == {"exists"}
    assert server.field("score") in server.connect().describe("account")


def test_a_user_who_may_not_create_fields_gets_the_clicks_for_an_admin(server: SalesforceCrm) -> None:
    server.reset()
    refused = [{"errorCode": "INSUFFICIENT_ACCESS", "message": "insufficient access rights on entity: CustomField"}]
    denied = {"kind": "status", "args": {"status": 403, "body": refused}}
    server.control("faults", {**denied, "match": {"path_regex": "/tooling/", "every": 1}})
    steps = server.connect().setup(server.needs(), dry_run=False)
    assert {step.status for step in steps} == {"todo"}
    key = next(step for step in steps if step.need.name == KEY_FIELD)
    for words in ("Object Manager > Activity", KEY_FIELD, "External ID and Unique", "Permission Sets > Plgsync"):
        assert words in key.detail
    assert KEY_FIELD not in server.connect().describe("task")


def test_a_key_field_that_is_not_unique_is_wrong(org: SalesforceCrm, connector: Connector) -> None:
    [step] = connector.setup(
        [FieldNeed(object="account", name=org.field("band"), label="Band", type="string", unique=True)], dry_run=False
    )
    assert step.status == "wrong"
    assert "External ID and Unique" in step.detail


def test_after_setup_the_permission_set_holds_every_field_once(org: SalesforceCrm) -> None:
    org.connect().setup(org.needs(), dry_run=False)
    granted = [one["Field"] for one in org.records("FieldPermissions")]
    assert sorted(granted) == sorted({f"{'Task' if n.object == 'task' else 'Account'}.{n.name}" for n in org.needs()})
    assert sum(one["Name"] == "Plgsync" for one in org.records("PermissionSet")) == 1
    assert {need.name for need in KEYS} <= {name.partition(".")[2] for name in granted}
