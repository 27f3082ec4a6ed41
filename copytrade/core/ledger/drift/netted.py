"""What of an account's position belongs to each line, where the broker nets the lines of several leaders."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping

from copytrade.core.ledger.arithmetic.lots import sign
from copytrade.core.model.ledger import Allocation, Line, LineKey


def by_line(net: Mapping[LineKey, int], lines: Iterable[Line], allocations: Iterable[Allocation]) -> Counter[LineKey]:
    """Return an account's position by line; converted units count for the line that they were copied in.

    With several leaders a line has what is held by copying him, less what other hands have closed: they take from the
    lines of a side that were opened first. The rest of what other hands have is the account's own.
    """
    lines, found = list(lines), Counter(net)
    for line in lines:
        for product, units in line.elsewhere:
            found[line.key.account] += units
            found[LineKey(line.key.key, product)] -= units
    named: defaultdict[LineKey, list[Line]] = defaultdict(list)
    for line in sorted(lines, key=lambda one: one.opened):
        if line.key.leader:
            named[line.key.account].append(line)
    doubled = Counter[LineKey]()
    for allocation in allocations:
        doubled[allocation.line] += allocation.doubled * allocation.side.sign
    for account, netted in named.items():
        beside = found[account] - sum(line.held + doubled[line.key] for line in netted)
        for line in netted:
            taken = min(abs(beside), abs(line.held)) if beside * line.held < 0 else 0
            found[line.key] = line.held + doubled[line.key] + taken * sign(beside)
            beside -= taken * sign(beside)
        found[account] = beside
    return found
