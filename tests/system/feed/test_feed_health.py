"""Feeds that are quiet, dead, refused, or talk nonsense."""

import copy
import json
import random
from pathlib import Path
from typing import Any

import pytest

from actors.runtime.actor import ShowFigures
from copytrade.brokers.dhan.decode import read_frame
from copytrade.common.wall_clock import now
from copytrade.core.model.orders import Order
from copytrade.paper.broker import PaperBroker
from tests.brokers.fault_server import FIXTURES
from tests.support.asking import figures_of
from tests.support.bombs import address
from tests.support.copier import LEADER, LOT, OPTION, Copier, running, settings_for
from tests.support.waiting import eventually

_FIXTURE = FIXTURES / "order-updates.json"
FRAMES: list[dict[str, Any]] = [
    step["message"] for scenario in json.loads(_FIXTURE.read_text())["scenarios"] for step in scenario["steps"]
]

JUNK = [None, "", "x" * 300, -1, 10**30, 1e308, "NaN", True, [], {}, "\ud800", "ct-1-1", "0001-01-01 00:00:00", 0.1]


def mutated(chance: random.Random) -> str | bytes:
    """Return a frame that is almost right, or nothing like one."""
    kind = chance.random()
    if kind < 0.1:
        return chance.randbytes(chance.randrange(60))
    frame = copy.deepcopy(chance.choice(FRAMES))
    fields = next((value for value in frame.values() if isinstance(value, dict)), frame)
    for _ in range(chance.randrange(1, 4)):
        key = chance.choice(list(fields))
        if chance.random() < 0.3:
            del fields[key]
        else:
            fields[key] = chance.choice(JUNK)
        if not fields:
            break
    text = json.dumps(frame)
    if kind < 0.3:
        return text[: chance.randrange(len(text))]
    if kind < 0.4:
        return text + text
    return text


def test_ten_thousand_frames_of_nonsense_break_nothing(copier: Copier) -> None:
    chance = random.Random(4)
    frames = [mutated(chance) for _ in range(10_000)]
    readable = [item for frame in frames for item in read_frame(frame, LEADER, now()) if isinstance(item, Order)]
    for frame in frames:
        copier.broker.send_frame(LEADER, frame)
    leader = copier.buy(4)
    for follower in ("alice", "bob"):
        copier.mapping(leader, follower, "placed")
        copied = {str(row["correlationId"]).split("-")[1] for row in copier.copies(follower)}
        assert copied <= {order.id for order in readable} | {leader}
    assert {child.address.epoch for child in copier.system.children} == {1}
    assert not any("Feed lost" in line for line in copier.log)
    feed = address(copier, "feed-leader")
    feed.tell(ShowFigures())
    eventually(lambda: (feed.health.figures.get("unreadable") or 0) > 5_000)


def test_only_what_is_new_of_an_order_makes_the_next_one_expected(copier: Copier) -> None:
    feed = address(copier, "feed-leader")
    began = feed.health.last_order
    copier.broker.send_frame(LEADER, json.dumps({"Type": "order_alert", "Data": {}}))
    eventually(lambda: "unreadable=1" in figures_of(feed), "the frame is taken in")
    assert feed.health.last_order == began
    leader = copier.buy(4)
    copier.mapping(leader, "alice", "placed")
    ordered = feed.health.last_order
    assert ordered > began
    copier.broker.drop_feed(LEADER)
    copier.logged("Found 0 missed orders")
    assert feed.health.last_order == ordered
    copier.broker.drop_feed(LEADER, refuse_for=0.2)
    eventually(lambda: not copier.broker.feed_connections(LEADER))
    missed = copier.buy(4, "99.00")
    copier.mapping(missed, "alice", "placed")
    assert feed.health.last_order > ordered


def test_a_feed_that_flaps_is_followed(copier: Copier) -> None:
    resting = copier.buy(4, "100.00")
    copier.mapping(resting, "alice", "placed")
    for times in range(3):
        copier.broker.drop_feed(LEADER, reset=bool(times % 2))
        eventually(
            lambda times=times: sum("Reconnected after disconnect" in line for line in copier.log) > times,
            "it is back",
        )
        leader = copier.buy(4, f"{90 + times}.00")
        copier.mapping(leader, "alice", "placed")
    assert len(copier.copies("alice")) == 4


def test_a_connection_that_is_dropped_at_once_is_not_said_to_be_back(
    copier: Copier, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("actors.order_feed.actor.LASTS_AFTER", 3.0)
    for _ in range(3):
        copier.broker.drop_feed(LEADER)
        eventually(lambda: not copier.broker.feed_connections(LEADER), "it is dropped")
        eventually(lambda: copier.broker.feed_connections(LEADER), "it logs in")
    copier.logged("Found 0 missed orders, processing... account=leader")
    for text in ("Reconnected after disconnect, fetching missed orders... account=leader", "Found 0 missed orders"):
        assert sum(text in line for line in copier.log) == 1


def test_a_login_that_is_dropped_is_not_a_dead_token_unless_the_broker_says_so(
    broker: PaperBroker, tmp_path: Path
) -> None:
    settings = settings_for(broker, tmp_path)
    with running(settings, broker) as copier:
        broker.drop_feed(LEADER)
        copier.logged("Reconnected after disconnect")
        broker.replace_token(LEADER, "another")
        broker.drop_feed(LEADER)
        assert "account=leader" in copier.logged("Token refused, the account waits for another")
        assert len([line for line in copier.log if "Token refused" in line]) == 1
        broker.replace_token(LEADER, "token-of-leader")
        eventually(lambda: address(copier, "feed-leader").health.state == "live", "it logs in again")
        copier.mapping(copier.buy(4), "alice", "placed")


def test_an_order_of_the_leaders_with_an_id_of_ours_is_never_copied(copier: Copier) -> None:
    terms = {"side": "BUY", "security_id": OPTION, "quantity": LOT, "price": "99.00"}
    leader = copier.broker.place(LEADER, correlation_id="ct-777-1", **terms)  # type: ignore[arg-type]
    assert copier.mapping(leader, "alice", "skipped")[0] == "own_order"
    assert copier.logged("Leader order with an id of ours, never copied")
    assert not copier.copies("alice")
