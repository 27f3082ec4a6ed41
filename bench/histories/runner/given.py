"""What is there before the copier starts: positions and shares of the leader, contracts with a multiplier."""

from datetime import datetime, timedelta, timezone
from typing import Any

from bench.histories.history import LEADER, History

_INDIA = timezone(timedelta(hours=5, minutes=30))


def carried(history: History) -> list[tuple[str, str, int]]:
    """Return what the leader has from before today: contract, product and signed units."""
    return [
        (step.terms["security_id"], step.terms.get("product", "CNC"), step.terms["quantity"])
        for step in history.steps
        if step.terms.get("method") in ("carry", "hold") and step.terms["client_id"] == LEADER
    ]


def multipliers(history: History) -> dict[str, int]:
    """Return by how much the price of a unit is multiplied, by contract, where it is not 1."""
    return {
        step.terms["security_id"]: step.terms["multiplier"]
        for step in history.steps
        if step.what == "list" and "multiplier" in step.terms
    }


def underlyings(history: History) -> dict[str, str]:
    """Return the underlying of each contract that was listed for the history."""
    return {step.terms["security_id"]: step.terms["underlying"] for step in history.steps if step.what == "list"}


def listed(underlying: str, days: int, **terms: Any) -> dict[str, Any]:
    """Return an option for the paper exchange that expires in so many days, with these further terms."""
    expiry = (datetime.now(_INDIA) + timedelta(days=days)).date()
    words = {
        "symbol": f"{underlying}-{expiry:%b%Y}-5000-CE",
        "display": f"{underlying} {expiry:%d %b} 5000 CALL".upper(),
        "expiry": str(expiry),
        "strike": "5000",
        "option_type": "CE",
    }
    return {"tick": "0.05", "freeze": 10_000} | words | terms
