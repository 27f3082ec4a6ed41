"""Random histories of a follower of fills: he shows nothing that has not filled, and is flat when the leader is."""

import os
from collections import Counter

import hypothesis
from hypothesis.stateful import invariant

from copytrade.core.decide.decisions import Mode
from copytrade.core.model.copies import Stage
from copytrade.core.model.ledger import Part
from copytrade.core.model.orders import Order
from tests.core.engine.test_engine import Copying


class FollowingFills(Copying):
    """The same histories, of a follower that copies what has filled."""

    mode = Mode.FILLS

    @invariant()
    def nothing_is_sent_for_what_has_not_filled(self) -> None:
        for order in self.broker.values():
            if self.parts[order.id] in (Part.ENTRY, Part.EXIT):
                leader = self.leader[order.correlation_id.split("-")[1]]
                assert leader.filled_quantity, "nothing of the leader's order has filled"

    @invariant()
    def one_order_rests_for_a_leader_order(self) -> None:
        live = Counter(
            (copy.leader_order_id, copy.part)
            for copy, _ in self.engine.everything()
            if copy.stage is Stage.LIVE and copy.part in (Part.ENTRY, Part.EXIT)
        )
        assert all(count == 1 for count in live.values()), live

    def is_copied_or_explained(self, leader: Order) -> None:
        copies = [copy for copy, order in self.engine.everything() if order.id == leader.id]
        for copy in copies:
            assert copy.stage is not Stage.UNKNOWN, "an order is still in doubt"
            assert copy.stage is not Stage.NONE or copy.reason is not None or any(other.is_open for other in copies)


FollowingFills.TestCase.settings = hypothesis.settings(
    max_examples=int(os.environ.get("COPYTRADE_HISTORIES", "150")),
    derandomize="COPYTRADE_HISTORIES" not in os.environ,
    stateful_step_count=60,
    deadline=None,
)
TestFollowingFills = FollowingFills.TestCase
