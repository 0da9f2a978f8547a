"""One line of the language → a lark tree, or an error that names what was expected and where."""

from __future__ import annotations

from functools import cache

from lark import Lark, Token, Tree
from lark.exceptions import UnexpectedCharacters, UnexpectedToken

from worker.language.errors import LanguageError
from worker.language.hints import hint_for
from worker.language.suggest import suggestion

_LONGEST_LINE = 1_000

_GRAMMAR = r"""
test: expression relation

relation: equality literal           -> compare
        | ORDER literal              -> compare
        | IS NOT literal             -> is_not
        | IS MISSING                 -> is_missing
        | IS KNOWN                   -> is_known
        | IN list                    -> is_in
        | NOT IN list                -> not_in
        | IN WORD                    -> is_in
        | NOT IN WORD                -> not_in
        | BETWEEN literal AND literal -> between
?equality: IS | EQUAL | UNEQUAL
list: "[" literal ("," literal)* "]"

expression: operand (ARITHMETIC right)?
?right: operand | NUMBER
?operand: FIELD                      -> field
        | WINDOWED event "," DURATION ")" -> windowed
        | SINCE event ")"            -> since
        | CHANGE FIELD "," DURATION ")"   -> change
event: EVENT | STRING

literal: TRUE | FALSE | DATETIME | DATE | DURATION | NUMBER | STRING | WORD

WINDOWED.6: /(count|users)\s*\(/i
SINCE.6: /(days_since|first)\s*\(/i
CHANGE.6: /change\s*\(/i
DATETIME.5: /\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2})?(Z|[+-]\d{2}:\d{2})?(?![\w.])/
DATE.4: /\d{4}-\d{2}-\d{2}(?![\w.-])/
DURATION.3: /\d+\s*(h|d|w|bd|runs?)(?![\w.-])/i
NUMBER.2: /-?\d+(\.\d+)?(?![\w.])(\s*%)?/
IS.3: /is(?!\w)/i
NOT.3: /not(?![\w.@+-])/i
IN.3: /in(?!\w)/i
BETWEEN.3: /between(?!\w)/i
AND.3: /and(?!\w)/i
MISSING.3: /missing(?![\w.@+-])/i
KNOWN.3: /known(?![\w.@+-])/i
TRUE.3: /true(?![\w.@+-])/i
FALSE.3: /false(?![\w.@+-])/i
ORDER: /<=(?![=>])|>=(?!=)|<(?![>=])|>(?![=<])/
EQUAL: /=(?![=<>])/
UNEQUAL: /!=(?!=)/
ARITHMETIC: /[-+*\/]/
FIELD: /[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*/
EVENT: /[^\s(),"'\[\]\\]+([ \t]+[^\s(),"'\[\]\\]+)*/
STRING.2: /"([^"\\\n]|\\["\\])*"|'([^'\\\n]|\\['\\])*'/
WORD: /[^\W\d][\w.@+-]*/
%ignore /[ \t]+/
"""

_EXPECTED = (
    ({"ORDER", "EQUAL", "UNEQUAL", "IS", "IN", "BETWEEN"}, "a comparison: is, is not, <, <=, >, >=, in, between"),
    ({"WORD", "NUMBER", "DATE"}, "a value: a number, a date, true, false or a text"),
    ({"FIELD", "WINDOWED"}, "a field such as health.score or a function such as count(Signed In, 7d)"),
    ({"FIELD"}, "a field such as health.score"),
    ({"EVENT"}, "the name of an event"),
    ({"DURATION"}, "a number of days such as 28d"),
    ({"LSQB"}, "a list such as [pro, enterprise]"),
    ({"AND"}, '"and" and the upper end, as in: between 3 and 60'),
    ({"RSQB", "COMMA"}, '"," or the closing "]"'),
    ({"IN"}, '"in" and a list, as in: not in [free, trial]'),
    ({"COMMA"}, '"," and a number of days, as in: count(Signed In, 7d)'),
    ({"RPAR"}, '")"'),
)
_KEYWORDS = ("is", "is not", "in", "not in", "between")


@cache
def _parser() -> Lark:
    return Lark(_GRAMMAR, parser="lalr", lexer="contextual", start=["test", "expression"], propagate_positions=True)


def parse_line(text: str, start: str) -> Tree[Token]:
    """The tree of one ``test`` or ``expression``. Raises LanguageError with the column in ``text``."""
    if not text.strip():
        raise LanguageError("this is empty; expected " + _expected_for({"FIELD", "WINDOWED"}))
    if len(text) > _LONGEST_LINE:
        raise LanguageError(f"this is {len(text)} characters long; at most {_LONGEST_LINE}")
    if "\n" in text.strip() or "\r" in text.strip():
        raise LanguageError("one test per line: put each test on its own line under all: or any:", _line_end(text))
    try:
        return _parser().parse(text.rstrip("\r\n \t").replace("\n", " ").replace("\r", " "), start=start)
    except (UnexpectedCharacters, UnexpectedToken) as problem:
        raise _explain(text, problem) from None


def _line_end(text: str) -> int:
    start = len(text) - len(text.lstrip())
    return min(at for at in (text.find("\n", start), text.find("\r", start)) if at >= 0)


def _explain(text: str, problem: UnexpectedCharacters | UnexpectedToken) -> LanguageError:
    """What an admin can do about it: a known synonym's hint, else what stands there and what was expected."""
    at = len(text.rstrip())
    if isinstance(problem, UnexpectedCharacters):
        accepts, at = set(problem.allowed or ()), problem.pos_in_stream or 0
    else:
        accepts = set(problem.accepts or problem.expected or ())
        if problem.token.type != "$END" and isinstance(problem.token, Token):
            at = problem.token.start_pos or 0
    hinted = hint_for(text, at)
    if hinted is not None:
        return hinted
    expected = _expected_for(accepts)
    if at >= len(text.rstrip()):
        return LanguageError(f'"{_short(text.strip())}" is not complete; expected {expected}', at)
    found = text[at:].split()[0]
    hint = suggestion(found, _KEYWORDS) if "BETWEEN" in accepts else ""
    if hint:
        return LanguageError(f'unknown comparison "{_short(found)}"{hint}', at)
    return LanguageError(f'did not expect "{_short(found)}" here; expected {expected}', at)


def _expected_for(accepts: set[str]) -> str:
    for terminals, phrase in _EXPECTED:
        if terminals <= accepts:
            return phrase
    return "the end of the line"


def _short(text: str) -> str:
    return text if len(text) <= 40 else text[:39] + "…"
