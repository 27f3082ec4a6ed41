"""Killed while a hedge fills: the group follows from the leader's orders, and is found again."""

from pathlib import Path

from copytrade.paper.broker import PaperBroker
from tests.support.copier import ALICE, LOT
from tests.support.killed import SETTINGS, copier
from tests.support.waiting import eventually
from tests.system.legs.spreads import WITHIN, Spread, list_spreads


def test_killed_in_the_middle_of_a_group_it_goes_on_with_it(broker: PaperBroker, tmp_path: Path) -> None:
    list_spreads(broker)
    groups = f'copy = {{{{ sizing = "fixed_ratio", group_within = {WITHIN}, group_wait = 60'
    settings = SETTINGS.replace('copy = {{ sizing = "fixed_ratio"', groups).format(broker=broker)
    (tmp_path / "settings.toml").write_text(settings)
    spread = Spread.of(broker, 0)
    with copier(tmp_path) as process:
        eventually(lambda: broker.feed_connections(ALICE), "it is connected")
        spread.buys_hedge(price="49.00", order_type="LIMIT")
        sold = spread.sells()
        (hedge,) = eventually(lambda: spread.orders("alice", spread.hedge), "the hedge rests")
        broker.fill(ALICE, str(hedge["orderId"]), LOT)
        spread.holds("alice", 1, -1)
        process.kill()
        process.wait()
    broker.fill(ALICE, str(hedge["orderId"]), LOT)
    with copier(tmp_path):
        spread.holds("alice", 2, -2)
        spread.holds("bob", 0, 0)
        broker.set_price(spread.hedge, "49.00")
        spread.holds("alice", 4, -4)
        spread.holds("bob", 2, -2)
    for follower, orders in (("alice", 3), ("bob", 1)):
        ids = [row["correlationId"] for row in spread.orders(follower, spread.sold)]
        assert ids == [f"ct-{sold}-{n}" for n in range(1, orders + 1)]
