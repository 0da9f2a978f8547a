"""Rules for single values that connectors and the worker share."""

from __future__ import annotations

import math
import re
from typing import TypeGuard
from urllib.parse import urlsplit

ELLIPSIS = "…"

_EMAIL = re.compile(r"[^@\s,;<>]+@[^@\s,;<>]+\.[^@\s,;<>]+")
_NO_TEXT = re.compile(
    "[\\x00-\\x09\\x0b-\\x1f\\x7f-\\x9f\\u2028\\u2029\\u202a-\\u202e\\u2066-\\u2069\\ufeff\\ud800-\\udfff]"
)
_FORMULA = re.compile(r"\s*[=+\-@\uff1d\uff0b\uff0d\uff20]")
_NUMBER = re.compile(r"\s*[+-]?[\d\s.,:/()%+-]*")
_WWW, _BLANK = re.compile(r"^(www\.)+"), re.compile(r"\s")


def finite_number(value: object) -> TypeGuard[int | float]:
    """Whether ``value`` is a finite number. True and false are not numbers, nor are texts."""
    kind = type(value)
    if kind is int:
        return True
    return kind is not bool and isinstance(value, int | float) and math.isfinite(value)


def printable(text: str) -> str:
    """The text with a space for every character that a terminal would obey instead of show; line breaks stay.

    Control characters, escape sequences' ESC and marks that turn the direction of text are such characters.
    """
    return text if text.isprintable() else "".join(c if c == "\n" or c.isprintable() else " " for c in text)


def one_line(text: str) -> str:
    """The text as `printable` makes it, with spaces for its line breaks too."""
    return printable(text).replace("\n", " ")


def stored_text(text: str) -> str:
    """The text as a CRM may store it, with a space for what has no place in a text; line breaks and joiners stay.

    That is every control character, every mark that turns the direction of what follows, and every half of a character.
    """
    return _NO_TEXT.sub(" ", text.replace("\r\n", "\n")) if _NO_TEXT.search(text) else text


def not_a_formula(text: str) -> str:
    """The text with an apostrophe before it where a spreadsheet that gets it in an export would calculate it.

    Numbers and telephone numbers stay as they are. The characters are those of OWASP's page on CSV injection.
    """
    return f"'{text}" if _FORMULA.match(text) and not _NUMBER.fullmatch(text) else text


def shorten(text: str, most: int) -> str:
    """``text``, or its beginning and "…", in at most ``most`` UTF-16 units, in which CRMs count; no half characters."""
    units = text.encode("utf-16-le", "surrogatepass")
    if len(units) <= 2 * most:
        return text
    return units[: 2 * max(most - 1, 0)].decode("utf-16-le", "ignore").rstrip() + ELLIPSIS[:most]


def email_address(text: object) -> str:
    """The text as one e-mail address in lower case, without spaces around it; empty when it is not one.

    An address has one ``@`` and a dot behind it, and no space, comma, semicolon or angle bracket: a list of addresses
    or ``Ann <ann@example.com>`` is not an address.
    """
    address = str(text or "").strip().lower()
    return address if _EMAIL.fullmatch(address) else ""


def host_of(text: str) -> str:
    """The host of a web address, domain or e-mail address in lower case, without ``www.``; empty when there is none.

    What has a blank inside is no host.
    """
    words = text.strip().lower()
    try:
        host = urlsplit(words if "//" in words else f"//{words}").hostname or ""
    except ValueError:
        return ""
    return "" if _BLANK.search(host) else _WWW.sub("", host.rstrip("."))


def domain_of(text: str) -> str:
    """The bare domain of a web address or domain in any spelling: ``https://www.Acme.com/de`` is ``acme.com``."""
    host = host_of(text)
    return host if "." in host and ":" not in host else ""
