"""The verdict over a history: what is wrong, by column."""

from bench.histories.oracle import copies, requests, sides
from bench.histories.oracle.account import Account
from bench.histories.oracle.evidence import Evidence
from bench.histories.oracle.rows import is_ours
from bench.histories.oracle.shares import compare

#: What can be wrong. In a history that is right nothing is found in any column.
COLUMNS = {
    "doubled": "orders that have the id of another",
    "other side": "follower's lines that were ever on a side on which the leader was not",
    "not flat": "follower's lines with copied units although the leader is flat",
    "over share": "leader orders, or lines, of which a follower has more than its share",
    "under share": "follower's lines with less than belongs to what was entered",
    "no disposition": "leader orders of which a follower's database does not say what came of them",
    "orphans": "orders that rest although the leader's is over",
    "unlike": "orders that rest with another price, trigger or kind than the leader's",
    "set back": "orders that were given again a price that the leader's had left before",
    "late exits": "exits that took longer than they may while nothing refused them",
    "hammered": "requests that were repeated again and again although they were refused",
    "over budget": "windows with more order requests than are allowed",
    "restless": "histories in which requests went on without an end",
    "crashed": "times the program ended by itself",
}


def judge(evidence: Evidence) -> dict[str, list[str]]:
    """Return what is wrong, in words, by column."""
    found: dict[str, list[str]] = {column: [] for column in COLUMNS}
    theirs = (row for row in evidence.changes[evidence.leader] if not is_ours(row))
    leader = Account.of(theirs, evidence.carried, evidence.splits)
    dispositions = copies.dispositions(evidence.database)
    for follower in evidence.followers:
        name, client_id = follower["name"], follower["client_id"]
        account = Account.of(evidence.changes[client_id], splits=evidence.splits)
        writes = evidence.writes[client_id]
        of_one = {
            "doubled": requests.doubled(account) + requests.sent_again(leader, writes),
            "other side": sides.closed_twice(account, evidence)
            + sides.other_side(leader, account, evidence)
            + sides.closed_after_expiry(leader, account, evidence),
            "no disposition": copies.undisposed(leader, name, dispositions),
            "orphans": copies.orphans(leader, account),
            "unlike": copies.unlike(leader, account),
            "hammered": requests.hammered(writes),
            "over budget": requests.over_budget(client_id, evidence),
        }
        if not evidence.forgiven:  # a price that no update showed, and a late order book, may be taken for news
            of_one["set back"] = copies.set_back(evidence, client_id)
        if client_id not in evidence.excused:
            of_one["late exits"] = sides.late_exits(leader, account, evidence)
        for column, texts in of_one.items():
            found[column] += [f"{name}: {text}" for text in texts]
        compare(leader, account, follower, evidence, found)
    found["crashed"] += evidence.crashes
    found["restless"] += [evidence.restless] if evidence.restless else []
    return found
