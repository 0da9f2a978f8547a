"""What a run believes about where accounts live: the CRM's match field, as it stands now, has the last word."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from connectors.base import Match, MatchKey, ReadBack, RecordFact
from tests.unit.planning.test_make_plan import QuietConnector, record, view
from worker.planning.crm_view import CrmView
from worker.planning.read_crm import read_crm
from worker.store.crm import Record

ACCOUNTS: Mapping[str, Mapping[str, Any]] = {"a": {}, "b": {}}


class MovedConnector(QuietConnector):
    """Returns these facts once, and finds each account where ``homes`` says, by the match field."""

    def __init__(self, facts: Sequence[RecordFact], homes: Mapping[str, str]) -> None:
        super().__init__()
        self.facts = facts
        self.homes = homes
        self.asked: list[list[str]] = []

    def our_tasks(self, starts_with: str = "", newest: int | None = None) -> list[Any]:
        return []

    def read_back(self, since: Any, fields: Any, tasks: Any) -> ReadBack:
        return ReadBack(self.facts, {"at": "now"})

    def match(self, keys: list[MatchKey], fields: Any) -> list[Match]:
        self.asked.append([key.account_id for key in keys])
        return [self._find(key.account_id) for key in keys]

    def _find(self, account: str) -> Match:
        home = self.homes.get(account)
        if home is None:
            return Match(account_id=account, status="missing")
        return Match(
            account_id=account, status="matched", record_id=home, by="account_key", values={"account_key": account}
        )


def fact(record_id: str, account_key: str | None) -> RecordFact:
    return RecordFact(record_id, None, {"account_key": account_key})


def read(connector: MovedConnector, *records: Record) -> CrmView:
    made = view(*records, connector=connector)
    read_crm(made, ACCOUNTS)
    return made


def homes(made: CrmView) -> dict[str, str | None]:
    return {account: made.readings.records[account].record_id for account in ("a", "b")}


def test_an_id_moved_to_another_accounts_record_moves_that_account_and_frees_the_other() -> None:
    connector = MovedConnector([fact("Ra", "b"), fact("Rb", None)], {"b": "Ra"})
    made = read(connector, record("a"), record("b"))
    assert homes(made) == {"a": None, "b": "Ra"}
    assert {one.account_id for one in made.changed_records()} == {"a", "b"}, "and it is remembered"
    assert sorted(connector.asked[0]) == ["a", "b"]


def test_ids_swapped_between_two_records_swap_the_accounts() -> None:
    made = read(MovedConnector([fact("Ra", "b"), fact("Rb", "a")], {"a": "Rb", "b": "Ra"}), record("a"), record("b"))
    assert homes(made) == {"a": "Rb", "b": "Ra"}


def test_an_id_moved_to_a_record_nobody_knew_takes_its_account_along() -> None:
    made = read(MovedConnector([fact("Rx", "a")], {"a": "Rx"}), record("a"), record("b"))
    assert homes(made) == {"a": "Rx", "b": "Rb"}


def test_an_id_that_was_only_removed_stays_ours_and_is_written_again() -> None:
    connector = MovedConnector([fact("Ra", None)], {})
    made = read(connector, record("a"), record("b"))
    assert homes(made) == {"a": "Ra", "b": "Rb"}
    assert connector.asked == []
    assert made.readings.snapshot["Ra"]["account_key"] is None


def test_an_id_of_no_account_of_ours_takes_the_record_away_from_its_account() -> None:
    made = read(MovedConnector([fact("Ra", "stranger")], {}), record("a"), record("b"))
    assert homes(made) == {"a": None, "b": "Rb"}


def test_whoever_was_taken_to_live_in_a_record_found_by_its_match_field_is_looked_for_anew() -> None:
    connector = MovedConnector([], {"b": "Ra"})
    made = read(connector, record("a"))
    assert homes(made) == {"a": None, "b": "Ra"}
    assert connector.asked == [["b"], ["a"]], "each account is looked for once"


def test_a_shared_domain_is_never_sent_to_the_crm_as_something_to_search_by() -> None:
    asked: list[MatchKey] = []

    class Listening(MovedConnector):
        def match(self, keys: list[MatchKey], fields: Any) -> list[Match]:
            asked.extend(keys)
            return super().match(keys, fields)

    made = view(connector=Listening([], {}))
    read_crm(made, {"a": {"account.domain": "gmail.com"}, "b": {"account.domain": "acme.io"}})
    assert [dict(key.values) for key in asked] == [
        {"account_id": "a"},
        {"account_id": "b", "account.domain": "acme.io"},
    ]
