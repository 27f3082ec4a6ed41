"""The instrument master in a running copier: read anew each morning, kept for bad days, and complete for the leader."""

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from copytrade.core.model.orders import IST
from copytrade.paper.broker import PaperBroker
from copytrade.paper.exchange.instruments import master_csv, standard_instruments
from copytrade.settings import Settings
from tests.support.copier import LEADER, LOT, OPTION, Copier, running, settings_for
from tests.support.waiting import eventually

TODAY = datetime.now(IST).date()


def master(path: Path, *, without: str = "") -> str:
    """Write a master without one of its contracts; return where it is."""
    instruments = [item for item in standard_instruments(TODAY) if item.security_id != without]
    path.write_text(master_csv(instruments))
    return str(path)


def reading(broker: PaperBroker, folder: Path, url: str, **dhan: Any) -> Settings:
    return settings_for(broker, folder, dhan={"instruments_url": url, **dhan})


def undescribed(copier: Copier, order_id: str) -> str:
    """Have the leader's feed tell of an order without its lot and tick, as rows of the order book do."""
    placed = {
        "orderNo": order_id,
        "clientId": LEADER,
        "exchange": "NSE",
        "segment": "D",
        "securityId": OPTION,
        "product": "M",
        "txnType": "B",
        "orderType": "LMT",
        "validity": "DAY",
        "quantity": LOT,
        "price": 100,
        "status": "Pending",
    }
    copier.broker.send_frame(LEADER, json.dumps({"Data": placed, "Type": "order_alert"}))
    return order_id


def test_what_the_leader_holds_and_the_master_lacks_is_named_and_read_anew_in_the_morning(
    broker: PaperBroker, tmp_path: Path
) -> None:
    broker.place(LEADER, side="BUY", security_id=OPTION, quantity=LOT, price=0, order_type="MARKET")
    path = tmp_path / "master.csv"
    url = master(path, without=OPTION)
    morning = datetime.now(IST) + timedelta(seconds=5)
    with running(reading(broker, tmp_path, url, instruments_at=morning.time()), broker) as copier:
        line = copier.logged("Instrument unknown, nothing is entered in it")
        assert line.startswith("CRITICAL")
        assert f"security_id={OPTION}" in line
        skipped = undescribed(copier, "991")
        assert copier.mapping(skipped, "alice", "skipped")[0] == "unknown_instrument"
        master(path)
        eventually(lambda: sum("Instruments loaded" in line for line in copier.log) == 2, "it is read in the morning")
        copier.mapping(skipped, "alice", "placed")
        copier.mapping(undescribed(copier, "992"), "alice", "placed")


def test_what_was_kept_serves_when_there_is_no_master_to_be_had(broker: PaperBroker, tmp_path: Path) -> None:
    path = tmp_path / "master.csv"
    settings = reading(broker, tmp_path, master(path))
    with running(settings, broker) as copier:
        copier.logged("Instruments loaded")
    path.unlink()
    with running(settings, broker) as copier:
        line = copier.logged("Instrument master unreadable, again in 30s")
        assert line.startswith("ERROR")
        assert f"in_use={datetime.now(IST).date()}" in line
        copier.mapping(undescribed(copier, "993"), "alice", "placed")
    assert Path(f"{settings.store.database}.instruments").stat().st_mode & 0o777 == 0o600
