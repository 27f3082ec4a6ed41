"""Migration of a database of an earlier version: forward only, one version at a time.

New tables need no step: missing tables are created. Each step is plain SQL that every supported database understands.
All steps and the new version are one transaction.
"""

from collections.abc import Mapping, Sequence

#: The version that this program reads and writes.
SCHEMA_VERSION = 5

_LINES = "exchange_segment, security_id, product, leader_position, held, level, ratio, state, created_at, updated_at"

#: Tables that are made anew: the key of one has another column, and either may have been missing until now.
_OF_LEADERS = (
    """CREATE TABLE ledger_of_leaders (
        follower TEXT NOT NULL, leader TEXT NOT NULL, exchange_segment TEXT NOT NULL, security_id TEXT NOT NULL,
        product TEXT NOT NULL, leader_position INTEGER NOT NULL, held INTEGER NOT NULL, level INTEGER NOT NULL,
        ratio REAL, state TEXT NOT NULL, created_at TEXT NOT NULL, updated_at TEXT NOT NULL,
        PRIMARY KEY (follower, leader, exchange_segment, security_id, product))""",
    f"INSERT INTO ledger_of_leaders (follower, leader, {_LINES}) SELECT follower, '', {_LINES} FROM ledger",  # noqa: S608
    "DROP TABLE ledger",
    "ALTER TABLE ledger_of_leaders RENAME TO ledger",
    """CREATE TABLE allotments_of_leaders (
        leader_order_id TEXT NOT NULL, follower TEXT NOT NULL, leader TEXT NOT NULL, trade_date TEXT NOT NULL,
        role TEXT NOT NULL, base INTEGER NOT NULL, wanted INTEGER NOT NULL, state TEXT NOT NULL,
        created_at TEXT NOT NULL, updated_at TEXT NOT NULL, PRIMARY KEY (leader_order_id, follower, trade_date))""",
    """INSERT INTO allotments_of_leaders
        (leader_order_id, follower, leader, trade_date, role, base, wanted, state, created_at, updated_at)
        SELECT leader_order_id, follower, '', trade_date, role, base, wanted, state, created_at, updated_at
        FROM allotments""",
    "DROP TABLE allotments",
    "ALTER TABLE allotments_of_leaders RENAME TO allotments",
)

#: For each earlier version, the statements that lead to the next one.
STEPS: Mapping[int, Sequence[str]] = {
    1: (
        "ALTER TABLE copy_mappings ADD COLUMN part TEXT NOT NULL DEFAULT 'entry'",
        "ALTER TABLE copy_mappings ADD COLUMN slippage_rupees REAL",
        "ALTER TABLE copy_mappings ADD COLUMN slippage_bps REAL",
        "ALTER TABLE copy_mappings ADD COLUMN fill_ms REAL",
    ),
    2: (  # the indexes stood in the way of every intent, and served a restart; the chain begins with the next row
        "DROP INDEX IF EXISTS copymappings_follower_trade_date",
        "DROP INDEX IF EXISTS allotments_follower_trade_date",
        "ALTER TABLE audit_log ADD COLUMN hash TEXT NOT NULL DEFAULT ''",
        "ALTER TABLE copy_mappings ADD COLUMN decision_ms REAL",
        "ALTER TABLE copy_mappings ADD COLUMN permit_ms REAL",
        "ALTER TABLE copy_mappings ADD COLUMN request_ms REAL",
        "ALTER TABLE copy_mappings ADD COLUMN broker_ms REAL",
    ),
    3: (),  # a program of that version would not look at what is intended
    4: (  # rows say whose they are, which only the settings know: the store fills it in
        "ALTER TABLE copy_mappings ADD COLUMN leader TEXT NOT NULL DEFAULT ''",
        *_OF_LEADERS,
    ),
}


def steps_from(version: str) -> list[str] | None:
    """Return the statements that migrate a database of ``version``, none if it is current; None if impossible."""
    if not version.isdigit() or not 1 <= int(version) <= SCHEMA_VERSION:
        return None
    return [statement for step in range(int(version), SCHEMA_VERSION) for statement in STEPS[step]]
