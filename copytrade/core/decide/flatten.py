"""Decisions while everything is being closed."""

from collections.abc import Iterable

from copytrade.core.decide.decisions import Cancel, DecisionInput, Done, Lookup, Skip, Wait
from copytrade.core.model.copies import Copy, Stage
from copytrade.core.model.reasons import Reason


def overtaken(copies: Iterable[Copy]) -> Skip | Done:
    """Return the decision about a closing order that is not needed any more: what was not sent is skipped."""
    if any(copy.stage is Stage.NONE and copy.reason is None for copy in copies):
        return Skip(Reason.OVERTAKEN, "another order closes the line, or closing is over")
    return Done()


def called_off(copies: Iterable[Copy], inputs: DecisionInput) -> Cancel | Lookup | Wait:
    """Return what to do about the copies of a leader order while everything is being closed."""
    for copy in copies:
        if copy.n in inputs.under_way or copy.seems_done:
            continue
        cancel = Cancel(copy.n, Reason.FLATTENED)
        if copy.stage is Stage.LIVE and not copy.cancelling and not inputs.is_held(cancel):
            return cancel
        if copy.stage is Stage.UNKNOWN:
            return Lookup(copy.n)
    return Wait("what was copied is being closed")
