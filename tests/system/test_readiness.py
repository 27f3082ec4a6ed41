"""What keeps the machine ready goes the whole way of an order, and looks after the thread of the actors."""

import threading

from actors.dispatcher import Dispatcher
from actors.readiness import Readiness
from actors.rehearsal import Rehearsal
from tests.system.counting import seated
from tests.waiting import eventually


def test_an_order_is_rehearsed_up_to_its_request_each_time() -> None:
    rehearsal = Rehearsal()
    sizes = [rehearsal.go_through() for _ in range(3)]
    assert sizes[0] > 200
    assert sizes == sizes[:1] * 3


def test_what_waits_behind_a_stuck_actor_is_served_at_the_next_touch(dispatcher: Dispatcher) -> None:
    stuck, _ = seated(dispatcher, "stuck")
    other, others_actor = seated(dispatcher, "other")
    release = threading.Event()
    stuck.tell(release)
    other.tell("hello")
    readiness = Readiness(None, 0.005, dispatcher)
    readiness.start()
    eventually(lambda: others_actor.heard, "there is another thread for it")
    readiness.stop()
    release.set()
