"""The page's tables: every cell is escaped, and what does not show is shown escaped."""

from collections.abc import Sequence
from datetime import datetime
from html import escape

from copytrade.common.redaction import readable
from copytrade.core.model.orders import IST


class Number(str):
    """A number as it is shown: its column is aligned to the right."""

    __slots__ = ()


def text(value: str) -> str:
    """Return a text as HTML, whoever wrote it."""
    return escape(readable(value))


def rupees(value: float | None, *, is_signed: bool = False) -> Number:
    """Return rupees with two places."""
    return number(value, 2, is_signed=is_signed)


def number(value: float | None, places: int = 0, *, is_signed: bool = False) -> Number:
    """Return a number with so many places, "-" for None; one that rounds to zero has no sign."""
    if value is None:
        return Number("-")
    return Number(f"{value:{'+' if is_signed and round(value, places) else ''}z,.{places}f}")


def time_of(at: datetime | None) -> Number:
    """Return the time of day in India, "-" for None."""
    return Number("-" if at is None else f"{at.astimezone(IST):%H:%M:%S}")


def table(caption: str, heads: Sequence[str], rows: Sequence[Sequence[str]], empty: str = "There is none.") -> str:
    """Return a table under its caption, the first column being the rows' heads; ``empty`` is said without rows."""
    if not rows:
        return f"<h3>{text(caption)}</h3>\n<p>{text(empty)}</p>\n"
    kinds = [isinstance(cell, Number) for cell in rows[0]]
    head = "".join(
        f'<th scope="col"{_class(is_number)}>{text(name)}</th>' for name, is_number in zip(heads, kinds, strict=True)
    )
    body = "\n".join(f"<tr>{_row(row)}</tr>" for row in rows)
    return (
        f'<div class="wide" tabindex="0" role="region" aria-label="{text(caption)}">'
        f"<table><caption>{text(caption)}</caption>\n"
        f"<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody></table></div>\n"
    )


def _row(row: Sequence[str]) -> str:
    first, *rest = row
    cells = [f'<th scope="row"{_class(isinstance(first, Number))}>{text(first)}</th>']
    cells += [f"<td{_class(isinstance(cell, Number))}>{text(cell)}</td>" for cell in rest]
    return "".join(cells)


def _class(is_number: bool) -> str:
    return ' class="n"' if is_number else ""
