"""Waiting for what happens in other threads and processes: on conditions, never on time."""

import time
from collections.abc import Callable
from typing import Any

#: How long anything may take to happen before a test gives up, in seconds.
PATIENCE = 20.0


def eventually(condition: Callable[[], object], what: str = "") -> Any:
    """Wait until a condition holds, and return what it gave."""
    deadline = time.monotonic() + PATIENCE
    while not (found := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"did not happen in {PATIENCE:.0f} s: {what or condition}")
        time.sleep(0.005)
    return found
