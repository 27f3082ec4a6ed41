"""Tables in plain text."""

from collections.abc import Collection, Sequence


def aligned(heads: Sequence[str], rows: Sequence[Sequence[str]], text_heads: Collection[str]) -> list[str]:
    """Return the lines of a table: columns of ``text_heads`` are left-aligned, the others right-aligned."""
    widths = [max(map(len, column)) for column in zip(heads, *rows, strict=True)]
    marks = ["<" if head in text_heads else ">" for head in heads]
    return [
        " ".join(f"{cell:{mark}{width}}" for cell, mark, width in zip(row, marks, widths, strict=True)).rstrip()
        for row in (heads, *rows)
    ]
