"""Making records in Salesforce: its duplicate rules, and account ids that differ only in case."""

from __future__ import annotations

from dataclasses import replace

import pytest

from connectors.base import Connector, CreateRecord, FieldNeed
from connectors.registry import connect
from tests.contract.connectors.drive import statuses, write_calls
from tests.contract.connectors.harness import Company
from tests.contract.connectors.harness_salesforce import MATCH_FIELD, SalesforceCrm
from tests.contract.connectors.test_contract_records import create

pytestmark = pytest.mark.parametrize("running", ["salesforce"], indirect=True)


def test_a_duplicate_rule_is_a_refusal_that_says_what_to_do(crm: SalesforceCrm, connector: Connector) -> None:
    crm.add_companies([Company("Secret Acme")])
    crm.control("config", {"duplicate_rules": [{"object": "Account", "fields": ["Name"], "name": "Same name"}]})
    outcomes = connector.write([create(crm, "a1", "Secret Acme"), create(crm, "a2", "Bolt")])
    assert statuses(outcomes) == ["rejected", "applied"]
    assert outcomes[0].code == "DUPLICATES_DETECTED"
    assert f"put the account's id into {MATCH_FIELD}" in outcomes[0].reason
    assert "Secret" not in outcomes[0].reason
    assert crm.company_count() == 2


def test_ids_that_differ_only_in_case_are_two_accounts_where_the_field_distinguishes_them(
    crm: SalesforceCrm, connector: Connector
) -> None:
    outcomes = connector.write([create(crm, "abc"), create(crm, "ABC")])
    assert statuses(outcomes) == ["applied", "applied"]
    assert (crm.companies_of("abc"), crm.companies_of("ABC")) == ([outcomes[0].record_id], [outcomes[1].record_id])


def test_where_it_does_not_the_second_is_refused_and_the_first_untouched(crm: SalesforceCrm) -> None:
    connector = connect(replace(crm.destination(), match_field="Sync_Ext__c"))  # not case-sensitive
    operations = [
        CreateRecord(name, "account", {"Sync_Ext__c": name, "Name": f"Company {name}"}) for name in ("abc", "ABC")
    ]
    crm.forget_calls()
    outcomes = connector.write(operations)
    assert statuses(outcomes) == ["applied", "rejected"]
    assert "differs only in upper and lower case" in outcomes[1].reason
    assert [one["Name"] for one in crm.records("Account")] == ["Company abc"]
    assert write_calls(crm) == 1


def test_records_made_before_a_later_call_fails_are_reported(crm: SalesforceCrm, connector: Connector) -> None:
    crm.control("faults", {"kind": "quota_exhausted", "match": {"path_regex": "/query", "nth": 2}})
    operations = [create(crm, "abc"), create(crm, "ABC")]
    outcomes = connector.write(operations)
    assert statuses(outcomes) == ["applied", "retry"]
    assert (crm.companies_of("abc"), crm.companies_of("ABC")) == ([outcomes[0].record_id], [])
    assert statuses(connector.write(operations)) == ["applied", "applied"]
    assert crm.company_count() == 2


def test_a_record_without_its_account_id_is_never_sent(crm: SalesforceCrm, connector: Connector) -> None:
    crm.forget_calls()
    with pytest.raises(ValueError, match=MATCH_FIELD):
        connector.write([CreateRecord("k", "account", {"Name": "Acme"})])
    assert crm.calls() == []


def test_a_match_field_that_is_no_external_id_is_the_admins_to_mend(crm: SalesforceCrm) -> None:
    plain = FieldNeed(object="account", name="Plain__c", label="Plain", type="string", length=40)
    connector = connect(replace(crm.destination(), match_field="Plain__c"))
    connector.setup([plain], dry_run=False)
    with pytest.raises(Exception, match="external ID field does not exist"):
        connector.write([CreateRecord("k", "account", {"Plain__c": "a1", "Name": "Acme"})])
    assert crm.company_count() == 0
