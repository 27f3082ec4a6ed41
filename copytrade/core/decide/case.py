"""One question to ``decide``: a leader order, the follower's copies of it, and what the answer rests on."""

from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec

from copytrade.core.decide.decisions import Allocated, DecisionInput, Mode, Policy
from copytrade.core.model.copies import Copy, Stage
from copytrade.core.model.instruments import Instrument
from copytrade.core.model.ledger import Part
from copytrade.core.model.orders import Order, Status
from copytrade.core.model.reasons import Reason

LEADER_ENDED = {
    Status.CANCELLED: Reason.LEADER_CANCELLED,
    Status.CLOSED: Reason.LEADER_CANCELLED,
    Status.REJECTED: Reason.LEADER_REJECTED,
    Status.EXPIRED: Reason.LEADER_EXPIRED,
}


class Case(msgspec.Struct, frozen=True):
    """One question to decide, with its arguments at hand."""

    leader: Order
    copies: Sequence[Copy]
    sent: Sequence[Copy]
    by_part: Mapping[Part, Sequence[Copy]]
    allocated: Allocated
    instrument: Instrument
    inputs: DecisionInput
    policy: Policy
    now: datetime

    @property
    def follows_fills(self) -> bool:
        """Whether only what the leader has filled is copied."""
        return self.policy.mode is Mode.FILLS

    @property
    def age(self) -> float:
        """Seconds since the last thing that happened to the leader's order."""
        return (self.now - self.leader.event_at).total_seconds()

    @property
    def is_late(self) -> bool:
        """Whether an order sent now would be late by the settings."""
        return self.age > self.policy.late_after

    def of(self, part: Part) -> Sequence[Copy]:
        """Return the sent copies of one part."""
        return self.by_part.get(part, ())

    @property
    def skipped(self) -> Copy | None:
        """The copy that was skipped, None if there is none; one that was only kept from leaving does not count."""
        unsent = (copy for copy in self.copies if copy.stage is Stage.NONE and not copy.again)
        return next((copy for copy in unsent if copy.reason is not None and not copy.reason.is_passing), None)

    @property
    def unsent(self) -> int | None:
        """The number of a copy that has one and is not at the broker, None if there is none."""
        return next((copy.n for copy in self.copies if copy.n and copy.stage is Stage.NONE), None)


def can_be_changed(copy: Copy, inputs: DecisionInput) -> bool:
    """Whether a copy rests at the broker, and no request for it is pending."""
    return copy.stage is Stage.LIVE and not (copy.cancelling or copy.seems_done) and is_free(copy, inputs)


def is_free(copy: Copy, inputs: DecisionInput) -> bool:
    """Whether no request for a copy waits for its answer."""
    return copy.n not in inputs.under_way
