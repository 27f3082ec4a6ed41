"""Finds a short history that fails in the same way as a long one, by leaving out steps while it still fails."""

from dataclasses import replace

from bench.histories.history import History, Step
from bench.histories.runner.run import Outcome, run


def shrunk(outcome: Outcome, patience: float, tries: int = 60) -> History:
    """Return a shorter history that is wrong in a column in which the long one was.

    The same history can end differently, by which process is faster. So one that does not fail is run a second time
    before the steps left out are put back. ``tries`` bounds the number of runs.
    """
    columns = {column for column, wrong in outcome.wrong.items() if wrong}
    history, left = outcome.history, tries

    def fails(steps: list[Step]) -> bool:
        nonlocal left
        for _ in range(2):
            if left <= 0:
                return False
            left -= 1
            found = run(replace(history, steps=tuple(steps)), patience=patience)
            if any(found.wrong[column] for column in columns):
                return True
        return False

    steps = list(history.steps)
    size = max(1, len(steps) // 2)
    while size:
        position = 0
        while position < len(steps):
            without = steps[:position] + steps[position + size :]
            if without and fails(without):
                steps = without
            else:
                position += size
        size //= 2
    return replace(history, steps=tuple(steps))
