"""The way of an order, gone through without one: decoded, decided, made a row and a request, and then dropped."""

import json
from datetime import timedelta
from decimal import Decimal

from actors.follower.gateway import PlaceOrder, request_for
from copytrade.brokers.dhan.decode import read_frame
from copytrade.brokers.dhan.requests import Builders
from copytrade.common import wall_clock
from copytrade.core.decide.decisions import Policy
from copytrade.core.engine.engine import Desk, Surroundings
from copytrade.core.ledger.sizing import Capitals, SizingPolicy, Strategy
from copytrade.core.market.freeze import load_freeze_table
from copytrade.core.model.order_book import Book
from copytrade.core.model.orders import AmoTime, Order
from copytrade.storage.records import CopyChanged, LedgerChanged, Record
from copytrade.storage.write_batch import Batch

_FRAME = json.dumps(
    {
        "Type": "order_alert",
        "Data": {
            "exchange": "NSE",
            "segment": "D",
            "orderNo": "1",
            "clientId": "1",
            "securityId": "1",
            "status": "Pending",
            "txnType": "B",
            "product": "M",
            "orderType": "LMT",
            "validity": "DAY",
            "quantity": 1,
            "price": 1.0,
            "instrument": "OPTIDX",
            "lotSize": 1,
            "tickSize": 0.05,
            "displayName": "REHEARSAL",
        },
    }
)


class Rehearsal:
    """A follower who copies one order again and again, and whose requests go nowhere."""

    def __init__(self) -> None:
        now = wall_clock.now()
        self._since = now - timedelta(days=1)
        self._surroundings = Surroundings(load_freeze_table({}), None)
        self._builders = Builders("1")
        self._policy = Policy(
            instruments=frozenset({"OPTIDX"}),
            sizing=SizingPolicy(Strategy.FIXED_RATIO, ratio=Decimal(1)),
            copying_since=self._since,
        )

    def go_through(self) -> int:
        """Copy the order; return how many bytes the request would have had."""
        now, size = wall_clock.now(), 0
        desk = self._desk()
        for leader in read_frame(_FRAME, "1", now):
            if not isinstance(leader, Order) or (change := Book().merge(leader)) is None:
                continue
            desk.leader_changed(change.after, None)
            desk.consider(now)
            if desk.lane() is None or (picked := desk.pick(now)) is None:
                continue
            order, action = picked
            changed = desk.begin(order, action, now)
            records: list[Record] = [LedgerChanged("", one, now) for one in desk.positions.take_unwritten()]
            records.append(CopyChanged(changed.after, order, now))
            list(Batch(records).rows())
            request = request_for(action, changed.after, order, AmoTime.OPEN)
            if isinstance(request, PlaceOrder):
                size += len(self._builders.place(request.order).payload_json)
        return size

    def _desk(self) -> Desk:
        desk = Desk("", self._policy, Capitals(), self._surroundings)
        desk.load((), (), (), self._since, 0.0)
        desk.know_instruments({})
        desk.leader_positions_read({}, self._since, self._since.date())
        desk.own_positions_read({}, self._since)
        desk.set_gate(is_open=True)
        return desk
