"""A terminal's text with its colours, as an SVG picture."""

import re
from html import escape

#: Pixels of a character and of a line, and around them.
_WIDE, _HIGH, _AROUND = 7.8, 18, 14

_BACKGROUND, _FOREGROUND = "#16181d", "#d7dae0"

#: How each terminal code that the console uses is drawn; 0 ends all of them.
_STYLES = {
    "1": "font-weight:bold",
    "2": "fill:#8a909c",
    "31": "fill:#ff7b72",
    "32": "fill:#7ee787",
    "33": "fill:#e3b341",
    "34": "fill:#79c0ff",
    "36": "fill:#56d4dd",
    "41": "fill:#ff4d4f",
}

_CODE = re.compile(r"\x1b\[([0-9;]*)m")


def svg(text: str, columns: int) -> str:
    """Return the lines of a terminal of so many columns as a picture. Codes that are not known are left out."""
    lines = text.splitlines()
    width, height = columns * _WIDE + 2 * _AROUND, len(lines) * _HIGH + 2 * _AROUND
    drawn = [_drawn(line, _AROUND + (number + 0.75) * _HIGH) for number, line in enumerate(lines)]
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}">',
            f'<rect width="100%" height="100%" rx="8" fill="{_BACKGROUND}"/>',
            f'<g font-family="Menlo,Consolas,DejaVu Sans Mono,monospace" font-size="13" fill="{_FOREGROUND}">',
            *drawn,
            "</g>",
            "</svg>",
            "",
        ]
    )


def _drawn(line: str, y: float) -> str:
    """Return a line of the terminal: each stretch of one style stands at its own column, whatever the font."""
    column, style, spans = 0, "", []
    for number, piece in enumerate(_CODE.split(line)):
        if number % 2:
            for code in piece.split(";"):
                style = "" if code in ("", "0") else ";".join(filter(None, [style, _STYLES.get(code, "")]))
        elif piece.strip():
            begins = column + len(piece) - len(piece.lstrip())
            said = piece.strip()
            where = f'x="{_AROUND + begins * _WIDE:.1f}" textLength="{len(said) * _WIDE:.1f}"'
            styled = f' style="{style}"' if style else ""
            spans.append(f'<tspan {where} lengthAdjust="spacingAndGlyphs"{styled}>{escape(said)}</tspan>')
        column += len(piece) * (1 - number % 2)
    return f'<text y="{y:.1f}" xml:space="preserve">{"".join(spans)}</text>'
