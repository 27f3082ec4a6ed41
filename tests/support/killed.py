"""A copier in a process of its own that is killed at a step of its work."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.waiting import PATIENCE

ROOT = Path(__file__).parents[2]
SETTINGS = """
mode = "live"
leader = {{ client_id = "1000000001", access_token = "token-of-leader" }}
followers = [
    {{ name = "alice", client_id = "1000000101", access_token = "token-of-alice" }},
    {{ name = "bob", client_id = "1000000102", access_token = "token-of-bob", ratio = 0.5 }},
]
copy = {{ sizing = "fixed_ratio" }}
market = {{ hours = "always" }}
board = {{ enabled = false }}
recovery = {{ absence_window = 0.3, audit_interval = 0.5 }}
limits = {{ reads = {{ per_second = 100, per_minute = 6000, per_hour = 100000 }} }}
[dhan]
rest_url = "{broker.rest_url}"
feed_url = "{broker.feed_url}"
auth_url = "{broker.auth_url}"
instruments_url = "{broker.instruments_url}"
"""


@contextmanager
def copier(folder: Path, *killed_at: str) -> Iterator["subprocess.Popen[bytes]"]:
    """Run the copier, to be killed at a step of a kind of request if one is given, or else when the block ends."""
    command = [sys.executable, "-m", "tests.support.crashing", *killed_at]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    with (folder / "out").open("ab") as out:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=out, stderr=out)
    try:
        yield process
        if killed_at:
            assert process.wait(PATIENCE) == -signal.SIGKILL, (folder / "out").read_text()
    finally:
        process.kill()
        process.wait()
