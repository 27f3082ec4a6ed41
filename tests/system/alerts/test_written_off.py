"""Copies that were closed by hand are told of when they are written off, whatever finds it out, and once."""

from pathlib import Path

from copytrade.paper.broker import PaperBroker
from tests.support.alert_receiver import Receiver, receiving
from tests.support.copier import CLIENTS, LOT, OPTION, Copier, running, settings_for
from tests.support.waiting import eventually

NAME = f"NSE_FNO:{OPTION}"


def by_hand(copier: Copier, follower: str, lots: int, side: str = "SELL") -> None:
    terms = {"order_type": "MARKET", "price": 0, "side": side, "security_id": OPTION, "quantity": lots * LOT}
    order = copier.broker.place(CLIENTS[follower], **terms)  # type: ignore[arg-type]
    query = f"SELECT 1 FROM orders WHERE account = '{follower}' AND id = ? AND status = 'TRADED'"
    eventually(lambda: copier.rows(query, order), "the copier knows of it")


def traded(copier: Copier, lots: int, side: str = "BUY", **expected: str) -> str:
    order = copier.buy(lots, 0, order_type="MARKET", side=side)
    for follower, status in expected.items():
        copier.mapping(order, follower, status)
    return order


def titles(receiver: Receiver) -> list[str]:
    return sorted(body["title"] for body in receiver.received if ": drift" in body["title"])


def test_what_was_closed_by_hand_is_told_of_at_the_next_entry_or_exit_and_once(
    broker: PaperBroker, tmp_path: Path
) -> None:
    with receiving() as receiver:
        settings = settings_for(broker, tmp_path, alerts={"urls": [receiver.url], "cooldown": 0.001})
        with running(settings, broker) as copier:
            traded(copier, 4, alice="filled", bob="filled")
            by_hand(copier, "alice", 4)
            traded(copier, 2, alice="filled", bob="filled")
            alert = receiver.told(f"drift alice:{NAME}")
            assert alert["type"] == "warning"
            assert "Copied position closed by other hands, written off follower=alice" in alert["message"]
            assert "held_before=260 held=0" in alert["message"]
            assert "What to do: run `run.py drift`" in alert["message"]
            by_hand(copier, "bob", 3)
            traded(copier, 6, "SELL", alice="filled", bob="skipped")
            receiver.told(f"drift bob:{NAME}")
        assert titles(receiver) == [f"copytrade: drift {who}:{NAME}" for who in ("alice", "bob")]


def test_what_a_read_has_told_is_not_told_again_when_it_is_written_off(broker: PaperBroker, tmp_path: Path) -> None:
    with receiving() as receiver:
        alerts = {"urls": [receiver.url], "cooldown": 0.001}
        with running(settings_for(broker, tmp_path, alerts=alerts, recovery={"audit_interval": 0.2}), broker) as copier:
            traded(copier, 4, alice="filled", bob="filled")
            by_hand(copier, "alice", 4)
            assert "external_close=-260" in receiver.told(f"drift alice:{NAME}")["message"]
            traded(copier, 2, alice="filled", bob="filled")
        assert len(receiver.titled(f"drift alice:{NAME}")) == 1
        terms = {"order_type": "MARKET", "price": 0, "side": "SELL", "security_id": OPTION, "quantity": 3 * LOT}
        broker.place(CLIENTS["bob"], **terms)  # type: ignore[arg-type]
        with running(settings_for(broker, tmp_path, alerts=alerts), broker) as copier:
            receiver.told(f"drift bob:{NAME}")
            traded(copier, 2, bob="filled")
        assert len(receiver.titled(f"drift bob:{NAME}")) == 1
