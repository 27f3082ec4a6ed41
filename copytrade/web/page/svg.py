"""A chart as SVG. Colours are attributes: a style in the picture would need what the page's policy forbids."""

from xml.sax.saxutils import escape

from copytrade.common.redaction import readable
from copytrade.web.page import text
from copytrade.web.page.charts import Chart

#: Sizes in pixels.
_WIDTH, _ROW, _NAMES, _NUMBERS = 440, 22, 120, 90

#: Colours of text, gain and neutral, loss, and the line of zero, by theme.
_COLOURS = {
    "light": ("#3d4654", "#2f7d5d", "#b3403a", "#c4cad3"),
    "dark": ("#c2cad6", "#57b58d", "#e27a72", "#3c4655"),
}


def svg(chart: Chart, theme: str) -> bytes:
    """Return a picture of a chart for a theme, light or dark."""
    ink, good, bad, line = _COLOURS.get(theme, _COLOURS["light"])
    most = max((abs(value) for _, value in chart.bars), default=0.0) or 1.0
    has_losses = any(value < 0 for _, value in chart.bars)
    room = _WIDTH - _NAMES - _NUMBERS
    zero = _NAMES + (room / 2 if has_losses else 0)
    scale = room / (2 if has_losses else 1) / most
    height = _ROW * max(1, len(chart.bars)) + 4
    font = 'font-size="12" font-family="system-ui, sans-serif"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" {font}>',
        f'<path d="M{zero:.1f} 0V{height}" stroke="{line}"/>',
    ]
    for number, (name, value) in enumerate(chart.bars):
        top, length = number * _ROW, abs(value) * scale
        colour = bad if value < 0 and chart.is_signed else good
        left, label = zero - length if value < 0 else zero, escape(readable(name)[:16])
        shown = text.signed(value) if chart.is_signed else text.number(value, 2)
        parts += [
            f'<text x="{_NAMES - 8}" y="{top + 15}" text-anchor="end" fill="{ink}">{label}</text>',
            f'<rect x="{left:.1f}" y="{top + 5}" width="{length:.1f}" height="{_ROW - 8}" rx="1" fill="{colour}"/>',
            f'<text x="{_WIDTH}" y="{top + 15}" text-anchor="end" fill="{ink}">{shown}</text>',
        ]
    return "".join([*parts, "</svg>"]).encode()
