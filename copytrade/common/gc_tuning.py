"""How often the collector of garbage looks, and through how much at once."""

import gc

#: How many objects more than before are looked through at once; how often, before once through all that this has left;
#: and how often that, before once through everything. (Since Python 3.14 the second is a rate, and there is no third.)
THRESHOLDS = (5_000, 10, 1000)


def collect_little_at_a_time() -> None:
    """Leave what there is by now out of all collections, and have each of the later ones look through little.

    To be called once what lives as long as the program is there. Neither an order nor an actor that has ended leaves
    behind what only a collection would find, and while one looks through 4,000 objects, a millisecond, nothing else
    runs. So most look through 5,000, every twelfth through 60,000, and none through all of a day's orders. With seven
    times as much at once five hundred copies a second waited for 104 ms every two minutes, and a paper broker with as
    many orders, left to Python's own figures, stopped for up to 300.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)
