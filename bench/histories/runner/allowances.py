"""What the oracle has to allow in a history: late exits, and a wrong side for some seconds."""

from bench.histories.history import LEADER, History

#: Seconds after which a lost update of the leader's has to be known, and what was wrong because of it corrected.
FORGIVEN = 4.5

#: Seconds within which a read of the positions has to show what no update told: the audit's interval, and a moment.
READ_WITHIN = 2.5

#: Seconds for which the copier may rest from reads, if the broker refuses them.
UNREAD_FOR = 120.0


def excused(history: History) -> list[str]:
    """Return the client ids of followers whose exits may be late.

    Their requests are disturbed, or their operator gave a command, or the leader's requests are disturbed: what he did
    in a gap is then read up to a minute later.
    """
    everybody = {follower.name: follower.client_id for follower in history.followers}
    found: set[str] = set()
    for step in history.steps:
        method = step.terms.get("method")
        if method in ("fault", "refuse", "halt", "set_clock") or step.what == "command":
            client_id = step.terms.get("client_id", LEADER)
            found.update(everybody.values() if client_id in history.leaders else [client_id])
        if step.what in ("hand", "square_off"):
            found.add(everybody[step.terms["follower"]])
    return sorted(found)


def unknown_for(history: History, client_id: str) -> float:
    """Return for how many seconds an order of other hands may stay unknown: until a read has to show it.

    Where reads are refused, an exit leaves by the ledger after three seconds.
    """
    if any(
        step.terms.get("method") == "refuse"
        and step.terms.get("kind") in (None, "read")
        and step.terms.get("client_id") in (None, client_id)
        for step in history.steps
    ):
        return UNREAD_FOR
    return READ_WITHIN if loses_updates(history, client_id) else 0.0


def loses_updates(history: History, client_id: str = LEADER) -> bool:
    """Return whether updates of an account are lost, late or unreadable while its socket stays connected."""
    for step in history.steps:
        terms = step.terms
        if terms.get("method") in ("frame_fault", "mute_feed") and terms["client_id"] == client_id:
            return True
        if terms.get("method") == "lag" and terms["client_id"] == client_id and "feed" in terms:
            return True
        if terms.get("method") == "rewrite" and terms["told"] == "frame":
            return True
    return False
