"""Words that settings compare with a column are spelled in another way, or are other words: no number is wrong."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.integration.signals.damage_kit import ACCOUNTS, AS_OF, Damage, Tables, company
from tests.integration.signals.damage_spellings import damages
from tests.integration.signals.damage_trial import ONE_POINT, SIGNALS, Trial, examples, trial_in
from tests.integration.signals.signals_kit import Database, product_of
from worker.language.condition import parse_condition
from worker.signals.source import open_source
from worker.signals.vocabulary import Vocabulary, words_of_conditions, words_of_signals

WORDS = [("subscriptions", "status"), ("memberships", "role"), ("surveys", "kind"), ("tickets", "severity")]
SAME_WORDS: list[Callable[[str], str]] = [str.upper, str.title, lambda word: f" {word.upper()}\u00a0"]
OTHER_WORDS = {
    ("subscriptions", "plan"): {"pro": "Professional"},
    ("memberships", "role"): {"admin": "Administrator", "owner": "Founder"},
    ("surveys", "kind"): {"nps": "relational"},
    ("tickets", "severity"): {"urgent": "P1"},
}
CONDITION = "plan in [pro, team, gold]"


@pytest.fixture(scope="module")
def trial(tmp_path_factory: pytest.TempPathFactory) -> Trial:
    """The company in DuckDB."""
    return trial_in(Database("duckdb", tmp_path_factory.mktemp("words")))


@examples(1)
@given(found=damages(None, WORDS, SAME_WORDS, number=len(WORDS)))
def test_words_in_other_letters_are_the_same_words(trial: Trial, found: list[Damage]) -> None:
    trial.judge(found)


@examples(1)
@given(
    accounts=st.sets(st.sampled_from(ACCOUNTS), min_size=4, max_size=20),
    share=st.floats(0.3, 1),
    word=st.sampled_from(["aktiv", "status_4", "🙂"]),
)
def test_a_status_that_is_no_word_for_one_is_counted(trial: Trial, accounts: set[str], share: float, word: str) -> None:
    damage = Damage(
        table="subscriptions", column="status", spell=lambda _: word, accounts=frozenset(accounts), share=share
    )
    data = company()
    hit = damage.inflict(data)
    found = trial.measured(data)
    findings = found.report.table("subscriptions")
    assert findings is not None
    assert abs(findings.contradictions["status not understood"] - len(hit)) < ONE_POINT * findings.rows
    trial.hold(found.accounts)


def never(trial: Trial, data: Tables) -> dict[tuple[str, str], str]:
    """The texts compared by signals and a condition that `plgsync check` says never occur, with what occurs."""
    trial.database.fill(data)
    product = product_of(trial.database.source, data)
    words = [*words_of_signals(SIGNALS), *words_of_conditions([((), parse_condition(CONDITION))], SIGNALS)]
    with open_source(product, trial.database.folder, AS_OF, SIGNALS.names_of_spellings) as source:
        vocabulary = Vocabulary(source.catalogue, source.report(AS_OF))
        said = {(word.column, word.text): vocabulary.missing(word) for word in words}
    return {place: message.partition("in your data: ")[2] for place, message in said.items() if message}


@pytest.mark.parametrize(("share", "to"), [(0.6, str.title), (1, str.upper)])
def test_a_word_that_the_data_never_has_is_named_with_the_words_that_it_has(
    trial: Trial, share: float, to: Callable[[str], str]
) -> None:
    """A word is there while one row has it, in whatever letters."""
    data, gone = company(), {("plan", "gold"), ("severity", "critical")}
    for (table, column), words in OTHER_WORDS.items():
        other = {word: words.get(word) or to(word) for word in {row[column] for row in data[table]}}
        everywhere = frozenset(ACCOUNTS)
        Damage(table=table, column=column, spell=other.__getitem__, accounts=everywhere, share=share).inflict(data)
        gone |= {(column, word) for word in words if share == 1}
    found = never(trial, data)
    assert found.keys() == gone
    for table, column in OTHER_WORDS:
        have = Counter(str(row[column]).strip().casefold() for row in data[table])
        for word, there in found.items():
            if word[0] == column:
                counts = {one.casefold(): int(number) for one, number in re.findall(r"(\S+) \((\d+)\)", there)}
                assert counts.keys() == have.keys()
                assert all(abs(counts[one] - have[one]) < ONE_POINT * len(data[table]) for one in have)
