"""Asking the operator whether it is meant, and waiting for what the copier answers to a command."""

import time
from collections.abc import Sequence

from copytrade.core.model.commands import Answer
from copytrade.storage.database import Database

#: Seconds until a command should be answered, and between looks whether it is.
PATIENCE, LOOK_EVERY = 120.0, 0.2


def is_confirmed(question: str) -> bool:
    """Ask; whoever is not there to answer has not confirmed."""
    try:
        return input(f"{question} [y/N] ").strip().lower() in ("y", "yes")
    except EOFError:
        print()
        return False


def answers_to(database: Database, numbers: Sequence[int]) -> list[Answer]:
    """Wait until every command is answered, or too long."""
    ends = time.monotonic() + PATIENCE
    while True:
        answers = [answer for number in numbers if (answer := database.answer(number))]
        if len(answers) == len(numbers) or time.monotonic() > ends:
            return answers
        time.sleep(LOOK_EVERY)
