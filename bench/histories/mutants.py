"""Break the copier on purpose, once for each kind of fault seen in the field: the histories have to find it.

python -m bench.histories.mutants
"""

import sys
from dataclasses import dataclass

from bench.reliability.broken_copy import exit_code


@dataclass(frozen=True)
class Mutant:
    """A kind of fault, the source text that causes it, and the column and the seeds in which it shows."""

    kind: str
    file: str
    before: str
    after: str
    column: str
    seeds: str


MUTANTS = [
    Mutant(
        "what is refused is asked for again at once",
        "copytrade/core/engine/copies/holds.py",
        "    return min(LAST, FIRST * 2.0 ** min(tries - 1, 10))\n",
        "    return 0.02\n",
        "hammered",
        "306,313",
    ),
    Mutant(
        "an entry of a fixed number of lots is sized by the leader's",
        "copytrade/core/ledger/sizing.py",
        "        return Size(policy.lots * lot_size if quantity else 0, f",
        "        return Size(policy.lots * quantity, f",
        "over share",
        "7",
    ),
    Mutant(
        "what an update did not tell is not looked for when the next one comes",
        "actors/order_feed/confirmation_reads.py",
        "        if not self._is_soon:\n",
        "        if False:\n",
        "other side",
        "5",
    ),
    Mutant(
        "an entry that was accepted and never shown is sent again",
        "copytrade/core/engine/copies/transitions.py",
        "    return replace(copy, stage=Stage.ENDED, reason=Reason.INVISIBLE, error=error)\n",
        "    return replace(not_sent(copy), accepted=None, refused=None, reason=None, error='')\n",
        "doubled",
        "157",
    ),
    Mutant(
        "a row of the order book that is older than an update is believed",
        "copytrade/core/model/order_book.py",
        "        if seen.is_terminal or seen.filled_quantity > known.quantity:\n",
        "        if True:\n",
        "set back",
        "6",
    ),
    Mutant(
        "what is told of another client's order is copied",
        "copytrade/brokers/dhan/decode.py",
        "    if whose and ours and whose != ours:\n",
        "    if False:\n",
        "other side",
        "71",
    ),
    Mutant(
        "a time that is spelt otherwise makes an order unreadable",
        "copytrade/brokers/dhan/json_values.py",
        "        try:\n            return self._fields.time(name)\n"
        "        except UnreadableError:\n            return None\n",
        '        if "/" in self._fields.text(name):\n            raise UnreadableError(name)\n'
        "        return self._fields.time(name)\n",
        "not flat",
        "268,29,49,148,252",
    ),
    Mutant(
        "one read of positions is believed",
        "copytrade/core/ledger/reads/position_reads.py",
        "            elif suspected := unexplained[key] or self._appeared(key, difference, unexplained):\n"
        "                self.suspected[key] = suspected\n"
        "                if confirmed is not None and confirmed[0] == difference:\n"
        "                    self._confirmed[key] = confirmed\n"
        "                elif self._is_steady(key, streak):\n",
        "            elif True:\n                if True:\n",
        "not flat",
        "152",
    ),
    Mutant(
        "an exit waits for as long as its account is read",
        "copytrade/core/engine/exits/awaited_reads.py",
        "        if self._are_read_since(self._told_since):\n            self._wanted.clear()\n"
        "            return None\n        wanted = ",
        "        until = self._wanted.setdefault(leader_order_id, now) + 5 * PATIENCE\n"
        "        if now < until:\n            return until\n        wanted = ",
        "not flat",
        "95",
    ),
    Mutant(
        "a position that the leader converts is not followed",
        "copytrade/core/ledger/arithmetic/conversions.py",
        "        units = min(abs(gone), abs(position), abs(more)) * sign(position)\n",
        "        continue\n",
        "not flat",
        "27",
    ),
    Mutant(
        "what a unit is worth is taken for its price",
        "copytrade/core/ledger/sizing.py",
        "(price * instrument.multiplier * lot_size))",
        "(price * lot_size))",
        "over share",
        "302,315",
    ),
    Mutant(
        "shares that were split are not counted again",
        "copytrade/core/ledger/corporate_actions.py",
        "    return factor if factor > 0 and max(factor.numerator, factor.denominator) <= LARGEST else None\n",
        "    return None\n",
        "not flat",
        "303,310",
    ),
    Mutant(
        "what the leader has from before is not counted",
        "copytrade/core/ledger/reads/leader_positions.py",
        "        return converted + self._correct(taken)\n",
        "        return converted\n",
        "other side",
        "302,305,315,324",
    ),
    Mutant(
        "an exit through a leg is left out as legs are",
        "copytrade/core/decide/decide.py",
        "    leaves_copied = allocated is not None and allocated.leaves_copied\n",
        "    leaves_copied = False\n",
        "not flat",
        "2",
    ),
    Mutant(
        "a sold leg does not wait for its hedges to fill",
        "copytrade/core/decide/legs/sending.py",
        "    return ByNow(units if rest else whole, rest)\n",
        "    return ByNow(whole)\n",
        "uncovered",
        "1009",
    ),
    Mutant(
        "what is copied of several leaders is one position",
        "copytrade/core/model/ledger.py",
        "    return LineKey(order.key, order.product, order.leader)\n",
        "    return LineKey(order.key, order.product)\n",
        "not flat",
        "1003",
    ),
]


def is_found(mutant: Mutant) -> bool:
    """Return whether a history goes wrong over a copy of the program that is broken in this way."""
    histories = ["bench.histories", "--seeds", mutant.seeds, "--until", mutant.column, "--patience", "40"]
    return exit_code(mutant.file, mutant.before, mutant.after, *histories) == 1


def main() -> int:
    """Try every mutant; return 0 if all were found."""
    survivors = 0
    for mutant in MUTANTS:
        found = is_found(mutant)
        survivors += not found
        print(
            f"{'found   ' if found else 'SURVIVED'}  {mutant.kind}: {mutant.column}, seeds {mutant.seeds}", flush=True
        )
    print(f"{len(MUTANTS) - survivors} of {len(MUTANTS)} faults were found")
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())
