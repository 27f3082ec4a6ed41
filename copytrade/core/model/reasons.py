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
    HEDGE_MISSING = "hedge_missing"

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
        """Whether an order skipped for this reason is decided again when it changes."""
        return self in _PROVISIONAL

    @property
    def is_passing(self) -> bool:
        """Whether it says nothing against the order, which only could not leave at the time.

        The order is decided afresh once it can, even if it is over by then: the rules for late orders apply.
        """
        return self in _PASSING

    @property
    def is_not_as_the_leader(self) -> bool:
        """Whether it says of a copy that was sent that it did not come to its share of the leader's order."""
        return self in _NOT_AS_THE_LEADER

    @property
    def forbids_entries_alone(self) -> bool:
        """Whether an order skipped for this reason is copied all the same as an exit of a copied position."""
        return self in _FORBIDS_ENTRIES


_PASSING = frozenset({Reason.ACCOUNT_SUSPENDED, Reason.BUDGET, Reason.EXIT_FIRST, Reason.MARKET_CLOSED})

_NOT_AS_THE_LEADER = frozenset(
    {
        Reason.BROKER_REFUSED,
        Reason.BROKER_REJECTED,
        Reason.ENDED_EXTERNALLY,
        Reason.IOC_UNFILLED,
        Reason.INVISIBLE,
        Reason.UNFILLED,
        Reason.FILLED_OTHERWISE,
        Reason.MISJUDGED,
        Reason.HEDGE_MISSING,
    }
)

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


MEANINGS: dict[Reason, str] = {
    Reason.OWN_ORDER: "The copier itself placed this order, so it is no order of the leader's to copy.",
    Reason.BEFORE_START: "The leader placed it before copying began, and it left nothing that was copied.",
    Reason.FILTERED_INSTRUMENT: "The settings do not copy this kind, and it left nothing that was copied.",
    Reason.UNKNOWN_INSTRUMENT: "The broker's list lacks the instrument, or its lot there does not fit the order.",
    Reason.UNSUPPORTED: "Orders of this product or kind are not copied, and it left nothing that was copied.",
    Reason.UNREADABLE: "Nothing that the broker tells of the leader's order could be read.",
    Reason.ZERO_LOTS: "The follower's share of the order is less than one lot, and nothing is rounded up.",
    Reason.NO_CAPITAL: "The leader or the follower had no capital at the start of the day to size by.",
    Reason.NO_PRICE: "No price was known by which to hold the order against the follower's limits.",
    Reason.NO_MULTIPLIER: "A commodity or currency contract whose multiplier nobody told: its rupees are not known.",
    Reason.OVER_ORDER_VALUE: "Not even one lot fits into the follower's max_order_value.",
    Reason.BAD_ORDER_ID: "The leader's order id is too long or too odd for the broker to take in a correlation id.",
    Reason.COPYING_DISABLED: "Copying was switched off for this follower.",
    Reason.POISON: "Handling the order crashed the follower again and again, so it was set aside.",
    Reason.SECOND_COPIER: "Orders with our ids that we did not send were seen, so nothing more is entered.",
    Reason.ACCOUNT_SUSPENDED: "The broker refused the follower's access, so nothing could be sent for the account.",
    Reason.BUDGET: "The account's request budget was used up, but for what is kept for leaving.",
    Reason.MISSED_TOO_OLD: "It had filled or ended unseen, too long ago to be copied at a price near the leader's.",
    Reason.MARKET_CLOSED: "It came too late for its session; it is looked at again when the market opens.",
    Reason.PRICE_RULE: "The exchange would refuse the price, so it was not sent.",
    Reason.MAX_DAILY_LOSS: "The account had lost as much as max_daily_loss allows in a day: nothing more was entered.",
    Reason.MAX_OPEN_LOTS: "With this entry, more lots would have been open than max_open_lots allows.",
    Reason.MAX_ORDERS_PER_DAY: "As many entries had been sent that day as max_orders_per_day allows.",
    Reason.NOT_ALLOWED: "Neither its underlying, its symbol nor its segment is among those in allowed.",
    Reason.BLOCKED: "Its underlying, its symbol or its segment is among those in blocked.",
    Reason.OUTSIDE_WINDOW: "It came outside the time of day, trade_from to trade_until, in which the follower enters.",
    Reason.DRY_RUN: "The order that would have been sent had dry_run not been set; nothing was.",
    Reason.NOTHING_HELD: "The leader's order takes from a position of which the follower holds nothing by copying.",
    Reason.EXTERNAL_CLOSE: "What had been copied was closed by other hands: the follower's, or the broker's.",
    Reason.LEADER_EXITED: "The leader had left the position again before the follower was in it.",
    Reason.OVERTAKEN: "Another order closed what this one was to close, or closing was over, before it was sent.",
    Reason.NOT_NEEDED: "The leader's order changed before this one was sent, and it was not needed any more.",
    Reason.HEDGE_MISSING: "A sold leg is sent as far as its hedges are filled: one was refused, or not filled in time.",
    Reason.EXIT_FIRST: "Its entry waits until what the follower holds on the other side has been left.",
    Reason.LEADER_CANCELLED: "The leader's order was cancelled unfilled before a copy was sent.",
    Reason.LEADER_REJECTED: "The leader's own order was rejected.",
    Reason.LEADER_EXPIRED: "The leader's order expired unfilled before a copy was sent.",
    Reason.BROKER_REFUSED: "The broker would not take the follower's order.",
    Reason.BROKER_REJECTED: "The broker or the exchange rejected the follower's order after it was taken.",
    Reason.ENDED_EXTERNALLY: "The follower's order ended at the broker although the copier had not asked for it.",
    Reason.INVISIBLE: "The broker accepted the follower's order and never showed it; an exit was sent again.",
    Reason.IOC_UNFILLED: "The market had nothing for the follower's immediate order, or not all of it.",
    Reason.UNFILLED: "The follower's order rested long after the leader's was filled; the settings say what is done.",
    Reason.FLATTENED: "All that was copied was closed, by command or by a limit, and this order cancelled with it.",
    Reason.FILLED_OTHERWISE: "Both orders are over, and the follower has got another share of its than the leader.",
    Reason.MISJUDGED: "It was an exit, taken for an entry because the feed had lost what it left; it was taken back.",
}
