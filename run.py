"""Copy a leader's orders to every follower, until told to stop; ``python run.py --help`` lists the commands."""

import sys

from actors.system.command_line import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
