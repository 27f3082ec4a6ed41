"""Every kind of alert reaches a receiver, as what it is and with what to do about it."""

import re
from itertools import cycle
from pathlib import Path

from copytrade.common.logs import alert, fields
from copytrade.paper.broker import PaperBroker
from copytrade.reports.log_lines.alert_advice import ADVICE
from copytrade.reports.log_lines.order_log import _KINDS, _WORTH_A_LOOK
from tests.support.alert_receiver import receiving
from tests.support.copier import running, settings_for
from tests.support.waiting import eventually

ROOT = Path(__file__).parents[3]

#: Kinds of alerts before a start, and those that are made of other words.
OTHERS = {
    "not_started",
    "settings",
    "margin",
    "lot_differs",
    "multiplier_differs",
    "unread_exit",
    "exit_beside_another",
}

TYPES = {"CRITICAL": "failure", "ERROR": "failure", "WARNING": "warning"}


def kinds() -> set[str]:
    """Return the kinds that the program's source names."""
    text = "\n".join(path.read_text() for room in ("actors", "copytrade") for path in (ROOT / room).rglob("*.py"))
    named = set(re.findall(r'\balert\(\s*"(\w+)"', text))
    return named | OTHERS | {str(reason) for reason in _WORTH_A_LOOK} | set(_KINDS.values())


def test_every_kind_is_delivered_with_its_level_and_what_to_do(broker: PaperBroker, tmp_path: Path) -> None:
    assert set(ADVICE) == kinds()
    with receiving() as receiver:
        sent = dict(zip(sorted(ADVICE), cycle(TYPES), strict=False))
        with running(settings_for(broker, tmp_path, alerts={"urls": [receiver.url]}), broker, wait=False) as copier:
            eventually(lambda: copier.system.children[0].address.health.state == "live", "the notifier is up")
            for kind, level in sent.items():
                alert(kind, "asha", "It {} {}", "happened", fields(follower="asha", order="7"), level=level)
            for kind, level in sent.items():
                told = receiver.told(f"{kind} asha")
                assert told["message"] == f"It happened follower=asha order=7\nWhat to do: {ADVICE[kind]}"
                assert told["type"] == TYPES[level]
