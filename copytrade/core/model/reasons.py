"""Why a leader order was not copied, or its copy ended otherwise than the leader's: a closed list."""

from enum import StrEnum


class Reason(StrEnum):
    """A reason code, as stored in ``copy_mappings.reason`` and shown in the log."""

    # never copied
    OWN_ORDER = "own_order"
    BEFORE_START = "before_start"
    FILTERED_INSTRUMENT = "filtered_instrument"
    UNKNOWN_INSTRUMENT = "unknown_instrument"
    UNSUPPORTED = "unsupported"
    UNREADABLE = "unreadable"
    ZERO_LOTS = "zero_lots"
    NO_CAPITAL = "no_capital"
    NO_PRICE = "no_price"
    NO_MULTIPLIER = "no_multiplier"
    OVER_ORDER_VALUE = "over_order_value"
    BAD_ORDER_ID = "bad_order_id"
    POISON = "poison"
    COPYING_DISABLED = "copying_disabled"
    ACCOUNT_SUSPENDED = "account_suspended"
    BUDGET = "budget"
    SECOND_COPIER = "second_copier"
    MISSED_TOO_OLD = "missed_too_old"
    MARKET_CLOSED = "market_closed"
    PRICE_RULE = "price_rule"
    MAX_DAILY_LOSS = "max_daily_loss"
    MAX_OPEN_LOTS = "max_open_lots"
    MAX_ORDERS_PER_DAY = "max_orders_per_day"
    NOT_ALLOWED = "not_allowed"
    BLOCKED = "blocked"
    OUTSIDE_WINDOW = "outside_window"
    DRY_RUN = "dry_run"
    NOTHING_HELD = "nothing_held"
    EXTERNAL_CLOSE = "external_close"
    LEADER_EXITED = "leader_exited"
    NOT_NEEDED = "not_needed"
    EXIT_FIRST = "exit_first"
    OVERTAKEN = "overtaken"

    # the leader's order ended before a copy was sent
    LEADER_CANCELLED = "leader_cancelled"
    LEADER_REJECTED = "leader_rejected"
    LEADER_EXPIRED = "leader_expired"

    # the broker refused, or ended the copy without our request
    BROKER_REFUSED = "broker_refused"
    BROKER_REJECTED = "broker_rejected"
    ENDED_EXTERNALLY = "ended_externally"
    IOC_UNFILLED = "ioc_unfilled"
    INVISIBLE = "invisible"

    # copied, but not to the leader's outcome
    UNFILLED = "unfilled"
    FLATTENED = "flattened"
    FILLED_OTHERWISE = "filled_otherwise"
    MISJUDGED = "misjudged"

    @property
    def is_provisional(self) -> bool:
        """Whether an order skipped for it may yet be copied, should it change while the leader's order lives."""
        return self in _PROVISIONAL

    @property
    def forbids_entries_alone(self) -> bool:
        """Whether an order skipped for it is copied all the same where it takes from a position that was copied."""
        return self in _FORBIDS_ENTRIES


_FORBIDS_ENTRIES = frozenset({Reason.BEFORE_START, Reason.FILTERED_INSTRUMENT, Reason.UNSUPPORTED})

_PROVISIONAL = frozenset(
    {
        Reason.UNKNOWN_INSTRUMENT,
        Reason.UNREADABLE,
        Reason.ZERO_LOTS,
        Reason.NO_CAPITAL,
        Reason.NO_PRICE,
        Reason.NO_MULTIPLIER,
        Reason.OVER_ORDER_VALUE,
        Reason.COPYING_DISABLED,
        Reason.ACCOUNT_SUSPENDED,
        Reason.BUDGET,
        Reason.SECOND_COPIER,
        Reason.MARKET_CLOSED,
        Reason.PRICE_RULE,
        Reason.MAX_DAILY_LOSS,
        Reason.MAX_OPEN_LOTS,
        Reason.MAX_ORDERS_PER_DAY,
        Reason.NOT_ALLOWED,
        Reason.BLOCKED,
        Reason.OUTSIDE_WINDOW,
        Reason.DRY_RUN,
        Reason.NOTHING_HELD,
        Reason.EXTERNAL_CLOSE,
        Reason.LEADER_EXITED,
        Reason.NOT_NEEDED,
        Reason.EXIT_FIRST,
    }
)
