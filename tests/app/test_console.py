"""How a terminal shows a log line."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from copytrade.app.console.terminal import Terminal

PLACING = (
    'Placing follower order follower=asha leader_order=52211250904001 side=BUY symbol="NIFTY 08 DEC 26000 CALL"'
    " type=LIMIT product=MARGIN quantity=130 price=118.05 trigger_price=0 validity=DAY disclosed_quantity=0"
    ' sizing="260 x 0.5000 = 130.00 -> 2 x 65"'
)
WHO = "follower=asha leader_order=52211250904001 order=77"
ORDER = "NIFTY 08 DEC 26000 CE"


def shown(*messages: str, level: str = "INFO", width: int = 100, coloured: bool = False) -> str:
    """Return what a terminal shows of the last of these lines, without its time."""
    terminal = Terminal(lambda: width, coloured=coloured)
    *_, last = [terminal.show("09:15:00.123", level, message) for message in messages]
    return last.removeprefix("09:15:00 ")


@pytest.mark.parametrize(
    ("line", "text"),
    [
        (f"Order replicated successfully {WHO} quantity=130 latency=4.2ms", f"BUY 130 {ORDER} @118.05, {{}}, 4 ms"),
        (
            f"Order modified successfully {WHO} type=STOP_LOSS quantity=65 price=98.0 trigger_price=99 modifications=1",
            f"BUY modified to 65 {ORDER} @98.00 trigger 99.00, {{}}",
        ),
        (f"Order cancelled successfully {WHO}", f"BUY cancelled 130 {ORDER} @118.05, {{}}"),
        (
            f"Follower order filled {WHO} filled=130 of=130 price=118.1 slippage=0.05 rupees=6.50 latency=12.0ms",
            f"BUY filled 130 {ORDER} @118.10, slippage 0.05, {{}}, 12 ms",
        ),
        (
            f"Follower order part filled {WHO} filled=65 of=130 price=118.04 slippage=-0.00 rupees=0.00",
            f"BUY filled 65 of 130 {ORDER} @118.04, {{}}",
        ),
        (f'Failed to modify {WHO} error="no funds"', f"BUY failed to modify 130 {ORDER} @118.05, {{}}: no funds"),
        (f"Dry run, not sent: cancel {WHO}", f"BUY not sent (cancel) 130 {ORDER} @118.05, {{}}"),
        (f'Order skipped: zero_lots {WHO} detail="too small"', "skipped zero_lots, {}: too small"),
    ],
)
def test_an_event_is_a_short_line(line: str, text: str) -> None:
    assert shown(PLACING, line) == f"asha {text.format('leader ...904001')}"


def test_what_another_line_says_is_not_shown() -> None:
    asked = f"Processing cancellation for leader order: 52211250904001 {WHO}"
    done = "Successfully cancelled follower order 77 follower=asha"
    assert [shown(line) for line in (PLACING, asked, done)] == ["", "", ""]


def test_a_status_is_shown_in_all_and_where_it_changed() -> None:
    live = "STATUS asha         live     mailbox=0 age=0s restarts=0 open=0"
    assert (
        shown("STATUS total        live     actors=13/13 restarts=1 up=35s")
        == "STATUS live, 13/13 actors, 1 restart, up 35s"
    )
    assert shown(live) == shown(live.replace("live    ", "starting"), live) == ""
    assert shown(live.replace("live ", "busy ")) == "STATUS asha busy, 0 restarts"
    assert shown(live.replace("live ", "busy "), live) == "STATUS asha live, 0 restarts"


def test_a_copy_from_before_a_restart_is_shown_as_far_as_it_is_known() -> None:
    assert shown(f"Order cancelled successfully {WHO}") == "asha cancelled, leader ...904001"


def test_a_long_line_is_cut_and_a_long_warning_is_shown_whole() -> None:
    long = " ".join(f"word{number}" for number in range(40))
    cut = shown(long)
    assert (len(cut), cut[-1]) == (100 - len("09:15:00 "), "…")
    lines = shown(long, level="WARNING").splitlines()
    assert all(len(line) <= 100 for line in lines)
    assert " ".join(line.strip() for line in lines) == f"WARNING {long}"


@given(
    start=st.sampled_from(
        ["", "STATUS ", f"Order skipped: {WHO} ", f"Follower order filled {WHO} ", f"Failed to {WHO} "]
    ),
    text=st.text(),
    level=st.sampled_from(["INFO", "WARNING"]),
)
def test_every_line_can_be_shown(start: str, text: str, level: str) -> None:
    Terminal(lambda: 80, coloured=True).show("09:15:00.123", level, start + text)
