"""What a newcomer is told first in paper mode: what runs, what is simulated, what is staged, and what to type."""

import textwrap
from collections.abc import Sequence
from pathlib import Path

from copytrade.app.paper_mode import CRASH_AFTER, HANG_AFTER
from copytrade.paper.process import FEED_DOWN
from copytrade.settings import Settings

#: Columns of the screen that the banner is written for, and of its left side.
_WIDTH, _LEFT = 80, 13


def banner(settings: Settings, settings_file: Path) -> str:
    """Return the banner of a paper session."""
    program = "python run.py" + ("" if settings_file == Path("settings.toml") else f" --settings {settings_file}")
    followers = ", ".join(follower.name for follower in settings.followers)
    scripted = "its prices, and a leader who trades by a script" if settings.paper.scripted else "its prices"
    sections = (
        ("runs", [f"{' and '.join(settings.leader_ids)}'s orders are copied to {followers}"]),
        ("simulated", [f"the broker, on this machine: the accounts, {scripted}. No order is real."]),
        ("staged", _staged(settings)),
        ("log", [f"{settings.log.file}, times of {settings.log.zone}"]),
        ("database", [settings.store.database]),
        *([("board", [_board(settings)])] if settings.board.enabled else []),
        (
            "type next",
            [
                "in another terminal, in this folder:",
                f"{program} report",
                f"{program} explain <leader order id>",
                f"{program} pause, {program} resume",
                "Ctrl-C here ends the session and shows what it came to.",
            ],
        ),
    )
    lines = [line for name, said in sections for line in _section(name, said)]
    return "\n".join(["Paper mode", *lines, ""])


def _board(settings: Settings) -> str:
    where = "at a free port" if settings.board.port == 0 else f"at http://{settings.board.listen}/"
    return f"in a browser {where}; the link to log in follows"


def _staged(settings: Settings) -> Sequence[str]:
    """Return the failures that are made on purpose."""
    paper, said = settings.paper, []
    if paper.failures:
        first, last = settings.followers[0].name, settings.followers[-1].name
        said.append(f"after {CRASH_AFTER:.0f} s {first} crashes once, on purpose, and is restarted")
        said.append(f"after {HANG_AFTER:.0f} s {last} hangs once, on purpose, and is replaced")
    if paper.scripted:
        said.append(f"the leader's feed is dropped for {FEED_DOWN / paper.speed:.0f} s while he trades, once a round")
    for share, what in (
        (paper.partial_fills, "of the fills are only a part"),
        (paper.rejections, "of the followers' orders are rejected"),
        (paper.halts, "of the time an instrument is halted"),
    ):
        if share:
            said.append(f"{share:.0%} {what}")
    return said or ["nothing"]


def _section(name: str, said: Sequence[str]) -> list[str]:
    lines = [line for text in said for line in textwrap.wrap(text, _WIDTH - _LEFT, subsequent_indent="  ")]
    heads = [name] + [""] * len(lines)
    return [f"  {head:<{_LEFT - 2}}{line}" for head, line in zip(heads, lines, strict=False)]
