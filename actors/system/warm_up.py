"""The way of an order, gone through without one: decoded, decided, made a row and a request, and then dropped."""

import json
from datetime import timedelta
from decimal import Decimal

from actors.follower.gateway import PlaceOrder, request_for
from copytrade.brokers.dhan.decode import read_frame
from copytrade.brokers.dhan.requests import Builders
from copytrade.common import wall_clock
from copytrade.core.decide.decisions import Policy
from copytrade.core.engine.engine import CopyEngine, MarketRules
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
        self._market_rules = MarketRules(load_freeze_table({}), None)
        self._builders = Builders("1")
        self._policy = Policy(
            instruments=frozenset({"OPTIDX"}),
            sizing=SizingPolicy(Strategy.FIXED_RATIO, ratio=Decimal(1)),
            copying_since=self._since,
        )

    def go_through(self) -> int:
        """Copy the order; return how many bytes the request would have had."""
        now, size = wall_clock.now(), 0
        engine = self._engine()
        for leader in read_frame(_FRAME, "1", now):
            if not isinstance(leader, Order) or (change := Book().merge(leader)) is None:
                continue
            engine.leader_changed(change.after, None)
            engine.consider(now)
            if engine.lane() is None or (picked := engine.pick(now)) is None:
                continue
            order, action = picked
            changed = engine.begin(order, action, now)
            records: list[Record] = [LedgerChanged("", one, now) for one in engine.positions.take_unwritten()]
            records.append(CopyChanged(changed.after, order, now))
            list(Batch(records).rows())
            request = request_for(action, changed.after, order, AmoTime.OPEN)
            if isinstance(request, PlaceOrder):
                size += len(self._builders.place(request.order).payload_json)
        return size

    def _engine(self) -> CopyEngine:
        engine = CopyEngine("", self._policy, Capitals(), self._market_rules)
        engine.load((), (), (), self._since, 0.0)
        engine.know_instruments({})
        engine.leader_positions_read({}, self._since, self._since.date())
        engine.own_positions_read({}, self._since)
        engine.set_gate(is_open=True)
        return engine
