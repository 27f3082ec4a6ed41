"""Break each guard on purpose, one at a time: the tests that should notice it have to fail.

python -m bench.reliability.mutants
"""

import sys
from dataclasses import dataclass

from bench.reliability.broken_copy import exit_code


@dataclass(frozen=True)
class Mutant:
    """A guard, the source text that breaks it, and the tests that should notice."""

    guard: str
    file: str
    before: str
    after: str
    tests: str


MUTANTS = [
    Mutant(
        "an intent is committed before its request leaves",
        "actors/follower/parts/in_flight.py",
        "self._outbox.intend(token, changed.after, leader)\n",
        "self._send(token, flight)\n",
        "tests/system/restarts/test_kill.py tests/system/database/test_database.py",
    ),
    Mutant(
        "what was intended before a crash is written before anything else is done",
        "copytrade/storage/intent_log.py",
        "records = [*intended(cursor), ConfigSet(OWNER, self._token)]\n",
        "records = [ConfigSet(OWNER, self._token)]\n",
        "tests/storage/test_store.py tests/system/restarts/test_kill.py",
    ),
    Mutant(
        "a store that hung and was replaced writes nothing when it wakes",
        "copytrade/storage/intent_log.py",
        "            if not cursor.fetchall():\n",
        "            if False:\n",
        "tests/storage/test_store.py",
    ),
    Mutant(
        "an order in doubt is not sent again before its absence is proven",
        "copytrade/core/engine/copies/unknown_outcomes.py",
        "        return self.reads >= times * READS and self.last_read >= until and self.last_search >= until\n",
        "        return self.reads >= 1\n",
        "tests/system/broker_faults/test_doubt.py",
    ),
    Mutant(
        "a read with a row that may be an order in doubt proves nothing of it",
        "copytrade/core/engine/copies/unknown_outcomes.py",
        "            if not any(self._may_be(copy_id, row) for row in unclear):\n",
        "            if True:\n",
        "tests/core/engine/copies/test_doubt.py",
    ),
    Mutant(
        "what was under way when the program stopped is in doubt",
        "copytrade/core/engine/copies/transitions.py",
        '        return in_doubt(copy, "the program stopped while its request was under way")\n',
        "        return not_sent(copy)\n",
        "tests/system/restarts/test_kill.py tests/core/engine/test_engine.py",
    ),
    Mutant(
        "an unknown outcome is not taken for a refusal",
        "actors/follower/parts/outcomes.py",
        "                after = transitions.in_doubt(copy, unknown.cause)\n",
        "                after = transitions.not_sent(copy)\n",
        "tests/system/broker_faults/test_faults.py",
    ),
    Mutant(
        "sights are merged, repeated ones change nothing",
        "copytrade/core/model/order_book.py",
        " if seen.source is Source.BOOK else self._with_frame(known, seen)\n",
        "; after = seen\n",
        "tests/core/model/test_book.py tests/core/engine/test_engine.py",
    ),
    Mutant(
        "a cancellation overtakes everything",
        "copytrade/core/model/lane.py",
        "    CANCEL = 0\n    EXIT = 1\n    MODIFY = 2\n",
        "    MODIFY = 0\n    EXIT = 1\n    CANCEL = 2\n",
        "tests/core tests/system/broker_faults/test_hard_cases.py",
    ),
    Mutant(
        "no entry leaves before the leader's book has been read",
        "copytrade/core/decide/new_order.py",
        "        if not case.inputs.gate_open:\n",
        "        if False:\n",
        "tests/core/decide/test_mirror.py tests/system/broker_faults/test_doubt.py",
    ),
    Mutant(
        "a read opens only the gate of the gap in which it began",
        "actors/order_feed/gate.py",
        "not self.is_open and generation == self._generation",
        "not self.is_open",
        "tests/system",
    ),
    Mutant(
        "an order with an id of ours is never copied",
        "copytrade/core/decide/filters.py",
        "    if order.is_ours:\n",
        "    if False:\n",
        "tests/core tests/system/feed/test_feed_health.py",
    ),
    Mutant(
        "what ended without us stays ended",
        "copytrade/core/model/copies.py",
        "        return not self.cancel_asked or called_off or self.reason is Reason.UNFILLED\n",
        "        return False\n",
        "tests/core",
    ),
    Mutant(
        "orders that the database has lost are adopted",
        "actors/follower/parts/orphan_orders.py",
        "        if not self._engine.own_orders.orphan_orders:\n            return True\n",
        "        return True\n",
        "tests/system/broker_faults/test_doubt.py",
    ),
    Mutant(
        "while the database fails no entry leaves",
        "actors/store/group_commit.py",
        "            if intent.record.copy.part is not Part.ENTRY:\n",
        "            if True:\n",
        "tests/system/database/test_database.py",
    ),
    Mutant(
        "an exit is durable before it leaves, although the database fails",
        "actors/store/group_commit.py",
        "            self._side_file.append([record for _, record in self._waiting[self._aside :]])\n",
        "            pass\n",
        "tests/system/database/test_database.py",
    ),
    Mutant(
        "ages are reckoned by the broker's clock",
        "actors/follower/parts/broker_clock.py",
        "        return now + timedelta(seconds=self._skew) if self._skew else now\n",
        "        return now\n",
        "tests/system/restarts/test_clock.py",
    ),
    Mutant(
        "a second order with the id of another is cancelled",
        "copytrade/core/engine/own_orders.py",
        "        if copy.order_id and copy.order_id != order.id:\n",
        "        if False:\n",
        "tests/system/broker_faults/test_doubt.py",
    ),
    Mutant(
        "no entry leaves once the day's loss is reached",
        "copytrade/core/decide/risk_check.py",
        "    if limits_used.breach:\n",
        "    if False:\n",
        "tests/core/decide/test_entering.py",
    ),
    Mutant(
        "where a loss is limited entries wait for the day's result",
        "copytrade/core/decide/risk_check.py",
        "    if limits_used.result is None:\n        return Wait(",
        "    if limits_used.result is None:\n        return None\n        return Wait(",
        "tests/core/decide/test_entering.py",
    ),
    Mutant(
        "a day's loss outlives a restart",
        "actors/follower/parts/loss_limit.py",
        "        return [ConfigSet(breach_key(self._address.name), str(breach))]\n",
        "        return []\n",
        "tests/system/limits/test_protection.py",
    ),
    Mutant(
        "what rests is not enlarged beyond a limit",
        "copytrade/core/decide/totals.py",
        "    if wanted > kept and forbidden_more(case, mine):\n",
        "    if False:\n",
        "tests/core/decide/test_entering.py",
    ),
    Mutant(
        "no more is left or closed than the account's net position",
        "copytrade/core/ledger/holdings.py",
        "self.account.lacking(key, direction) - self.account.beside(key) * direction",
        "0",
        "tests/core/engine/test_closing.py",
    ),
    Mutant(
        "a line belongs to one leader",
        "copytrade/core/model/ledger.py",
        "LineKey(order.key, order.product, order.leader)",
        "LineKey(order.key, order.product)",
        "tests/core/engine/leaders",
    ),
    Mutant(
        "what other hands close is taken from the line that was opened first",
        "copytrade/core/ledger/ledger.py",
        "if (other.opened, other.key) < place",
        "if (other.opened, other.key) > place",
        "tests/core/engine/leaders/test_one_line.py",
    ),
    Mutant(
        "a gate holds back entries from its leader alone",
        "copytrade/core/engine/engine.py",
        "self.context.of(leader).gate_open = is_open",
        "[setattr(one, 'gate_open', is_open) for one in self.context.all]",
        "tests/core/engine/leaders/test_one_line.py",
    ),
    Mutant(
        "what was copied for a leader who follows others is not copied on",
        "copytrade/core/engine/leader_orders.py",
        "return order.leader in self._followers and order.is_ours",
        "return False",
        "tests/core/engine/leaders/test_one_line.py",
    ),
    Mutant(
        "a line is closed when nothing of ours is live on it any more",
        "copytrade/core/engine/flattener.py",
        "line.key not in busy and ",
        "",
        "tests/core/engine/test_closing.py tests/core/engine/test_engine.py",
    ),
    Mutant(
        "in a dry run nothing is sent",
        "actors/follower/parts/in_flight.py",
        "        if self._dry_run:\n            self._keep_back",
        "        if False:\n            self._keep_back",
        "tests/system/copying/test_dry_run.py",
    ),
    Mutant(
        "what was never sent is not written down as an order",
        "actors/follower/parts/outbox.py",
        "            return replace(changed, copy=shadow.recorded(copy))\n",
        "            return changed\n",
        "tests/system/copying/test_dry_run.py",
    ),
    Mutant(
        "what is forgotten is no news when it is told of again",
        "copytrade/core/engine/engine.py",
        "        if self.retention.is_forgotten(order):\n            return []\n",
        "",
        "tests/core/engine/test_forgetting.py",
    ),
    Mutant(
        "nothing is forgotten that may rest at the broker",
        "copytrade/core/engine/retention.py",
        "any(copy.is_open or _is_of(copy, day) for copy in copies)",
        "any(_is_of(copy, day) for copy in copies)",
        "tests/core/engine/test_what_is_kept.py",
    ),
    Mutant(
        "what may yet be entered is not forgotten",
        "copytrade/core/engine/retention.py",
        "            return ended_before(leader, enterable)\n",
        "            return ended_before(leader, day)\n",
        "tests/core/engine/test_what_is_kept.py",
    ),
    Mutant(
        "the exit that would be asked for what is overdue is not forgotten",
        "copytrade/core/engine/retention.py",
        "        over -= self._last_exits(over)\n",
        "",
        "tests/core/engine/test_what_is_kept.py",
    ),
    Mutant(
        "what only waited for the account is decided afresh though the leader's order is over",
        "copytrade/core/decide/case.py",
        "copy.reason is not None and not copy.reason.is_passing)",
        "copy.reason is not None)",
        "tests/system/test_after_a_suspension.py",
    ),
    Mutant(
        "copies closed by hand are told of when they are written off",
        "actors/follower/pump.py",
        "            self._audit.written_off(before, after)\n",
        "            pass\n",
        "tests/system/alerts/test_written_off.py",
    ),
    Mutant(
        "alerts that are being delivered when the program dies of a bug are waited for",
        "actors/system/system.py",
        "        while self._addresses.notifier.is_taken and time.monotonic() < until:\n",
        "        while False:\n",
        "tests/system/alerts/test_dying.py",
    ),
    Mutant(
        "a page of another host gets nothing of the board",
        "copytrade/web/access/guard.py",
        "        if not is_our_host(headers, self._hosts):\n",
        "        if False:\n",
        "tests/web/test_safety.py",
    ),
    Mutant(
        "a page of another origin changes nothing through the board",
        "copytrade/web/access/origin.py",
        "    if any(_normal(origin) != _normal(ours) for origin in origins):\n",
        "    if False:\n",
        "tests/web/test_safety.py",
    ),
    Mutant(
        "who has the session's cookie alone changes nothing through the board",
        "copytrade/web/access/guard.py",
        "bool(visitor.csrf) and headers.get(CSRF_HEADER) == visitor.csrf\n",
        "bool(visitor.csrf)\n",
        "tests/web/test_safety.py",
    ),
    Mutant(
        "what the broker says moves no cursor and turns no text on the board",
        "copytrade/web/live/clean.py",
        "all_without_secrets([readable(text) for text in originals])",
        "all_without_secrets(originals)",
        "tests/web/test_safety.py",
    ),
    Mutant(
        "everybody is flattened through the board only where that is typed",
        "copytrade/web/controls/command_request.py",
        "    if asked.command == FLATTEN and asked.confirm != (whom or ALL):\n",
        "    if False:\n",
        "tests/web/test_controls.py",
    ),
    Mutant(
        "a command that is given again under its id does nothing again",
        "copytrade/web/controls/giving.py",
        "                if self._known_at(name) is not None:\n",
        "                if False:\n",
        "tests/web/test_controls.py",
    ),
    Mutant(
        "an entry does not leave by a lease that is old",
        "copytrade/core/lease/lease.py",
        "return now < self.began + ENTRIES_UNTIL * self.length\n",
        "return True\n",
        "tests/actors/test_fence.py tests/core/lease",
    ),
    Mutant(
        "a request that waited for a thread is asked about again",
        "actors/follower/gateway.py",
        "finished = self._fenced(token, lane, time.monotonic()) or self._finished(",
        "finished = self._finished(",
        "tests/actors/test_fence.py",
    ),
    Mutant(
        "where the bus has lost its store, others wait",
        "copytrade/core/lease/candidacy.py",
        "            self._not_before = now + PATIENCE * self._length\n",
        "            self._not_before = now\n",
        "tests/core/lease",
    ),
    Mutant(
        "a lease whose answer came after its end is not taken",
        "copytrade/core/lease/candidacy.py",
        "        if now >= began + self._length:\n",
        "        if False:\n",
        "tests/core/lease",
    ),
    Mutant(
        "a node trades only once the bus has its state",
        "actors/lease_keeper/actor.py",
        "or not claim.state.is_headed or",
        "or",
        "tests/actors/test_lease_keeper.py",
    ),
]


def is_noticed(mutant: Mutant) -> bool:
    """Return whether the tests fail over a copy of the program that is broken in this way."""
    pytest = ["pytest", "-x", "-q", "-p", "no:cacheprovider", *mutant.tests.split()]
    return exit_code(mutant.file, mutant.before, mutant.after, *pytest) == 1


def main() -> int:
    """Try every mutant; return 0 if the tests noticed all of them."""
    survivors = 0
    for mutant in MUTANTS:
        noticed = is_noticed(mutant)
        survivors += not noticed
        print(f"{'noticed ' if noticed else 'SURVIVED'}  {mutant.guard}", flush=True)
    print(f"{len(MUTANTS) - survivors} of {len(MUTANTS)} broken guards were noticed")
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())
