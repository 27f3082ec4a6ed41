"""What is there before the copier starts: positions and shares of the leader, contracts with a multiplier."""

from bench.histories.history import LEADER, History


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
        if step.terms.get("method") == "add_instrument" and "multiplier" in step.terms
    }
