"""How the accounts of a company become one record: what has to be written, and what cannot be meant."""

from __future__ import annotations

import pytest

from tests.unit.settings.test_crm import BASE
from worker.settings.combining import combine_of
from worker.settings.crm import CrmSettings
from worker.settings.crm_check import check_crm
from worker.settings.known import FIELD_VALUES, SCORE_FIELDS, Known
from worker.settings.validation import place_findings, validate
from worker.settings.yaml_document import read_document

SHARED = BASE.replace("match_field: Id__c", "match_field: Id__c\n      record: parent")
SIGNAL = "      signal: {field: Signal__c, length: 80"


def found(text: str, no_parents: str = "") -> list[str]:
    document = read_document("config/crm.yaml", text.encode())
    settings, problems = validate(CrmSettings, document)
    assert settings is not None, problems
    names = SCORE_FIELDS | {"account.domain", "seats"}
    known = Known(fields=names, values=FIELD_VALUES, no_parents=no_parents)
    return [f"{one.line}:{one.column} {one.message}" for one in place_findings(document, check_crm(settings, known))]


def test_a_field_that_no_score_speaks_for_has_to_say_how_it_is_combined() -> None:
    message = '"signal" has one value per account of a company: say how they become one, "combine: top" (or any)'
    assert found(SHARED) == [f"16:7 {message}"]
    assert found(SHARED.replace(SIGNAL, SIGNAL + ", combine: any")) == []


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ("from: seats, type: number, combine: sum", ""),
        ("from: seats, type: date, combine: latest", ""),
        ("from: health.score, type: number, combine: lowest", ""),
        ("from: seats, combine: sum", '"sum" is for "type: number", and this field is of type string'),
        ("from: seats, type: number, combine: latest", 'is for "type: date or datetime", and this field is of type'),
        ("from: seats, type: number, combine: worst", '"worst" is for the fields of scores'),
        ("from: health.score, type: number, combine: sum", '"sum" of scores means nothing; possible: worst, best'),
    ],
)
def test_what_fits_the_kind_of_the_field(entry: str, said: str) -> None:
    problems = found(SHARED.replace(SIGNAL, "      signal: {field: Signal__c, " + entry))
    assert len(problems) == bool(said)
    assert all(said in one for one in problems)


def test_the_scores_speak_for_themselves() -> None:
    fields = CrmSettings.model_validate(read_document("x", SHARED.encode()).data).destinations["sf"].fields
    entry = fields["health_score"]
    assert combine_of(entry) == "worst"
    assert combine_of(entry.model_copy(update={"from_": "onboarding.status"})) == "worst"
    assert combine_of(entry.model_copy(update={"from_": "pql.score"})) == "best"
    assert combine_of(entry.model_copy(update={"from_": "seats"})) is None


def test_combine_alone_does_nothing_and_is_refused() -> None:
    (problem,) = found(BASE.replace(SIGNAL, SIGNAL + ", combine: any"))
    assert problem == '15:55 "combine" goes with "record: parent" under account; here it does nothing'


def test_what_has_no_parents_shares_no_record() -> None:
    text = SHARED.replace(SIGNAL, SIGNAL + ", combine: any")
    assert found(text, no_parents="accounts have no parents here") == ["10:15 accounts have no parents here"]
