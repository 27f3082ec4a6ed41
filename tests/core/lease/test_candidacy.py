"""Who may take a lease and when; the fence that a lease makes."""

from random import Random

import pytest

from copytrade.core.lease.candidacy import Candidacy, Holder
from copytrade.core.lease.lease import Fence, Lease
from copytrade.core.model.lane import Lane
from tests.core.lease.bus_of_leases import LENGTH, Bus, Node

#: The bus's store that nodes know from earlier.
KNOWN = 1


def _node(name: str, homes: tuple[str, ...] = (), *, knows_store: bool = True) -> Node:
    return Node(name, homes, kept_store=KNOWN if knows_store else 0)


def test_a_free_lease_is_taken_at_once_by_the_first_home() -> None:
    bus, node = Bus(), _node("n1", ("n1", "n2"))

    assert node.turn(bus, 100.0) == 100_000
    assert node.owns(100.0 + LENGTH - 0.1)
    assert not node.owns(100.0 + LENGTH)


def test_the_second_home_waits_two_leases_and_then_takes_it() -> None:
    bus, node = Bus(), _node("n2", ("n1", "n2"))

    assert node.turn(bus, 100.0) is None
    assert node.turn(bus, 100.0 + 2 * LENGTH - 0.1) is None
    assert node.turn(bus, 100.0 + 2 * LENGTH) is not None


def test_a_home_that_comes_back_takes_nothing_back() -> None:
    bus, other, home = Bus(), _node("n2"), _node("n1", ("n1", "n2"))
    other.turn(bus, 100.0)

    for step in range(100):
        other.turn(bus, 100.0 + step)
        assert home.turn(bus, 100.0 + step) is None
    assert other.owns(199.0)


def test_it_is_renewed_after_a_quarter() -> None:
    bus, node = Bus(), _node("n1")
    node.turn(bus, 100.0)

    assert node.candidacy.next(100.1, 0) == 100.0 + LENGTH / 4
    node.turn(bus, 100.0 + LENGTH / 4)
    assert node.candidacy.lease == Lease(100_000, 2, 100.0 + LENGTH / 4, LENGTH)


def test_a_lease_counts_from_when_its_write_was_begun() -> None:
    bus, node = Bus(), _node("n1")
    node.look(bus, 100.0)
    node.send(bus, 100.0, 0)
    node.hear(103.0)

    assert node.candidacy.lease is not None
    assert node.candidacy.lease.ends == 100.0 + LENGTH


def test_an_epoch_is_greater_than_any_that_was_seen() -> None:
    bus, first, second = Bus(), _node("n1"), _node("n2")
    first.send(bus, 100.0, 0)
    first.look(bus, 100.0)
    first.send(bus, 100.0, 5_000_000)
    first.hear(100.0)
    second.look(bus, 101.0)

    second.look(bus, 120.0)
    second.send(bus, 120.0, 120_000)

    assert second.hear(120.0) == 5_000_001


def test_one_that_was_stopped_longer_than_its_lease_learns_that_it_is_lost() -> None:
    bus, stopped, other = Bus(), _node("n1"), _node("n2")
    stopped.turn(bus, 100.0)
    other.look(bus, 100.0)
    other.turn(bus, 111.0)

    assert not stopped.owns(111.0)
    assert stopped.candidacy.read(*bus.read(111.0), 111.0)
    assert stopped.candidacy.lease is None


def test_after_the_bus_lost_its_store_the_last_holder_takes_its_lease_again_and_keeps_its_epoch() -> None:
    bus, holder, other = Bus(), _node("n1"), _node("n2")
    holder.turn(bus, 100.0)
    other.turn(bus, 100.0)
    bus.lose()

    assert other.turn(bus, 101.0) is None
    holder.look(bus, 102.5)
    holder.send(bus, 102.5, 102_500)
    holder.hear(102.5)

    assert holder.owns(111.0)
    assert holder.candidacy.lease is not None
    assert holder.candidacy.lease.epoch == 100_000


def test_after_the_bus_lost_its_store_others_wait_two_leases() -> None:
    bus, holder, other = Bus(), _node("n1"), _node("n2")
    holder.turn(bus, 100.0)
    other.turn(bus, 100.0)
    bus.lose()

    assert other.turn(bus, 101.0) is None
    assert other.turn(bus, 101.0 + 2 * LENGTH - 0.1) is None
    assert other.turn(bus, 101.0 + 2 * LENGTH) is not None


def test_who_knows_no_store_waits_two_leases() -> None:
    bus, node = Bus(), _node("n1", knows_store=False)

    assert node.turn(bus, 100.0) is None
    assert node.turn(bus, 100.0 + 2 * LENGTH) is not None


def test_revisions_that_went_back_are_a_store_that_was_lost() -> None:
    candidacy = Candidacy("n1", "run", (), LENGTH, 0)
    candidacy.read(Holder("n2", "other", 7), 40, 100.0)

    candidacy.read(None, 0, 111.0)
    candidacy.read(Holder("", "", 7), 3, 112.0)

    assert candidacy.next(112.0, 0) == 112.0 + 2 * LENGTH


def test_a_lease_whose_answer_was_lost_is_taken_again() -> None:
    bus, node = Bus(), _node("n1")
    node.look(bus, 100.0)
    node.send(bus, 100.0, 100_000)
    node.hear(100.0, is_lost=True)

    assert not node.owns(100.0)
    assert node.turn(bus, 101.0) == 101_000


def test_a_lease_that_is_given_away_goes_to_whom_it_is_for() -> None:
    bus, giver, taker, home = Bus(), _node("n1", ("n1", "n2")), _node("n2", ("n1", "n2")), _node("n3")
    giver.turn(bus, 100.0)
    lease = giver.candidacy.lease
    assert lease is not None
    bus.write(Holder("", "", lease.epoch, to="n2"), lease.revision, 101.0)
    giver.candidacy.release(101.0, "n2")

    assert home.turn(bus, 101.0) is None
    assert giver.turn(bus, 101.0) is None
    assert taker.turn(bus, 101.0) == 101_000


def test_a_lease_given_to_one_who_does_not_come_is_free_for_others_later() -> None:
    bus, giver = Bus(), _node("n1")
    giver.turn(bus, 100.0)
    lease = giver.candidacy.lease
    assert lease is not None
    bus.write(Holder("", "", lease.epoch, to="n2"), lease.revision, 101.0)
    giver.candidacy.release(101.0, "n2")

    assert giver.turn(bus, 101.0 + 2 * LENGTH) is not None


@pytest.mark.parametrize(
    ("age", "logs_in", "leaves"),
    [
        (0.0, True, (Lane.CANCEL, Lane.EXIT, Lane.MODIFY, Lane.ENTRY)),
        (4.9, False, (Lane.CANCEL, Lane.EXIT, Lane.MODIFY, Lane.ENTRY)),
        (5.0, True, (Lane.CANCEL, Lane.EXIT)),
        (9.9, False, (Lane.CANCEL, Lane.EXIT)),
        (10.0, True, (Lane.CANCEL, Lane.EXIT)),
        (1000.0, True, (Lane.CANCEL, Lane.EXIT)),
        (10.0, False, ()),
    ],
)
def test_what_leaves_at_an_age_of_the_lease(age: float, *, logs_in: bool, leaves: tuple[Lane, ...]) -> None:
    fence = Fence(logs_in=logs_in)
    fence.lease = Lease(1, 1, 500.0, LENGTH)

    allowed = [lane for lane in Lane if lane is not Lane.SPARE and not fence.refusal(lane, 500.0 + age)]

    assert tuple(allowed) == leaves


def test_without_a_lease_nothing_leaves() -> None:
    assert Fence(logs_in=True).refusal(Lane.CANCEL, 0.0)


@pytest.mark.parametrize("homes", [(), ("n0", "n1", "n2"), ("n2", "n0")])
def test_an_account_has_one_owner_at_any_moment_and_epochs_only_grow(
    homes: tuple[str, ...],
) -> None:
    tenures = 0
    for seed in range(150):
        chance = Random(seed)
        bus, now, epoch = Bus(), 1000.0, 0
        nodes = [_node(f"n{number}", homes) for number in range(3)]
        steps = ["turn"] * 20 + ["send", "hear", "hear", "lost", "unsent", "restart", "wipe"]
        away = {node.name: 0.0 for node in nodes}
        for _ in range(200):
            node, what = chance.choice(nodes), chance.choice(steps)
            clock = int(now * 1000)
            taken = None
            if chance.random() < 0.03:
                away[node.name] = now + chance.choice([3.0, 9.0, 11.0, 25.0])
            if now < away[node.name]:
                what = ""
            match what:
                case "turn" if node.under_way is None:
                    node.look(bus, now)
                    node.send(bus, now, clock)
                    taken = node.hear(now)
                case "send":
                    node.send(bus, now, clock)
                case "unsent":
                    node.send(bus, now, clock, arrives=False)
                case "hear" | "turn":
                    taken = node.hear(now)
                case "lost":
                    node.hear(now, is_lost=True)
                case "restart":
                    node.restart()
                case "wipe":
                    bus.lose()
                case _:
                    pass
            assert sum(one.owns(now) for one in nodes) <= 1, (seed, now)
            if taken is not None:
                tenures += 1
                assert taken > epoch, (seed, now)
                epoch = taken
            now += chance.choice([0.0, 0.1, 0.5, 1.0, 3.0])
            assert sum(one.owns(now) for one in nodes) <= 1, (seed, now)
    assert tenures > 300
