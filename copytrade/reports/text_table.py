"""Tables and figures in plain text."""

from collections.abc import Collection, Sequence
from decimal import Decimal


def aligned(heads: Sequence[str], rows: Sequence[Sequence[str]], text_heads: Collection[str]) -> list[str]:
    """Return the lines of a table: columns of ``text_heads`` are left-aligned, the others right-aligned."""
    widths = [max(map(len, column)) for column in zip(heads, *rows, strict=True)]
    marks = ["<" if head in text_heads else ">" for head in heads]
    return [
        " ".join(f"{cell:{mark}{width}}" for cell, mark, width in zip(row, marks, widths, strict=True)).rstrip()
        for row in (heads, *rows)
    ]


def signed(value: Decimal, places: int) -> str:
    """Return a difference with its sign and so many decimal places; one that rounds to zero is ``0.00``."""
    return f"{value:+.{places}f}" if round(value, places) else "0.00"
