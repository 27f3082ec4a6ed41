"""The verdict over a history: what is wrong, by column."""

from collections.abc import Mapping
from dataclasses import replace

from bench.histories.oracle import copies, legs, requests, sides
from bench.histories.oracle.account import Account
from bench.histories.oracle.evidence import Evidence
from bench.histories.oracle.rows import is_ours, leader_order_of
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
    "uncovered": "sold legs of which a follower got something before he had any of a hedge",
    "hammered": "requests that were repeated again and again although they were refused",
    "over budget": "windows with more order requests than are allowed",
    "restless": "histories in which requests went on without an end",
    "crashed": "times the program ended by itself",
}


def judge(evidence: Evidence) -> dict[str, list[str]]:
    """Return what is wrong, in words, by column."""
    found: dict[str, list[str]] = {column: [] for column in COLUMNS}
    dispositions = copies.dispositions(evidence.database)
    for leader in evidence.leaders or (evidence.leader,):
        _judge_by(replace(evidence, leader=leader), dispositions, found)
    for follower in evidence.followers:
        name, client_id = follower["name"], follower["client_id"]
        found["hammered"] += [f"{name}: {text}" for text in requests.hammered(evidence.writes[client_id])]
        found["over budget"] += [f"{name}: {text}" for text in requests.over_budget(client_id, evidence)]
    found["crashed"] += evidence.crashes
    found["restless"] += [evidence.restless] if evidence.restless else []
    return found


def _judge_by(
    evidence: Evidence, dispositions: Mapping[tuple[str, str], list[str]], found: Mapping[str, list[str]]
) -> None:
    """Add what is wrong with what is copied of one leader: of the followers' orders, those that are his copies."""
    theirs = (row for row in evidence.changes[evidence.leader] if not is_ours(row))
    leader = Account.of(theirs, evidence.carried, evidence.splits)
    for follower in evidence.followers:
        name, client_id = follower["name"], follower["client_id"]
        changes = evidence.changes[client_id]
        if len(evidence.leaders) > 1:
            changes = [row for row in changes if leader_order_of(row) in leader.orders]
        account = Account.of(changes, splits=evidence.splits)
        writes, follows_fills = evidence.writes[client_id], follower.get("mode") == "fills"
        of_one = {
            "doubled": requests.doubled(account) + requests.sent_again(leader, writes),
            "other side": sides.closed_twice(account, evidence)
            + sides.other_side(leader, account, evidence)
            + sides.closed_after_expiry(leader, account, evidence),
            "no disposition": copies.undisposed(leader, name, dispositions, only_ended=follows_fills),
            "orphans": copies.orphans(leader, account),
        }
        if not follows_fills:  # his prices are his own
            of_one["unlike"] = copies.unlike(leader, account)
        if not evidence.forgiven:  # a price that no update showed, and a late order book, may be taken for news
            of_one["uncovered"] = legs.uncovered(leader, account, evidence)
            of_one["set back"] = [] if follows_fills else copies.set_back(evidence, client_id)
        if client_id not in evidence.excused:
            of_one["late exits"] = sides.late_exits(leader, account, evidence)
        for column, texts in of_one.items():
            found[column] += [f"{name}: {text}" for text in texts]
        compare(leader, account, follower, evidence, found)
