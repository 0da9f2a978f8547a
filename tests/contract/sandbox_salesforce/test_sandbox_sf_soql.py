"""SOQL: the subset is answered as Salesforce answers it, everything else is rejected loudly."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from simple_salesforce.format import format_soql

from connectors.sandbox.salesforce.errors import RequestRejected
from connectors.sandbox.salesforce.soql import Compare, parse, parse_condition
from tests.contract.sandbox_salesforce.client import Api
from tests.contract.sandbox_salesforce.seeded_ids import ACME, CYCO, GLOBEX


def names(api: Api, where: str, every: bool = False) -> list[str]:
    return [row["Name"] for row in api.rows(f"SELECT Name FROM Account WHERE {where} ORDER BY Name", every)]


@pytest.mark.parametrize(
    ("where", "found"),
    [
        ("Name = 'ACME'", ["Acme"]),
        ("Name != 'Acme'", ["Cyco", "Globex"]),
        ("Name IN ('acme', 'Globex')", ["Acme", "Globex"]),
        ("Name NOT IN ('acme', 'Globex')", ["Cyco"]),
        ("Name IN ('acme', null,'it\\'s' , 'Globex')", ["Acme", "Globex"]),
        ("name not  in('acme')", ["Cyco", "Globex"]),
        ("Name LIKE 'a%e'", ["Acme"]),
        ("Name LIKE '_yco'", ["Cyco"]),
        ("Website = null", ["Cyco", "Globex"]),
        ("Website != null", ["Acme"]),
        ("Website != 'x'", ["Acme", "Cyco", "Globex"]),
        ("Name > 'b' AND Name < 'd'", ["Cyco"]),
        ("(Name = 'Acme' OR Name = 'Cyco') AND Website = null", ["Cyco"]),
        ("NOT Name = 'Acme'", ["Cyco", "Globex"]),
        ("NOT (Name = 'Acme' OR Name = 'Cyco')", ["Globex"]),
        (f"Id = '{ACME[:15]}'", ["Acme"]),
        (f"Id IN ('{ACME}', '{CYCO}')", ["Acme", "Cyco"]),
        ("Sync_Ext__c = 'g-1'", ["Globex"]),
        ("Owner.Email = 'ann@example.com'", ["Acme"]),
        ("CreatedDate = TODAY", ["Acme", "Cyco", "Globex"]),
        ("CreatedDate < TODAY", []),
        ("CreatedDate >= LAST_N_DAYS:3", ["Acme", "Cyco", "Globex"]),
        ("SystemModstamp > 2001-01-01T00:00:00Z", ["Acme", "Cyco", "Globex"]),
        ("SystemModstamp < 2001-01-01T01:00:00+01:00", []),
        ("IsDeleted = false", ["Acme", "Cyco", "Globex"]),
        ("NumberOfEmployees > 5", []),
    ],
)
def test_conditions(api: Api, where: str, found: list[str]) -> None:
    assert names(api, where) == found


def test_deleted_records_are_seen_only_by_query_all(api: Api) -> None:
    api.ui_action(do="delete", id=GLOBEX)
    assert names(api, "Sync_Ext__c = 'G-1'") == []
    assert names(api, "Name = 'Globex'") == []
    assert names(api, f"Id = '{GLOBEX}'") == []
    assert names(api, "Sync_Ext__c = 'G-1'", every=True) == ["Globex"]
    assert names(api, "IsDeleted = true", every=True) == ["Globex"]


def test_closed_tasks_older_than_a_year_are_archived(api: Api) -> None:
    done = {"Status": "Completed", "Subject": "old", "ActivityDate": "2020-01-01"}
    api.batch("POST", "Task", [done, {**done, "ActivityDate": "2999-01-01"}, {**done, "Status": "Not Started"}])
    assert len(api.rows("SELECT Id FROM Task")) == 2
    assert len(api.rows("SELECT Id FROM Task", every=True)) == 3


def test_records_look_like_salesforces(api: Api) -> None:
    body = api.query("SELECT Id, Name, Owner.Name, Parent.Name FROM Account WHERE Name = 'Acme'").json()
    (row,) = body["records"]
    assert (body["totalSize"], body["done"]) == (1, True)
    assert list(row) == ["attributes", "Id", "Name", "Owner", "Parent"]
    assert row["attributes"] == {"type": "Account", "url": f"/services/data/v67.0/sobjects/Account/{ACME}"}
    assert row["Owner"]["attributes"]["type"] == "User"
    assert row["Owner"]["Name"] == "Ann Lee"
    assert row["Parent"] is None


def test_parents_of_parents_and_of_several_kinds(api: Api) -> None:
    api.batch("POST", "Task", [{"Subject": "s", "WhatId": ACME}])
    (row,) = api.rows("SELECT Account.Owner.Email, What.Name, Owner.Name FROM Task")
    assert row["Account"]["Owner"]["Email"] == "ann@example.com"
    assert row["What"]["Name"] == "Acme"


def test_count_answers_no_records(api: Api) -> None:
    assert api.query("SELECT count() FROM Account").json() == {"totalSize": 3, "done": True, "records": []}


def test_order_limit_and_offset(api: Api) -> None:
    api.call("PATCH", f"/sobjects/Account/{ACME}", {"NumberOfEmployees": 5})
    api.call("PATCH", f"/sobjects/Account/{CYCO}", {"NumberOfEmployees": 7})

    def ordered(rest: str) -> list[str]:
        return [row["Name"] for row in api.rows(f"SELECT Name FROM Account ORDER BY {rest}")]

    assert ordered("Name DESC") == ["Globex", "Cyco", "Acme"]
    assert ordered("NumberOfEmployees DESC NULLS LAST, Name") == ["Cyco", "Acme", "Globex"]
    assert ordered("NumberOfEmployees, Name") == ["Globex", "Acme", "Cyco"]
    assert ordered("Name LIMIT 1 OFFSET 1") == ["Cyco"]


def test_long_results_come_in_pages_that_show_the_past(api: Api) -> None:
    for _ in range(2):
        api.batch("POST", "Account", [{"Name": f"A{n}"} for n in range(199)])
    headers = {"Sforce-Query-Options": "batchSize=200"}
    first = api.call("GET", "/query", params={"q": "SELECT Id FROM Account ORDER BY Id"}, headers=headers).json()
    assert (first["totalSize"], first["done"], len(first["records"])) == (401, False, 200)
    api.ui_action(do="delete", id=first["records"][0]["Id"])
    second = api.call("GET", first["nextRecordsUrl"]).json()
    third = api.call("GET", second["nextRecordsUrl"]).json()
    assert first["nextRecordsUrl"].endswith("-200")
    assert (third["done"], "nextRecordsUrl" in third, len(third["records"])) == (True, False, 1)
    ids = [row["Id"] for page in (first, second, third) for row in page["records"]]
    assert len(set(ids)) == 401


def test_a_page_of_an_old_query_is_gone_after_two_days(api: Api) -> None:
    api.sim("clock", {"freeze": True})
    api.batch("POST", "Account", [{"Name": f"A{n}"} for n in range(200)])
    api.sim("config", {"page_size": 200, "session_ttl": 10**7})
    url = api.query("SELECT Id FROM Account").json()["nextRecordsUrl"]
    assert api.call("GET", url).status_code == 200
    api.sim("clock", {"advance_s": 3 * 24 * 3600})
    assert api.call("GET", url).json()[0]["errorCode"] == "INVALID_QUERY_LOCATOR"


@pytest.mark.parametrize(
    "soql",
    [
        "SELECT Name, count(Id) FROM Account GROUP BY Name",
        "SELECT Id FROM Account WHERE",
        "SELECT Id FROM Account WHERE Name = 'a' AND Id = 'b' OR Id = 'c'",
        "SELECT Id, (SELECT Id FROM Contacts) FROM Account",
        "SELECT Id FROM Account WHERE Id IN (SELECT AccountId FROM Contact)",
        "SELECT * FROM Account",
        'SELECT Id FROM Account WHERE Name = "x"',
        "SELECT Id FROM Account LIMIT many",
        "SELECT Id FROM Account FOR UPDATE",
        "SELECT Id FROM Account a",
        "SELECT FROM Account",
        "UPDATE Account",
    ],
)
def test_everything_else_is_malformed(api: Api, soql: str) -> None:
    answer = api.query(soql)
    (error,) = answer.json()
    assert (answer.status_code, error["errorCode"]) == (400, "MALFORMED_QUERY")
    assert "unexpected token" in error["message"]


@pytest.mark.parametrize(
    ("soql", "at", "token"),
    [
        ("SELECT Id FROM Account a", (1, 24), "a"),
        ("SELECT Id\nFROM Account\nWHERE Name = ", (3, 13), "<EOF>"),
        ("SELECT Id FROM Account WHERE Name > 2026-13-01", (1, 37), "2026-13-01"),
        ("SELECT Id FROM Account WHERE Name = 'a' AND Id = 'b' OR Id = 'c'", (1, 54), "OR"),
        ("SELECT Id, * FROM Account", (1, 12), "*"),
    ],
)
def test_the_first_word_that_does_not_fit_is_named_with_its_place(soql: str, at: tuple[int, int], token: str) -> None:
    with pytest.raises(RequestRejected) as rejection:
        parse(soql)
    assert f"ERROR at Row:{at[0]}:Column:{at[1]}\nunexpected token: '{token}'" in rejection.value.message


def test_words_of_the_language_may_name_fields_and_objects() -> None:
    query = parse("SELECT Limit, From FROM Order WHERE Notes__c = 1 ORDER BY Desc DESC")
    assert isinstance(query.where, Compare)
    assert query.where.path.names == ("Notes__c",)
    assert [path.names for path in query.paths] == [("Limit",), ("From",)]
    assert (query.object, query.order[0].path.names, query.order[0].descending) == ("Order", ("Desc",), True)


def test_an_unknown_object_is_rejected_word_for_word(api: Api) -> None:
    answer = api.query("select count() from XYZZY")
    assert answer.json() == [
        {
            "message": (
                "\nselect count() from XYZZY\n                    ^\nERROR at Row:1:Column:21\n"
                "sObject type 'XYZZY' is not supported. If you are attempting to use a custom object, be sure to "
                "append the '__c' after the entity name. Please reference your WSDL or the describe call for the "
                "appropriate names."
            ),
            "errorCode": "INVALID_TYPE",
        }
    ]


def test_an_unknown_column_is_rejected_with_its_place(api: Api) -> None:
    answer = api.query("SELECT Id, Nmae FROM Account")
    assert answer.json() == [
        {
            "message": (
                "\nSELECT Id, Nmae FROM Account\n           ^\nERROR at Row:1:Column:12\n"
                "No such column 'Nmae' on entity 'Account'. If you are attempting to use a custom field, be sure to "
                "append the '__c' after the custom field name. Please reference your WSDL or the describe call for the "
                "appropriate names."
            ),
            "errorCode": "INVALID_FIELD",
        }
    ]


@pytest.mark.parametrize(
    ("where", "code", "words"),
    [
        ("Name = 1", "INVALID_FIELD", "must be of type string and should be enclosed in quotes"),
        ("NumberOfEmployees = '1'", "INVALID_FIELD", "must be of type double and should not be enclosed in quotes"),
        ("CreatedDate > 2026-01-01", "INVALID_FIELD", "must be of type dateTime and should not be enclosed in quotes"),
        ("LastActivityDate > '2026-01-01'", "INVALID_FIELD", "must be of type date"),
        ("Description = 'x'", "INVALID_FIELD", "can not be filtered in a query call"),
        ("Id = 'x'", "INVALID_QUERY_FILTER_OPERATOR", "invalid ID field: x"),
        ("Ownr.Name = 'x'", "INVALID_FIELD", "Didn't understand relationship 'Ownr' in field path"),
    ],
)
def test_conditions_of_the_wrong_type_are_rejected(api: Api, where: str, code: str, words: str) -> None:
    answer = api.query(f"SELECT Id FROM Account WHERE {where}")
    (error,) = answer.json()
    assert (answer.status_code, error["errorCode"]) == (400, code)
    assert words in error["message"]


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=40))
def test_any_text_survives_quoting(text: str) -> None:
    condition = parse_condition(format_soql("Name = {}", text))
    assert isinstance(condition, Compare)
    assert condition.literals[0].value == text


WORDS = ["SELECT", "Id", "FROM", "T", "WHERE", "a", "=", "'b'", "AND", "(", ")", ",", "count()", "1"]


@given(st.text(max_size=60) | st.lists(st.sampled_from(WORDS)).map(" ".join))
def test_any_text_is_either_a_query_or_malformed(text: str) -> None:
    problem = None
    try:
        query = parse(text)
    except RequestRejected as rejected:
        problem = rejected
    assert problem.code == "MALFORMED_QUERY" if problem else query.object
