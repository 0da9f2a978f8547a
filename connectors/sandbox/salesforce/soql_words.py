"""The words of SOQL: cuts a query into them and shows where one does not belong."""

from __future__ import annotations

import re
from dataclasses import dataclass

from connectors.sandbox.salesforce.errors import RequestRejected

_TOKEN = re.compile(
    r"\s*(?:(?P<string>'(?:\\.|[^'\\])*')"
    r"|(?P<datetime>\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d+)?(?:Z|[+-]\d{2}:?\d{2}))"
    r"|(?P<date>\d{4}-\d{2}-\d{2})"
    r"|(?P<number>[+-]?\d+(?:\.\d+)?)"
    r"|(?P<word>[A-Za-z_][\w.]*)"
    r"|(?P<sign><=|>=|!=|<>|[=<>(),:]))"
)
_ESCAPES = {
    "n": "\n",
    "r": "\r",
    "t": "\t",
    "b": "\b",
    "f": "\f",
    '"': '"',
    "'": "'",
    "\\": "\\",
    "_": "\\_",
    "%": "\\%",
}


@dataclass(frozen=True, slots=True)
class Token:
    """One word of a query and where it starts."""

    kind: str
    text: str
    at: int


def rejected_at(text: str, at: int, code: str, message: str) -> RequestRejected:
    """A refusal that shows where in the query it is, the way Salesforce does."""
    line_start = text.rfind("\n", 0, at) + 1
    start = max(line_start, at - 32)
    line_end = text.find("\n", at)
    excerpt = text[start : min(at + 40, len(text) if line_end < 0 else line_end)]
    row, column = text.count("\n", 0, at) + 1, at - line_start + 1
    where = f"\n{excerpt}\n{' ' * (at - start)}^\nERROR at Row:{row}:Column:{column}\n"
    return RequestRejected(code, where + message, None)


def tokens(text: str) -> list[Token]:
    """The words of a query and its end. Raises `RequestRejected` MALFORMED_QUERY."""
    found: list[Token] = []
    at, end = 0, len(text.rstrip())
    while at < end:
        match = _TOKEN.match(text, at)
        if match is None or match.lastgroup is None:
            start = at + len(text[at:]) - len(text[at:].lstrip())
            raise rejected_at(text, start, "MALFORMED_QUERY", f"unexpected token: '{text[start : start + 1]}'")
        found.append(Token(match.lastgroup, match.group(match.lastgroup), match.start(match.lastgroup)))
        at = match.end()
    return [*found, Token("end", "", end)]


def unescape(text: str) -> str:
    """What a quoted string says."""
    return re.sub(r"\\(.)", lambda found: _ESCAPES.get(found.group(1), found.group(1)), text)
