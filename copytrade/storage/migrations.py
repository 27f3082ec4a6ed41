"""Migration of a database of an earlier version: forward only, one version at a time.

New tables need no step: missing tables are created. Each step is plain SQL that every supported database understands.
All steps and the new version are one transaction.
"""

from collections.abc import Mapping, Sequence

#: The version that this program reads and writes.
SCHEMA_VERSION = 4

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
}


def steps_from(version: str) -> list[str] | None:
    """Return the statements that migrate a database of ``version``, none if it is current; None if impossible."""
    if not version.isdigit() or not 1 <= int(version) <= SCHEMA_VERSION:
        return None
    return [statement for step in range(int(version), SCHEMA_VERSION) for statement in STEPS[step]]
