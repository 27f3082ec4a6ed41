"""Which of several things that the broker says of an order is believed."""

from pathlib import Path
from typing import Any

import pytest

from copytrade.paper.broker import PaperBroker
from tests.support.copier import LEADER, Copier, running, settings_for
from tests.support.waiting import eventually

FOLLOWERS = ("alice", "bob")


def a_stop(copier: Copier) -> str:
    """Have the leader place a stop, and wait until everybody has one; return his order's id."""
    leader = copier.buy(4, "90.00", side="SELL", order_type="STOP_LOSS", trigger_price="92.00")
    for follower in FOLLOWERS:
        copier.mapping(leader, follower, "placed")
    return leader


def becomes(copier: Copier, leader: str, **terms: Any) -> None:
    """Wait until every copy has these terms."""
    for follower in FOLLOWERS:
        eventually(
            lambda follower=follower: terms.items() <= copier.copy_of(leader, follower).items(),
            f"{follower}'s order becomes {terms}",
        )


@pytest.mark.parametrize("gap", [0.2, 3.0])
def test_a_stop_that_became_a_limit_order_while_the_feed_was_down_is_one_everywhere(copier: Copier, gap: float) -> None:
    leader = a_stop(copier)
    copier.broker.drop_feed(LEADER, refuse_for=gap)
    copier.broker.modify(LEADER, leader, order_type="LIMIT", price="130.00")
    becomes(copier, leader, orderType="LIMIT", price=130.0, triggerPrice=0.0)


def test_a_stop_that_became_a_limit_order_while_the_program_was_down_is_one_everywhere(
    broker: PaperBroker, tmp_path: Path
) -> None:
    settings = settings_for(broker, tmp_path)
    with running(settings, broker) as copier:
        leader = a_stop(copier)
    broker.modify(LEADER, leader, order_type="LIMIT", price="130.00")
    with running(settings, broker) as copier:
        becomes(copier, leader, orderType="LIMIT", price=130.0)


def test_a_stop_that_was_triggered_while_the_feed_was_down_is_still_a_stop_everywhere(copier: Copier) -> None:
    leader = a_stop(copier)
    copier.broker.drop_feed(LEADER)
    copier.broker.trigger(LEADER, leader)
    copier.logged("Found")
    read = len(copier.broker.reads(LEADER))
    eventually(lambda: len(copier.broker.reads(LEADER)) > read + 2, "the book is read again")
    becomes(copier, leader, orderType="STOP_LOSS", price=90.0, triggerPrice=92.0)
    assert not any("modified" in line for line in copier.log)


@pytest.mark.parametrize("muted", [False, True])
def test_a_modification_that_is_stamped_before_the_last_update_is_followed(copier: Copier, muted: bool) -> None:
    leader = copier.buy(4)
    for follower in FOLLOWERS:
        copier.mapping(leader, follower, "placed")
    for told in ("frame", "row"):
        copier.broker.rewrite(told, LEADER, shift=-5.0)
    copier.broker.mute_feed(LEADER, muted=muted)
    copier.broker.modify(LEADER, leader, price="99.00")
    if muted:
        copier.broker.mute_feed(LEADER, muted=False)
        copier.broker.drop_feed(LEADER)
    becomes(copier, leader, price=99.0)


def test_a_book_that_is_behind_does_not_undo_what_a_frame_told(copier: Copier) -> None:
    leader = copier.buy(4)
    becomes(copier, leader, price=100.05)
    copier.broker.lag(LEADER, book=1.5)
    read = len(copier.broker.reads(LEADER))
    copier.broker.modify(LEADER, leader, price="99.00")
    becomes(copier, leader, price=99.0)
    eventually(lambda: len(copier.broker.reads(LEADER)) > read + 1, "the book is read, and read again")
    for client in copier.settings.followers:
        modifications = [write for write in copier.broker.writes(client.client_id) if write.kind == "modify"]
        assert [write.payload["price"] for write in modifications] == [99.0]
