"""The command line's arguments. A fault in them is told in plain words, with exit code 2."""

import argparse
import math
import sys
from collections.abc import Container, Sequence
from datetime import date
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NoReturn

from copytrade import __version__
from copytrade.app.commands.exit_codes import EXIT_UNUSABLE
from copytrade.common import wall_clock
from copytrade.core.model.orders import IST

#: Options of the program itself, which no command takes.
_WITHOUT_COMMAND = ("--duration", "--version", "--completion", "--help", "-h")

#: Options whose next word is their value.
_WITH_VALUE = ("--settings", "--date")

_SHELLS = ("bash", "zsh", "tcsh")


class _Parser(argparse.ArgumentParser):
    """A parser whose faults are one line each."""

    def error(self, message: str) -> NoReturn:
        """Print a fault and end the program."""
        self.exit(EXIT_UNUSABLE, f"{message}\n{self.prog} --help says what there is\n")

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is not None and value not in action.choices:
            known = [str(choice) for choice in action.choices]
            near = get_close_matches(str(value), known, n=1)
            meant = f" ({near[0]}?)" if near else ""
            raise argparse.ArgumentError(None, f"there is no {action.metavar} {value}{meant}: {', '.join(known)}")


class _Completion(argparse.Action):
    """Prints what a shell needs to complete commands and options, and ends the program."""

    def __call__(self, parser: argparse.ArgumentParser, _space: object, shell: Any, _option: str | None = None) -> None:
        try:
            import shtab  # noqa: PLC0415 (an optional package)
        except ImportError:
            parser.error("shell completion needs the package shtab: pip install shtab")
        print(shtab.complete(parser, shell))
        parser.exit()


def parse(arguments: Sequence[str], description: str | None) -> argparse.Namespace:
    """Return the arguments; ``command`` is None where none is given. Ends the program (2) for faulty ones."""
    parser = _Parser(prog=Path(sys.argv[0]).name, description=description)
    parser.add_argument("--version", action="version", version=f"copytrade {__version__}")
    parser.add_argument(
        "--completion", action=_Completion, choices=_SHELLS, metavar="shell", help="print a shell's completion script"
    )
    parser.add_argument("--settings", type=Path, default=Path("settings.toml"), help="which settings to use")
    parser.add_argument("--duration", type=_seconds, metavar="SECONDS", help="stop by itself after so many seconds")
    everywhere = _Parser(add_help=False)
    everywhere.add_argument("--settings", type=Path, default=argparse.SUPPRESS, help="which settings to use")
    commands = parser.add_subparsers(dest="command", title="instead of copying", metavar="command")
    _add_commands(commands, everywhere)
    return parser.parse_args(_command_first(arguments, commands.choices))


def _command_first(arguments: Sequence[str], commands: Container[str]) -> Sequence[str]:
    """Return the arguments with the command in front: its options may stand before it, as its own parser takes them."""
    before = ""
    for place, word in enumerate(arguments):
        if word.partition("=")[0] in _WITHOUT_COMMAND:
            break
        if word in commands and before not in _WITH_VALUE:
            return [word, *arguments[:place], *arguments[place + 1 :]]
        before = word
    return arguments


def _add_commands(commands: "argparse._SubParsersAction[_Parser]", everywhere: _Parser) -> None:
    def add(name: str, what: str) -> _Parser:
        return commands.add_parser(name, help=what, parents=[everywhere])

    day = add("report", "what was copied on a day, with slippage and latency")
    today = wall_clock.now().astimezone(IST).date()
    day.add_argument("--date", type=_day, default=today, metavar="YYYY-MM-DD", help="today if not given")
    shape = day.add_mutually_exclusive_group()
    shape.add_argument("--html", type=Path, metavar="FILE", help="everything as one page, with charts")
    shape.add_argument("--csv", type=Path, metavar="FILE", help="a row a copy, for a spreadsheet")
    shape.add_argument("--json", action="store_true", help="everything, as JSON")
    for name, what in (("pause", "enter nothing more"), ("resume", "enter again")):
        switch = add(name, f"{what}, at once and until told otherwise; exits go on")
        switch.add_argument("follower", nargs="?", default="", help="whose entries; everybody's if not given")
    differing = add("drift", "what each account holds otherwise than the leader, and why")
    differing.add_argument("follower", nargs="?", default="", help="whose; everybody's if not given")
    differing.add_argument("--fix", action="store_true", help="take up again what was skipped, refused or unfilled")
    differing.add_argument("--yes", action="store_true", help="do not ask")
    close = add("flatten", "cancel copies and close what is held by copying, and nothing else")
    close.add_argument("follower", nargs="?", default="", help="whose; everybody's if not given")
    close.add_argument("--yes", action="store_true", help="do not ask")
    node = add("node", "copy as one of several nodes: to the followers whose lease it holds")
    node.add_argument("name", help="this node's name, as in the followers' homes")
    node.add_argument("--take-home", action="store_true", help="have the followers moved here whose first home this is")
    node.add_argument("--duration", type=_seconds, metavar="SECONDS", help="stop by itself after so many seconds")
    taken = add("take", "let a follower's entries go on, as you know that no other node trades his account")
    taken.add_argument("follower", help="whose")
    taken.add_argument("--yes", action="store_true", help="do not ask")
    add("reload", "have the running copier read its settings anew, and say what it takes; 2 if they are refused")
    gone = add("remove", "cancel a follower's copies for good, before his block is taken out of the settings")
    gone.add_argument("follower", help="who")
    held = gone.add_mutually_exclusive_group(required=True)
    held.add_argument("--flatten", action="store_true", help="close what he holds by copying")
    held.add_argument("--leave", action="store_true", help="leave what he holds in his account, as his own")
    gone.add_argument("--yes", action="store_true", help="do not ask")
    trail = add("audit", "whether every request to the broker is as it was written down")
    trail.add_argument("--verify", action="store_true", required=True, help="follow the chain; exit 1 if it is broken")
    lead = add("lead", "tell the leaders' orders to nodes on the bus of [nodes], and copy nothing")
    lead.add_argument("--duration", type=_seconds, metavar="SECONDS", help="stop by itself after so many seconds")
    add("check", "whether every account can trade, and if not what to do; 1 if one cannot")
    add("alert-test", "send an alert, and say who took it; 2 if somebody did not")
    now = add("status", "how the running copier is; 0 if all is well, 1 if not, 2 if none runs")
    now.add_argument("--json", action="store_true", help="everything, as JSON")
    now.add_argument("--health", action="store_true", help="only whether the copier lives, whatever its feeds do")
    board = add("board", "serve the board, a web page and HTTP interface, beside a running copier")
    board.add_argument("--link", action="store_true", help="print a link that logs in to the running board, once")
    board.add_argument("--hash", action="store_true", help="ask for a password and print it as the settings want it")
    order = add("explain", "everything that became of one leader order, and why")
    order.add_argument("order_id", help="the leader's, or a copy's")


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text} is no date: write it like 2026-11-30") from None


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < math.inf:
        raise argparse.ArgumentTypeError(f"{text} is not a number of seconds above 0")
    return seconds
