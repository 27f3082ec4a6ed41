"""Runs the copier with a bug: ``dying.py HOW``, in a core actor, or in the main thread."""

import sys
from typing import Any

import run
from actors.rate_limiter import RateLimiter
from actors.supervisor import actor as supervisor
from actors.supervisor.restarts import RestartPolicy
from actors.system import system
from actors.system.daily.backup import DailyBackup


def fail(*_: Any) -> None:
    raise RuntimeError("a bug")


if __name__ == "__main__":
    owner, name = {"core": (RateLimiter, "receive"), "main": (DailyBackup, "look")}[sys.argv[1]]
    setattr(owner, name, fail)
    supervisor.DRAIN_DEADLINE = 0.1
    system._CORE = RestartPolicy(0, 60.0, 0.25, 30.0)  # the first crash is one too many
    sys.exit(run.main([]))
