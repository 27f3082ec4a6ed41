"""How a database of an earlier version becomes one of this version: forward only, a step at a time.

New tables need no step, they are created where they are missing. Each step is plain SQL that every supported database
understands, and runs in the transaction that also notes the new version, so it happens wholly or not at all.
"""

from collections.abc import Mapping, Sequence

#: The version that this program reads and writes.
SCHEMA_VERSION = 4

#: For each earlier version, what makes the next one of it.
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
    """Return the statements that bring a database of ``version`` here, none if it is; None if there is no way."""
    if not version.isdigit() or not 1 <= int(version) <= SCHEMA_VERSION:
        return None
    return [statement for step in range(int(version), SCHEMA_VERSION) for statement in STEPS[step]]
