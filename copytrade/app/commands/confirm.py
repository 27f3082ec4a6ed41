"""Asking the operator to confirm, and waiting for the copier's answer to a command."""

import sys
import time
from collections.abc import Sequence

from copytrade.core.model.commands import Answer
from copytrade.storage.database import Database

#: Seconds to wait for answers, and between two looks.
PATIENCE, LOOK_EVERY = 120.0, 0.2


def is_confirmed(question: str) -> bool:
    """Ask for confirmation; without a terminal the answer is no. Raises KeyboardInterrupt."""
    try:
        return input(f"{question} [y/N] ").strip().lower() in ("y", "yes")
    except EOFError:
        print()
        return False


def answers_of_copier(database: Database, numbers: Sequence[int]) -> list[Answer]:
    """Wait for a running copier's answers as ``answers_to`` does; if interrupted, say that the copier is not."""
    try:
        return answers_to(database, numbers)
    except KeyboardInterrupt:
        print("\nthe running copier goes on with what it was told", file=sys.stderr, end="")
        raise


def answers_to(database: Database, numbers: Sequence[int]) -> list[Answer]:
    """Wait for the answers to all commands, or until PATIENCE is over; return those there are."""
    ends = time.monotonic() + PATIENCE
    while True:
        answers = [answer for number in numbers if (answer := database.answer(number))]
        if len(answers) == len(numbers) or time.monotonic() > ends:
            return answers
        time.sleep(LOOK_EVERY)
