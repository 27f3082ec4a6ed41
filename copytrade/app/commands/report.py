"""``run.py report``: a day as text, as a page, as a table for a spreadsheet, or as JSON. A copier may be running."""

import argparse
import sys
from pathlib import Path

import msgspec

from copytrade.app.commands.exit_codes import EXIT_UNUSABLE
from copytrade.common.redaction import readable_lines
from copytrade.reports.day.copies import spreadsheet
from copytrade.reports.day.figures import day_figures
from copytrade.reports.day.file import write_text
from copytrade.reports.day.page.document import day_page
from copytrade.reports.day.text import report
from copytrade.settings import Settings
from copytrade.storage.database import DatabaseUnusable


def report_of_day(settings: Settings, options: argparse.Namespace) -> int:
    """Print or write the report of a day in the shape that the options ask for; return the exit code."""
    database, limits, day = settings.store.database, settings.limits, options.date
    try:
        if options.html is not None:
            return _written(options.html, day_page(database, day, limits))
        if options.csv is not None:
            return _written(options.csv, spreadsheet(day_figures(database, day, limits).copies))
        if options.json:
            print(msgspec.json.format(msgspec.json.encode(day_figures(database, day, limits))).decode())
        else:
            print(readable_lines(report(database, day)))
    except DatabaseUnusable as error:
        print(error, file=sys.stderr)
        return EXIT_UNUSABLE
    return 0


def _written(file: Path, text: str) -> int:
    try:
        write_text(file, text)
    except OSError as error:
        print(f"{file}: cannot be written: {error.strerror or error}", file=sys.stderr)
        return EXIT_UNUSABLE
    print(f"written to {file}", file=sys.stderr)
    return 0
