"""``run.py explain`` and ``audit``: printing from the database. A copier may be running."""

import sys

from copytrade.app.commands.exit_codes import EXIT_TAMPERED, EXIT_UNUSABLE
from copytrade.common.redaction import readable_lines
from copytrade.reports.order import UnknownOrder, explain
from copytrade.reports.queries import audit_verdict
from copytrade.reports.snapshot import open_to_read
from copytrade.storage.audit_chain import told
from copytrade.storage.database import DatabaseUnusable


def show_order(database: str, leader_order_id: str) -> int:
    """Print the history of one leader order; return the exit code."""
    try:
        print(readable_lines(explain(database, leader_order_id)))
    except (DatabaseUnusable, UnknownOrder) as error:
        print(error, file=sys.stderr)
        return EXIT_UNUSABLE
    return 0


def verify_trail(database: str) -> int:
    """Verify the chain of the audit trail and print the result; return the exit code."""
    try:
        with open_to_read(database) as connection:
            verdict = audit_verdict(connection)
    except DatabaseUnusable as error:
        print(error, file=sys.stderr)
        return EXIT_UNUSABLE
    print(told(verdict))
    return EXIT_TAMPERED if verdict.fault else 0
