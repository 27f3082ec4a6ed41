"""The tables, as an operator queries them. Prices are rupees, quantities units, ``*_at`` ISO times with their zone."""

import peewee

from copytrade.storage import copies_table


class Orders(peewee.Model):
    """The latest state of every order, the leader's and the followers'."""

    id = peewee.TextField()
    account = peewee.TextField()
    account_type = peewee.TextField()
    trade_date = peewee.TextField()
    correlation_id = peewee.TextField(index=True)
    status = peewee.TextField()
    side = peewee.TextField()
    product = peewee.TextField()
    order_type = peewee.TextField()
    validity = peewee.TextField()
    security_id = peewee.TextField()
    exchange_segment = peewee.TextField()
    symbol = peewee.TextField()
    quantity = peewee.IntegerField()
    filled_quantity = peewee.IntegerField()
    disclosed_quantity = peewee.IntegerField()
    price = peewee.FloatField()
    trigger_price = peewee.FloatField()
    average_price = peewee.FloatField()
    reason = peewee.TextField()
    created_at = peewee.TextField()
    updated_at = peewee.TextField()

    class Meta:
        table_name = "orders"
        primary_key = peewee.CompositeKey("id", "account", "trade_date")


class CopyMappings(peewee.Model):
    """What each follower did about each leader order: its columns are the fields of CopyRow, in copies_table.py."""

    class Meta:
        table_name = "copy_mappings"
        primary_key = peewee.CompositeKey("leader_order_id", "follower", "trade_date", "n")


for _name, _field in copies_table.fields().items():
    CopyMappings._meta.add_field(_name, _field)


class Ledger(peewee.Model):
    """What each follower holds by copying a leader, a row per instrument and product; short positions are negative."""

    follower = peewee.TextField()
    leader = peewee.TextField()
    exchange_segment = peewee.TextField()
    security_id = peewee.TextField()
    product = peewee.TextField()
    leader_position = peewee.IntegerField()
    held = peewee.IntegerField()
    level = peewee.IntegerField()
    ratio = peewee.FloatField(null=True)
    state = peewee.TextField()
    created_at = peewee.TextField()
    updated_at = peewee.TextField()

    class Meta:
        table_name = "ledger"
        primary_key = peewee.CompositeKey("follower", "leader", "exchange_segment", "security_id", "product")


class Allocations(peewee.Model):
    """How each leader order was allocated to each follower at first sight, and how much of it was counted."""

    leader_order_id = peewee.TextField()
    follower = peewee.TextField()
    leader = peewee.TextField()
    trade_date = peewee.TextField()
    role = peewee.TextField()
    base = peewee.IntegerField()
    wanted = peewee.IntegerField()
    state = peewee.TextField()
    created_at = peewee.TextField()
    updated_at = peewee.TextField()

    class Meta:
        table_name = "allotments"
        primary_key = peewee.CompositeKey("leader_order_id", "follower", "trade_date")


class Intents(peewee.Model):
    """The write-ahead log: what is about to be sent, until it is in the other tables. A line of JSON per record."""

    records = peewee.TextField()

    class Meta:
        table_name = "intents"


class OrderEvents(peewee.Model):
    """Every change of every order, in the order of its arrival."""

    order_id = peewee.TextField(index=True)
    account = peewee.TextField()
    event_type = peewee.TextField()
    event_data = peewee.TextField()
    event_ts = peewee.FloatField()

    class Meta:
        table_name = "order_events"


class AuditLog(peewee.Model):
    """Every request to the broker that asks for a change, append-only; ``hash`` chains each row to the one before."""

    action = peewee.TextField()
    account = peewee.TextField()
    request_data = peewee.TextField()
    response_data = peewee.TextField()
    status_code = peewee.IntegerField(null=True)
    duration_ms = peewee.DoubleField()
    ts = peewee.DoubleField()
    hash = peewee.TextField(default="")

    class Meta:
        table_name = "audit_log"


class Commands(peewee.Model):
    """Commands of the operator to one follower while it runs, and their answers; times are epoch seconds."""

    name = peewee.TextField()
    follower = peewee.TextField()
    given_at = peewee.DoubleField()
    is_done = peewee.IntegerField(null=True)
    answer = peewee.TextField(null=True)
    answered_at = peewee.DoubleField(null=True)

    class Meta:
        table_name = "commands"


class Config(peewee.Model):
    """Values kept across restarts."""

    key = peewee.TextField(primary_key=True)
    value = peewee.TextField()

    class Meta:
        table_name = "config"


ALL = (Orders, CopyMappings, Ledger, Allocations, Intents, OrderEvents, AuditLog, Commands, Config)

#: SQLite triggers that keep ``audit_log`` append-only against accidents. A row that replaces another one does not fire
#: the trigger for deletions, hence the third.
APPEND_ONLY = tuple(
    f"CREATE TRIGGER IF NOT EXISTS audit_log_refuses_{name} BEFORE {event} ON audit_log{when}"
    " BEGIN SELECT RAISE(ABORT, 'audit_log is append-only'); END"
    for name, event, when in (
        ("update", "UPDATE", ""),
        ("delete", "DELETE", ""),
        ("replace", "INSERT", " WHEN EXISTS (SELECT 1 FROM audit_log WHERE id = NEW.id)"),
    )
)
