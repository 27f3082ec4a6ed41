"""The day's report as one page of HTML that needs nothing else: no script, no request, no file beside it."""

from datetime import date

from copytrade.reports.day.figures import DayFigures, day_figures
from copytrade.reports.day.page.charts import charts
from copytrade.reports.day.page.sections import sections
from copytrade.reports.day.page.style import POLICY, STYLE
from copytrade.reports.day.page.tables import text
from copytrade.settings import Limits


def day_page(database: str, day: date, limits: Limits | None = None, *, board: str = "") -> str:
    """Return the report of a day as HTML; nothing is changed. ``limits`` are the settings' request limits.

    ``board`` is the address of the board for a link back, "" for a page that needs nothing else.

    Who serves it over HTTP has to send :data:`~copytrade.reports.day.page.style.POLICY`, or a policy that allows its
    style. Raises DatabaseUnusable.
    """
    return page_of(day_figures(database, day, limits or Limits()), board=board)


def page_of(day: DayFigures, *, board: str = "") -> str:
    """Return the page of a day's figures."""
    back = f'<p><a href="{text(board)}">Back to the board</a></p>\n' if board else ""
    drawn = charts(day)
    title = f"{day.date:%A %d %B %Y}"
    notes = [*day.not_kept, *([drawn] if isinstance(drawn, str) else [])]
    return (
        "<!DOCTYPE html>\n"
        '<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        '<meta name="referrer" content="no-referrer">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>Copies of {text(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n"
        f"{back}<h1>Copies of {text(title)}</h1>\n"
        f'<p class="soft">Made at {day.made_at:%H:%M:%S on %d %B %Y}; times of India.</p>\n'
        + "".join(f"<p>{text(note)}</p>\n" for note in notes)
        + "".join(sections(day, {} if isinstance(drawn, str) else drawn))
        + "</main>\n</body>\n</html>\n"
    )
