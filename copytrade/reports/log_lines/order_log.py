"""The log lines about copies: their wording is fixed, because operators and their tools search for it."""

from collections.abc import Sequence

from loguru import logger
from msgspec.structs import replace

from copytrade.common.logs import alert, fields, over
from copytrade.common.measures import bps, milliseconds, rupees
from copytrade.core.decide.decisions import Cancel, Modify, Place
from copytrade.core.engine.copies.dry_run import is_shadow
from copytrade.core.engine.engine import Action, Changed
from copytrade.core.ledger.drift.apart import Apart
from copytrade.core.market.contracts import Differs
from copytrade.core.model.copies import Copy, Stage
from copytrade.core.model.lane import Lane
from copytrade.core.model.ledger import Line, Part
from copytrade.core.model.orders import Order, Status, Validity
from copytrade.core.model.reasons import MEANINGS, Reason
from copytrade.core.model.rejections import RejectionClass, classify

#: Why an order that was to be copied was not, although nobody wanted that.
_WORTH_A_LOOK = (
    Reason.MISSED_TOO_OLD,
    Reason.SECOND_COPIER,
    Reason.ACCOUNT_SUSPENDED,
    Reason.OWN_ORDER,
    Reason.POISON,
    Reason.HEDGE_MISSING,
)

#: How many orders are named that wait for the budget.
NAMED = 6

_FAILED = {Place: "Failed to place", Modify: "Failed to modify", Cancel: "Failed to cancel"}

_KINDS = {Place: "failed_to_place", Modify: "failed_to_modify", Cancel: "failed_to_cancel"}


def who(copy: Copy) -> str:
    """Return the fields that name the follower, the leader's order and the follower's."""
    leader_order = copy.leader_order_id
    return fields(follower=copy.follower, leader=copy.leader, leader_order=leader_order, order=copy.order_id)


def rate_limited(follower: str, lane: Lane, seconds: float, orders: Sequence[str], *, is_long: bool) -> None:
    """Leader orders wait for the request budget; a long wait is an alert."""
    named = ",".join(orders[:NAMED]) + (f",+{len(orders) - NAMED}" if len(orders) > NAMED else "")
    waiting = fields(follower=follower, lane=lane.name.lower(), orders=named)
    logger.info("Rate limit reached, waiting {:.2f}s {}", seconds, waiting)
    if is_long:
        text = "Request budget used up, orders wait {}"
        alert("budget", follower, text, fields(follower=follower, lane=lane.name.lower(), seconds=round(seconds)))


def budget_allows(follower: str) -> None:
    """Nothing has to wait for long for the request budget any more."""
    over("budget", follower, "Request budget allows orders again {}", fields(follower=follower))


def placing(copy: Copy, leader: Order) -> None:
    """A new order is about to be sent."""
    desired = copy.desired
    if desired is None:
        return
    parameters = fields(
        side=copy.side(leader),
        symbol=leader.symbol,
        type=desired.order_type,
        product=leader.product,
        quantity=desired.quantity,
        part="" if copy.part is Part.ENTRY else copy.part,
        price=desired.price,
        trigger_price=desired.trigger_price,
        validity=desired.validity,
        disclosed_quantity=desired.disclosed_quantity,
        amo="yes" if leader.after_market else "",
        sizing=copy.arithmetic,
    )
    if copy.part is Part.FLATTEN:
        alert("excess", copy.follower, "More filled than belongs, flattening the excess {}", who(copy), level="ERROR")
    logger.info("Placing follower order {} {}", who(copy), parameters)


def left_unread(copy: Copy) -> None:
    """An exit is sent by the ledger: the account's positions could not be read in time."""
    text = (
        "Exit leaves by the ledger, the account's order book and positions could not be read in time: "
        "compare the position with the leader's by hand"
    )
    _exit_to_compare("unread_exit", copy, text)


def left_beside(copy: Copy) -> None:
    """An exit is sent although another order of the account was about to close the position: both may fill."""
    text = (
        "Exit gave way in vain and leaves beside another order of the account: "
        "if both fill, too much is taken, compare the position by hand"
    )
    _exit_to_compare("exit_beside_another", copy, text)


def _exit_to_compare(kind: str, copy: Copy, text: str) -> None:
    quantity = copy.desired.quantity if copy.desired else None
    alert(kind, copy.follower, text + " {} {}", who(copy), fields(id=copy.correlation_id, quantity=quantity))


def unreadable(copy: Copy) -> None:
    """A leader order cannot be read, neither from the feed nor from the order book."""
    logger.warning("Order skipped: {} {} {}", copy.reason, who(copy), fields(detail=copy.error))


def kept_back(action: Action, change: Changed) -> None:
    """A dry run did not send a request."""
    copy, desired = change.after, change.after.desired
    parameters = ""
    if desired is not None and not isinstance(action, Cancel):
        parameters = fields(
            side=copy.side(change.leader),
            symbol=change.leader.symbol,
            type=desired.order_type,
            product=change.leader.product,
            quantity=desired.quantity,
            part="" if copy.part is Part.ENTRY else copy.part,
            price=desired.price,
            trigger_price=desired.trigger_price,
            validity=desired.validity,
            sizing=copy.arithmetic,
        )
    logger.info("Dry run, not sent: {} {} {}", type(action).__name__.lower(), who(copy), parameters)


def replicated(copy: Copy) -> None:
    """The broker took the order."""
    quantity = copy.accepted.quantity if copy.accepted else 0
    taken = fields(quantity=quantity, latency=milliseconds(copy.latency_ms))
    logger.info("Order replicated successfully {} {}", who(copy), taken)


def modified(copy: Copy) -> None:
    """The broker took the modification."""
    desired = copy.accepted
    parameters = (
        fields(
            type=desired.order_type,
            quantity=desired.quantity,
            price=desired.price,
            trigger_price=desired.trigger_price,
            validity=desired.validity if desired.validity is not Validity.DAY else "",
            modifications=copy.modifications,
        )
        if desired
        else ""
    )
    logger.info("Order modified successfully {} {}", who(copy), parameters)


def cancelled(copy: Copy) -> None:
    """The broker took the cancellation."""
    logger.info("Successfully cancelled follower order {} {}", copy.order_id, fields(follower=copy.follower))
    logger.info("Order cancelled successfully {}", who(copy))


def failed(action: Action, copy: Copy, error: str, *, is_of_the_account: bool = False) -> None:
    """The broker refused, or the outcome is unknown. A refusal of the account has an alert of its own.

    A change of an order that has ended by now needs nobody.
    """
    text, what = f"{_FAILED[type(action)]} {{}} {{}}", (who(copy), fields(error=error))
    if copy.stage is Stage.ENDED and not isinstance(action, Place):
        logger.info(text, *what)
    elif is_of_the_account:
        logger.error(text, *what)
    else:
        kind = _kind_of_failure(type(action), error)
        alert(kind, copy.follower, text, *what, level=_gravity(copy.part, kind))


def _kind_of_failure(action: type[Action], error: str) -> str:
    is_for_margin = action is Place and classify(error) is RejectionClass.MARGIN
    return "margin" if is_for_margin else _KINDS[action]


def _gravity(part: Part, kind: str) -> str:
    """Return the level of a failure: an exit that the account lacks the margin for is the worst."""
    return "CRITICAL" if kind == "margin" and part in (Part.EXIT, Part.FLATTEN, Part.CLOSE) else "ERROR"


def changed(change: Changed) -> None:
    """A copy changed: log what an operator needs to see."""
    before, after = change.before, change.after
    if is_shadow(after):
        return
    if after.part is Part.TWIN and before.order is None:
        alert("late_twin", after.follower, "Late twin of an order at the broker, cancelling it {}", who(after))
    if before.stage is Stage.UNKNOWN and after.stage is Stage.NONE:
        logger.warning("Order proven absent, decided anew {} {}", who(after), fields(id=after.correlation_id))
    if after.reason is not before.reason and after.reason is not None:
        _reason(after, after.reason)
    if after.filled_quantity > before.filled_quantity:
        _filled(after, change.leader)


def drifted(follower: str, before: Line, after: Line, *, is_conversion: bool = False) -> None:
    """The leader's position differs from the stored one: it changed while the copier was down, or was converted."""
    figures = fields(
        follower=follower,
        leader=before.key.leader,
        instrument=f"{before.key.key.segment}:{before.key.key.security_id}",
        product=before.key.product,
        recorded=before.leader_position,
        leader_position=after.leader_position,
        held=after.held,
        level=after.level,
    )
    what = "Leader's position was converted" if is_conversion else "Leader's position changed while nobody looked"
    logger.warning("{} {}", what, figures)


def differs(follower: str, one: Differs) -> None:
    """The broker contradicts itself about a contract; the line says what is done about it."""
    name = f"{one.key.segment}:{one.key.security_id}"
    figures = fields(follower=follower, instrument=name, symbol=one.symbol)
    who = f"{follower}:{name}"
    alert(
        f"{one.what}_differs",
        who,
        "Broker contradicts itself about the {} {} {}",
        one.what,
        figures,
        one.how,
        level="WARNING",
    )


def moved(follower: str, before: Line, after: Line) -> None:
    """Copied units were converted to another product, or units that seemed closed are back."""
    what = "Copied position was converted"
    if after.lost != before.lost:
        is_back = after.lost < before.lost
        what = "Copied units are there after all" if is_back else "Copied units are gone with the leader's"
    logger.warning("{} {}", what, _line(follower, before, after))


def written_off(follower: str, before: Line, after: Line) -> None:
    """Copied units are gone from the account, and no order of ours has closed them."""
    who = f"{follower}:{before.key.key.segment}:{before.key.key.security_id}"
    text = "Copied position closed by other hands, written off {}"
    alert("drift", who, text, _line(follower, before, after), level="WARNING")


def scaled(follower: str, before: Line, after: Line) -> None:
    """Leader and account hold a multiple of their shares overnight: a split or a bonus."""
    logger.warning("Shares were split, the line is scaled {}", _line(follower, before, after))


def _line(follower: str, before: Line, after: Line) -> str:
    return fields(
        follower=follower,
        leader=before.key.leader,
        instrument=f"{before.key.key.segment}:{before.key.key.security_id}",
        product=before.key.product,
        held_before=before.held,
        held=after.held,
        level=after.level,
        elsewhere=" ".join(f"{units} {product}" for product, units in after.elsewhere),
    )


def apart(follower: str, one: Apart) -> None:
    """The account holds more or less than was copied: logged, and left as it is."""
    key = one.line.key
    figures = fields(
        follower=follower,
        instrument=f"{key.segment}:{key.security_id}",
        product=one.line.product,
        net=one.net,
        copied=one.held,
        manual=one.manual or None,
        external_close=one.closed or None,
        without_an_order=one.unseen or None,
    )
    who = f"{follower}:{key.segment}:{key.security_id}"
    alert("drift", who, "Position differs from the copies {}", figures, level="WARNING")


def _reason(copy: Copy, reason: Reason) -> None:
    copy = copy if copy.error else replace(copy, error=MEANINGS[reason])  # a line says why, always
    if copy.stage is Stage.NONE:
        if reason is Reason.MARKET_CLOSED:
            logger.info("Market closed {} {}", who(copy), fields(detail=copy.error))
        what = who(copy), fields(detail=copy.error)
        if reason in _WORTH_A_LOOK:
            alert(reason, copy.follower, "Order skipped: {} {} {}", reason, *what, level="WARNING")
        else:
            logger.info("Order skipped: {} {} {}", reason, *what)
    elif reason is Reason.BROKER_REJECTED:
        what = who(copy), fields(reason=reason, error=copy.error)
        kind = _kind_of_failure(Place, copy.error)
        alert(kind, copy.follower, "Failed to place {} {}", *what, level=_gravity(copy.part, kind))
    elif reason is Reason.MISJUDGED:
        got = fields(filled=copy.filled_quantity, detail=copy.error)
        alert("misjudged", copy.follower, "Leader's exit was taken for an entry, taking it back {} {}", who(copy), got)
    elif reason is Reason.HEDGE_MISSING:
        alert(
            reason,
            copy.follower,
            "Sold leg not sent in full {} {}",
            who(copy),
            fields(detail=copy.error),
            level="WARNING",
        )
    elif reason is Reason.INVISIBLE:
        alert("invisible", copy.follower, "Order accepted and never shown by the broker {}", who(copy), level="ERROR")
    elif reason is Reason.UNFILLED:
        text, what = "Follower order unfilled {} {}", (who(copy), fields(detail=copy.error))
        if copy.cancelling or copy.desired != copy.accepted:  # it is being cancelled or repriced
            logger.warning(text, *what)
        else:
            alert("unfilled", copy.follower, text, *what, level="WARNING")
    elif reason in (Reason.FILLED_OTHERWISE, Reason.IOC_UNFILLED):
        logger.warning("Follower order ended otherwise {} {}", who(copy), fields(reason=reason, detail=copy.error))
    elif reason is Reason.ENDED_EXTERNALLY:
        logger.warning("Follower order ended without our request {} {}", who(copy), fields(detail=copy.error))


def _filled(copy: Copy, leader: Order) -> None:
    slippage = copy.slippage(copy.side(leader))
    done = copy.order is not None and copy.order.status is Status.TRADED
    filled = fields(
        filled=copy.filled_quantity,
        of=copy.desired.quantity if copy.desired else "",
        price=copy.follower_price,
        leader_price=copy.leader_price or "",
        slippage=slippage,
        rupees=rupees(slippage * copy.filled_quantity) if slippage is not None else "",
        bps=bps(slippage / copy.leader_price * 10_000) if slippage is not None else "",
        latency=milliseconds(copy.fill_ms),
    )
    logger.info("{} {} {}", "Follower order filled" if done else "Follower order part filled", who(copy), filled)
