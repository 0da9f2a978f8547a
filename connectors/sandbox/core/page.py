"""The parts of the page at ``/`` that every sandbox shows; all values are escaped."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

MOST_ROWS = 500


def html_page(title: str, header: str, style: str, *sections: str) -> str:
    """The whole page."""
    return (
        f'<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f"<style>{style}</style></head><body><header>{escape(header)}</header>{''.join(sections)}</body></html>"
    )


def section(title: str, count: int, heads: Iterable[str], rows: Sequence[Sequence[str]]) -> str:
    """A table of cells with its title, and how many of the ``count`` records it leaves out."""
    head = "".join(f"<th>{escape(text)}</th>" for text in heads)
    body = "".join(f"<tr>{''.join(row)}</tr>" for row in rows)
    more = f"<p>… and {count - len(rows)} more</p>" if count > len(rows) else ""
    return f"<section><h2>{escape(title)} ({count})</h2><table><tr>{head}</tr>{body}</table>{more}</section>"


def cell(value: object, name: str = "") -> str:
    """A cell with a value, empty for None; ``name`` is its CSS class."""
    start = f'<td class="{name}">' if name else "<td>"
    return f"{start}{escape('' if value is None else str(value))}</td>"
