"""A history out of a seed: what the leader does, and in between what goes wrong.

The leader trades on lines of different character, so that the oracle can tell what is wrong without knowing how copying
works: on most he is only ever on one side. Prices stand still. His orders rest far from the market, and fill by being
brought to it, so that a follower that copies them in time has the same fills.
"""

from bench.histories.generator import contracts, episodes, lasting, nights
from bench.histories.generator.mishaps import add_mishaps
from bench.histories.generator.several import SEVERAL_FROM, several_of
from bench.histories.generator.trading import act, leave
from bench.histories.generator.writer import FIRST_SEEDS, LENGTH, Writer
from bench.histories.history import History

#: Seconds between two actions of the leader's, from and to.
PAUSES = (0.05, 0.7)

#: Seconds between audits: often, so that a conversion is noticed in time, or so seldom that what has to be known at
#: once has to be found in another way.
AUDITS = 2.0, 20.0


def history_of(seed: int) -> History:
    """Return the history of a seed: always the same one."""
    if seed >= SEVERAL_FROM:
        return several_of(seed)
    writer = Writer(seed)
    add_mishaps(writer)
    episodes.converted(writer)
    episodes.busy(writer)
    episodes.squared_off(writer)
    episodes.unshown(writer)
    episodes.behind(writer)
    is_blind = episodes.blind(writer)
    if seed > FIRST_SEEDS:
        lasting.refused(writer)
        for add in contracts.EPISODES:
            add(writer)
    while writer.now < LENGTH:
        act(writer)
        writer.now += writer.chance.uniform(*PAUSES)
    if seed > FIRST_SEEDS:
        nights.night(writer)
    for line in writer.lines:
        if line.held and writer.chance.random() < 0.7:
            leave(writer, line, line.held)
            writer.now += writer.chance.uniform(0.05, 0.3)
    steps = tuple(sorted(writer.steps, key=lambda step: step.at))
    needs_reads = any(step.what in ("convert", "split") for step in steps)
    audits_seldom = (is_blind or writer.chance.random() < 0.4) and not needs_reads
    return History(seed, writer.followers, steps, AUDITS[audits_seldom])
