"""What people write by habit from other languages, and how this language writes it."""

from __future__ import annotations

import re

from worker.language.errors import LanguageError
from worker.language.suggest import suggestion

ONE_TEST = 'one test per line: put each side of "and"/"or" on its own line under all:/any:'
FUNCTIONS = ("count", "users", "days_since", "first", "change")

_BOTH_SIDES = re.compile(r"(and|or|&&?|\|\|?|;)(?![\w.])", re.IGNORECASE)
_FIRST_NOT = re.compile(r"\s*(not\s|!)", re.IGNORECASE)
_CALL = re.compile(r"([A-Za-z_]\w*)\s*\(")
_QUOTED_OR_INSIDE = re.compile(r"\"[^\"]*\"|'[^']*'|\([^()]*\)")


def _rule(pattern: str, hint: str) -> tuple[re.Pattern[str], str]:
    return re.compile(pattern, re.IGNORECASE), hint


_SYNONYMS = (
    _rule(r"===?", 'write "is" or "=" instead of "{found}"'),
    _rule(r"!==|<>|≠", 'write "is not" or "!=" instead of "{found}"'),
    _rule(r"=>|≥", 'write ">=" instead of "{found}"'),
    _rule(r"=<|≤", 'write "<=" instead of "{found}"'),
    _rule(r"\b(?:is\s+)?(?:not|n't)\s+equal(?:s)?(?:\s+to)?\b", 'write "is not" instead of "{found}"'),
    _rule(r"\b(?:is\s+)?equal(?:s)?(?:\s+to)?\b|\beq\b", 'write "is" instead of "{found}"'),
    _rule(r"\b(?:is\s+)?(?:greater|more|larger|higher)\s+than\s+or\s+equal(?:\s+to)?\b", 'write ">=" not "{found}"'),
    _rule(r"\b(?:is\s+)?(?:less|smaller|fewer|lower)\s+than\s+or\s+equal(?:\s+to)?\b", 'write "<=" not "{found}"'),
    _rule(r"\b(?:is\s+)?(?:greater|more|larger|higher)\s+than\b", 'write ">" instead of "{found}"'),
    _rule(r"\b(?:is\s+)?(?:less|smaller|fewer|lower)\s+than\b", 'write "<" instead of "{found}"'),
    _rule(r"\b(?:is\s+)?(?:above|over|exceeds|gt)\b", 'write ">" instead of "{found}"'),
    _rule(r"\b(?:is\s+)?(?:below|under|lt)\b", 'write "<" instead of "{found}"'),
    _rule(r"\b(?:is\s+)?(?:at\s+least|gte)\b", 'write ">=" instead of "{found}"'),
    _rule(r"\b(?:is\s+)?(?:at\s+most|lte)\b", 'write "<=" instead of "{found}"'),
    _rule(r"\bis\s+not\s+in\b|\bisn'?t\s+in\b", 'write "not in" instead of "{found}"'),
    _rule(r"\bis\s+(?:one\s+of|any\s+of|in)\b", 'write "in" and a list: plan in [pro, enterprise]'),
    _rule(r"\bis\s+between\b", 'write "between" without "is"'),
    _rule(r"\b(?:isn'?t|aren'?t|wasn'?t|isnt|doesn'?t)\b", 'write "is not" instead of "{found}"'),
    _rule(r"\b(?:are|was|were|has|equals)\b", 'write "is" instead of "{found}"'),
    _rule(r"\bexists\b", 'write "is known" instead of "{found}"'),
    _rule(r"\bis\s+not\s+(?:missing|unknown)\b", 'write "is known" instead of "{found}"'),
    _rule(r"\bis\s+not\s+known\b", 'write "is missing" instead of "{found}"'),
    _rule(
        r"\b(?:contains|like|matches|starts\s+with|ends\s+with|startswith|endswith)\b",
        '"{found}" is not available; list the values: plan in [pro, enterprise]',
    ),
)
_NOT_TEXTS = {
    **dict.fromkeys(("null", "none", "nil", "empty", "blank", "unknown", "unset", "undefined", "nan"), "is missing"),
    **dict.fromkeys(("set", "present"), "is known"),
    **dict.fromkeys(("missing",), "is missing"),
    **dict.fromkeys(("known",), "is known"),
    **dict.fromkeys(("yes", "on"), "is true"),
    **dict.fromkeys(("no", "off"), "is false"),
}
_OPPOSITE = {"is missing": "is known", "is known": "is missing", "is true": "is false", "is false": "is true"}


def hint_for(text: str, at: int) -> LanguageError | None:
    """The hint for a line that cannot be parsed beyond ``at``; None when it contains nothing familiar."""
    if at > 0 and _BOTH_SIDES.match(text, at):
        return LanguageError(ONE_TEST, at)
    negated = _FIRST_NOT.match(text)
    if negated and not re.match(r"\s*not\s*(?:in\b|[-+*/<>=!])", text, re.IGNORECASE):
        hint = 'put "not:" before the test as a key of its own (not: health.band is red), or use "is not" / "not in"'
        return LanguageError(hint, negated.start(1))
    call = _CALL.search(_without_quotes(text))
    if call and call[1].lower() not in FUNCTIONS and call[1].lower() not in {"in", "is"}:
        hint = suggestion(call[1], FUNCTIONS, f". Known: {', '.join(FUNCTIONS)}")
        return LanguageError(f'unknown function "{call[1]}"{hint}', call.start(1))
    return _synonym(text) or _of_the_place(text, at)


def _of_the_place(text: str, at: int) -> LanguageError | None:
    """Hints that depend on the text just before and after the position that cannot be parsed."""
    before, rest = text[:at].rstrip(), text[at:].lstrip()
    at = len(text) - len(rest)
    if rest.startswith(("-", "+", "*", "/")) and re.search(r"[-+*/]", _without_quotes(before)):
        return LanguageError("only one arithmetic operator in a test; define the rest as a signal of its own", at)
    inside_call = before.count("(") > before.count(")")
    if not inside_call and re.search(r"(?<!\w)(not\s+)?in$", before, re.IGNORECASE):
        return LanguageError("put the values in square brackets: plan in [pro, enterprise]", at)
    if rest.startswith(",") and not inside_call and "[" not in before and not re.match(r",\d{3}", rest):
        return LanguageError("several values go into a list: plan in [pro, enterprise]", at)
    if rest.startswith(("-", "+", "*", "/")) and re.search(r"[<>=]\s*[\w.]+$", before):
        return LanguageError("only the left side calculates: seats_used / seats_bought <= 60%", at)
    if rest and re.search(r"(?<!\w)(is|is\s+not|=|!=|,|\[)\s*[^\W\d][\w.@+-]*$", before, re.IGNORECASE):
        return LanguageError('put a text of several words in quotes: industry is "Financial Services"', at)
    if re.search(r"\d$", before) and re.match(r",\d{3}", rest):
        return LanguageError("write a number without thousands separators: 1000", at)
    if rest.startswith(("$", "€", "£")):
        return LanguageError("write an amount as a plain number, without a currency sign", at)
    if before and re.match(r"\d[\w.-]*", rest):
        return LanguageError("this is neither a number nor a date; put it in quotes if it is a text", at)
    if re.match(r"-?\d", text.lstrip()):
        return LanguageError("start with the field and put the number after it: health.score < 40", 0)
    return None


def not_a_text(word: str, *, negated: bool) -> str | None:
    """Why the bare ``word`` is not a valid text: the language has a test for it. None when it is valid."""
    meant = _NOT_TEXTS.get(word.casefold())
    if meant is None:
        return None
    meant = _OPPOSITE[meant] if negated else meant
    return f'write "{meant}" instead, or put "{word}" in quotes if it really is that text'


def _synonym(text: str) -> LanguageError | None:
    shown = _QUOTED_OR_INSIDE.sub(lambda match: "_" * len(match[0]), text)
    hits = [
        (match.start(), -len(match[0]), hint, match[0]) for rule, hint in _SYNONYMS if (match := rule.search(shown))
    ]
    if not hits:
        return None
    start, _, hint, found = min(hits)
    return LanguageError(hint.format(found=found), start)


def _without_quotes(text: str) -> str:
    return re.sub(r"\"[^\"]*\"|'[^']*'", lambda match: "_" * len(match[0]), text)
