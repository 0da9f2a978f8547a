"""What YAML reads differently from what its author meant, and what to write instead.

PyYAML follows YAML 1.1 (https://yaml.org/type/): ``NO`` is false, ``12:30`` is 750 and ``010`` is 8.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import yaml

from worker.settings.problems import Severity

_BOOL, _INT, _FLOAT = (f"tag:yaml.org,2002:{kind}" for kind in ("bool", "int", "float"))
_OCTAL = re.compile(r"[-+]?0[0-9_]+")
_ZEROS_LOST = re.compile(r"[-+]?[0-9]+\.[0-9]*0")
_COMMENT = re.compile(r"[ \t]+#(?=[\w{(\"'])")
_SYMBOL_OR_FIELD = re.compile(r"[<>]|\s!?=\s|\{\{")
_TEST_WORD = re.compile(r"\s(?:is|in|not|between)\s", re.IGNORECASE)
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Trap:
    """A problem of a scalar; ``at_end`` points behind it instead of at its beginning."""

    message: str
    severity: Severity = "error"
    at_end: bool = False


def value_traps(node: yaml.ScalarNode, line: str, *, secret: bool) -> Iterator[Trap]:
    """What is wrong with a scalar that stands as a value; ``line`` is the line it ends on.

    A ``secret`` is not repeated in the message.
    """
    if node.style is None:
        for trap in _plain_traps(node.value, node.tag):
            yield Trap("this is not read as it is written; put quotes around it", trap.severity) if secret else trap
        if _COMMENT.match(line, node.end_mark.column):
            yield Trap(
                'everything after " #" is a comment and is not read; put quotes around the whole text, '
                'or write "# " with a space if it is a comment',
                at_end=True,
            )
    if _CONTROL.search(node.value):
        yield Trap("this text contains an invisible control character")


def _plain_traps(text: str, tag: str) -> Iterator[Trap]:
    if tag == _BOOL and text.lower() not in {"true", "false"}:
        yield Trap(
            f'{text} is read as {_boolean(text)}; write true or false, or "{text}" in quotes if you mean the text'
        )
    elif tag in {_INT, _FLOAT} and ":" in text:
        yield Trap(f'{text} is read as a number to base 60; put quotes around it: "{text}"')
    elif tag == _INT and _OCTAL.fullmatch(text):
        yield Trap(f'{text} is read as an octal number; leave out the leading 0, or put quotes around it: "{text}"')
    elif tag == _FLOAT and _ZEROS_LOST.fullmatch(text) and not text.endswith(".0"):
        shorter = text.rstrip("0").rstrip(".")
        yield Trap(
            f'{text} is read as the number {shorter}; put quotes around it if you mean the text "{text}"', "warning"
        )


def key_traps(node: yaml.ScalarNode, *, alone_in_list: bool) -> Iterator[Trap]:
    """What is wrong with a scalar that stands as a key; ``alone_in_list``: ``- key: value`` and nothing more."""
    if node.style is not None:
        if _CONTROL.search(node.value):
            yield Trap("this key contains an invisible control character")
        return
    text = node.value
    if not text:
        yield Trap('there is no key before ":"')
    elif node.tag == _BOOL:
        yield Trap(f'a key named {text} is read as {_boolean(text)}; put quotes around it: "{text}"')
    elif _SYMBOL_OR_FIELD.search(text) or (alone_in_list and _TEST_WORD.search(text)):
        yield Trap(f'"{_short(text)}: ..." looks like a text containing ": "; put quotes around the whole line')


def complex_key_trap(node: yaml.Node) -> Trap:
    """What to say of a list or a block where a key must stand."""
    if isinstance(node, yaml.MappingNode):
        return Trap('text that begins with "{{" needs quotes around the whole text')
    return Trap('a key must be plain text; a list cannot stand before ":"')


def explain(error: yaml.MarkedYAMLError, line: str, at: int) -> str:
    """A parser's error at column ``at`` (from 0) of ``line``, in words that tell what to write instead."""
    error_text = f"{error.context or ''} {error.problem or ''}"
    if "\t" in line[: at + 1] and "cannot start any token" in error_text:
        return "tabs cannot be used for indentation; use spaces"
    if "expected ',' or" in error_text and line[at : at + 1] == "[":
        return 'a list "[ ]" cannot stand inside "[ ]" or "{ }" like this; write one test per line, each after "- "'
    if re.search(r":\s+\{\{", line):
        return 'text that begins with "{{" needs quotes around the whole text'
    if "mapping values are not allowed" in error_text:
        return 'a text containing ": " needs quotes around the whole text; otherwise check the indentation of this line'
    if line[at : at + 1] == ":" and not line[:at].strip():
        return 'there is no key before ":"'
    if "cannot start any token" in error_text or "scanning an a" in error_text or "scanning a tag" in error_text:
        return f'a text cannot begin with "{line[at : at + 1]}"; put quotes around the whole text'
    return _plainer(error_text, error)


def _plainer(error_text: str, error: yaml.MarkedYAMLError) -> str:
    if "could not find expected ':'" in error_text:
        return 'this line has no ": " with a space after the colon, or its indentation is not that of its neighbours'
    if "expected <block end>" in error_text or "did not find expected" in error_text:
        return "the indentation of this line does not fit the lines above it"
    if "expected ',' or" in error_text:
        return 'this list or block is not closed: a ",", "]" or "}" is missing here'
    if "quoted scalar" in error_text and "end of" in error_text:
        return "the closing quote of this text is missing"
    if "quoted scalar" in error_text:
        return 'unknown escape after "\\"; use single quotes around text that contains a backslash'
    return f"this is not valid YAML: {error.problem or error.context or 'cannot be read'}"


def _boolean(text: str) -> str:
    return "true" if text.lower() in {"yes", "on", "true", "y"} else "false"


def _short(text: str) -> str:
    return text if len(text) <= 60 else text[:59] + "…"
