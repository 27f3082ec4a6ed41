"""The program, with a clock that is as many days ahead as the file ``nights`` in its folder says.

python -m bench.histories.runner.dated [arguments of run.py]
"""

import sys
import threading
import time
from datetime import timedelta
from pathlib import Path

from actors.system.command_line import main
from copytrade.common import wall_clock

#: Seconds between looks at the file.
_EVERY = 0.005

_FILE = Path("nights")


def _keep_the_date(is_known: threading.Event) -> None:
    then, monotonic = wall_clock._READ_AT
    nights = 0
    while True:
        if _FILE.exists() and (now := int(_FILE.read_text())) != nights:
            nights = now
            wall_clock._READ_AT = then + timedelta(days=nights), monotonic
        is_known.set()
        time.sleep(_EVERY)


if __name__ == "__main__":
    read = threading.Event()
    threading.Thread(target=_keep_the_date, args=(read,), daemon=True).start()
    read.wait()
    sys.exit(main(sys.argv[1:]))
