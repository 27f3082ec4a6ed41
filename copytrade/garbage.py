"""How often the collector of garbage looks, and through how much at once."""

import gc

#: How many objects more than before call for a collection, how many collections for one of what they have left, and
#: how many of those for one of everything.
THRESHOLDS = (10_000, 1, 1000)


def collect_little_at_a_time() -> None:
    """Leave what there is by now out of all collections, and have each of the later ones look through little.

    To be called once what lives as long as the program is there. What an order leaves behind makes no cycles, so that
    collections find next to nothing, and take a millisecond for 4,000 objects that they look through, while nothing
    else runs: one in two looks through what two have left, and none through all of a day's orders. Twenty times as much
    at once had five hundred copies a second wait for 104 ms every two minutes, and a paper broker with as many orders
    for 400 where it was left to Python.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)
