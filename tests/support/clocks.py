"""A copier whose clock the test sets."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from copytrade.common import wall_clock
from copytrade.core.model.orders import IST
from copytrade.paper.broker import PaperBroker


def set_clock(monkeypatch: pytest.MonkeyPatch, ahead: timedelta) -> None:
    then, monotonic = wall_clock._READ_AT
    monkeypatch.setattr(wall_clock, "_READ_AT", (then + ahead, monotonic))


def with_a_clock(
    broker: PaperBroker, monkeypatch: pytest.MonkeyPatch, shift: timedelta = timedelta()
) -> tuple[datetime, Callable[[timedelta], None]]:
    """Set our clock and the broker's so far ahead; return the time in India, and what moves both on."""
    broker._server.config.date_header = False  # else there are two of them
    real = datetime.now(UTC)

    def move(by: timedelta) -> None:
        nonlocal shift
        shift += by
        broker.set_clock(shift.total_seconds())
        set_clock(monkeypatch, by)

    broker.exchange._now = lambda: datetime.now(UTC) + shift
    broker.set_clock(shift.total_seconds())
    set_clock(monkeypatch, shift)
    return (real + shift).astimezone(IST), move
