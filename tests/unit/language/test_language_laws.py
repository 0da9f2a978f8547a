"""Laws that hold for every condition, every text and every set of facts."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime

from hypothesis import given
from hypothesis import strategies as st

from worker.language.comparison import Comparison
from worker.language.condition import parse_condition
from worker.language.errors import LanguageError
from worker.language.expression import parse_expression
from worker.language.need import Need
from worker.language.template import parse_template
from worker.language.units import parse_duration, parse_number, parse_rate
from worker.language.values import Value

NAMES = ("plan", "mrr", "health.score", "a_1.b")
TRUTHS = {"t": True, "f": False}


def needs() -> st.SearchStrategy[Need]:
    events = st.text(st.characters(exclude_characters="\n", exclude_categories=["Cs", "Cc"]), min_size=1, max_size=12)
    events = events.map(str.strip).filter(bool)
    days = st.integers(1, 365)
    return st.one_of(
        st.sampled_from(NAMES).map(lambda name: Need("field", name)),
        st.builds(Need, st.sampled_from(["count", "users"]), events, days),
        st.builds(Need, st.sampled_from(["days_since", "first"]), events),
        st.builds(Need, st.just("change"), st.sampled_from(NAMES), days),
    )


def words() -> st.SearchStrategy[str]:
    return st.text(st.characters(exclude_characters="\n\r", exclude_categories=["Cs", "Cc"]), max_size=12)


def quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def numbers() -> st.SearchStrategy[str]:
    whole = st.integers(-(10**9), 10**9).map(str)
    share = st.integers(-999, 999).map(lambda n: f"{n}%")
    return st.one_of(whole, share, st.decimals(-1000, 1000, places=6).map(lambda d: f"{d:f}"))


def literals() -> st.SearchStrategy[str]:
    return st.one_of(numbers(), words().map(quoted), st.sampled_from(["pro", "on_track", "true", "false"]), dates())


def dates() -> st.SearchStrategy[str]:
    moments = st.datetimes(min_value=datetime(2000, 1, 1), max_value=datetime(2050, 1, 1))  # noqa: DTZ001
    return st.one_of(st.dates().map(str), moments.map(lambda m: m.replace(microsecond=0).isoformat() + "Z"))


@st.composite
def lines(draw: st.DrawFn) -> str:
    left = str(draw(needs()))
    arithmetic = draw(st.booleans())
    if arithmetic:
        left += draw(st.sampled_from([" + ", " - ", "*", " / "])) + draw(st.one_of(needs().map(str), numbers()))
    number = arithmetic or "(" in left
    if draw(st.booleans()):
        return f"{left} {draw(st.sampled_from(['<', '<=', '>', '>=', 'is', 'is not', '!=']))} {draw(numbers())}"
    values = (
        numbers() if number else draw(st.sampled_from([numbers(), words().map(quoted), dates().map(lambda d: d[:10])]))
    )
    several = draw(st.lists(values, min_size=1, max_size=3))
    return draw(
        st.sampled_from(
            [
                f"{left} in [{', '.join(several)}]",
                f"{left} not in [{','.join(several)}]",
                f"{left} is missing",
                f"{left} is {several[0]}",
            ]
        )
    )


def values() -> st.SearchStrategy[Value]:
    return st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(),
        st.text(max_size=5),
        st.dates(),
        st.datetimes(timezones=st.just(UTC)),
        st.datetimes(),
        st.sampled_from([date(2026, 1, 1), "pro", 0, 1, 10**400]),
    )


def trees() -> st.SearchStrategy[object]:
    leaves = st.sampled_from(["t is true", "f is true", "u is true", "u is missing", "f > 0"])
    return st.recursive(
        leaves,
        lambda inner: st.one_of(
            st.lists(inner, min_size=1, max_size=3).map(lambda nodes: {"all": nodes}),
            st.lists(inner, min_size=1, max_size=3).map(lambda nodes: {"any": nodes}),
            inner.map(lambda node: {"not": node}),
            st.tuples(inner, st.booleans()).map(lambda pair: {"if": pair[0], "when_missing": pair[1]}),
        ),
        max_leaves=12,
    )


def refusal(parse: Callable[[str], object], text: str) -> LanguageError | None:
    try:
        parse(text)
    except LanguageError as problem:
        return problem
    return None


def truth(node: object) -> bool | None:
    return parse_condition(node).truth(TRUTHS)


@given(lines())
def test_a_line_written_back_means_the_same(text: str) -> None:
    condition = parse_condition(text)
    assert parse_condition(str(condition)) == condition
    assert str(parse_condition(str(condition))) == str(condition)


@given(
    st.one_of(
        st.text(), st.text(alphabet="ab.0159% <>=!()[],\"'\\-+*/{}|&\n\t isnotibewadcu"), lines().map(lambda s: s[::-1])
    )
)
def test_any_text_is_understood_or_refused_with_a_place_in_it(text: str) -> None:
    for parse in (parse_condition, parse_expression, parse_template, parse_duration, parse_rate, parse_number):
        refused = refusal(parse, text)
        if refused is not None:
            assert refused.message
            assert all(0 <= one.column <= len(text) for one in refused.problems)


@given(lines(), st.data())
def test_one_character_too_much_is_understood_or_refused(text: str, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(text)))
    broken = text[:at] + data.draw(st.sampled_from(list("()[],.\"'=<>!&|%-+*/ \\a7"))) + text[at:]
    refused = refusal(parse_condition, broken)
    if refused is None:
        condition = parse_condition(broken)
        assert parse_condition(str(condition)) == condition
    else:
        assert 0 <= refused.column <= len(broken)


@given(lines(), st.dictionaries(st.sampled_from(NAMES), values()))
def test_a_test_with_a_need_unknown_is_unknown(text: str, facts: dict[str, Value]) -> None:
    comparison = next(one for _, one in parse_condition(text).comparisons())
    answer = comparison.run(facts)
    if comparison.op in {"is missing", "is known"}:
        assert answer is not None
    elif any(facts.get(need.key) is None for need in comparison.expression.needs()):
        assert answer is None


@given(lines(), st.dictionaries(st.sampled_from(NAMES), values()))
def test_a_test_and_its_opposite_never_agree(text: str, facts: dict[str, Value]) -> None:
    opposites = {
        "is": "is not",
        "is not": "is",
        "<": ">=",
        ">=": "<",
        ">": "<=",
        "<=": ">",
        "in": "not in",
        "not in": "in",
    }
    opposites |= {"is missing": "is known"}
    comparison = next(one for _, one in parse_condition(text).comparisons())
    other = Comparison(
        expression=comparison.expression,
        op=opposites[comparison.op],  # type: ignore[arg-type]
        values=comparison.values,
        kind=comparison.kind,
    )
    assert (comparison.run(facts), other.run(facts)) in {(True, False), (False, True), (None, None)}


@given(trees(), trees())
def test_de_morgan(a: object, b: object) -> None:
    assert truth({"not": {"all": [a, b]}}) is truth({"any": [{"not": a}, {"not": b}]})
    assert truth({"not": {"any": [a, b]}}) is truth({"all": [{"not": a}, {"not": b}]})


@given(trees(), trees(), trees())
def test_kleene_laws(a: object, b: object, c: object) -> None:
    assert truth({"not": {"not": a}}) is truth(a)
    for group in ("all", "any"):
        assert truth({group: [a, a]}) is truth(a)
        assert truth({group: [a, b]}) is truth({group: [b, a]})
        assert truth({group: [a, {group: [b, c]}]}) is truth({group: [{group: [a, b]}, c]})
    assert truth({"all": [a, {"any": [b, c]}]}) is truth({"any": [{"all": [a, b]}, {"all": [a, c]}]})
    assert truth({"all": [a, {"any": [a, b]}]}) is truth(a)


@given(trees())
def test_a_trace_answers_like_the_condition(node: object) -> None:
    condition = parse_condition(node)
    assert condition.trace(TRUTHS).truth is condition.truth(TRUTHS)
    assert len(list(condition.trace(TRUTHS).tests())) == len(list(condition.comparisons()))
