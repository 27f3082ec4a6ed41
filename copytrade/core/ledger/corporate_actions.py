"""Splits and bonuses: overnight, holdings of a share are multiplied by one small factor in every account."""

from fractions import Fraction

from msgspec.structs import replace

from copytrade.core.model.ledger import Line, LineKey

#: Numerator and denominator of a factor are at most this.
LARGEST = 20


def factor_of(key: LineKey, before: int, difference: int) -> Fraction | None:
    """Return the factor of a split or bonus that explains a difference of a position, None if none does.

    Only shares are split; contracts are adjusted in another way.
    """
    if not (before and difference and key.key.segment.is_cash):
        return None
    factor = Fraction(before + difference, before)
    return factor if factor > 0 and max(factor.numerator, factor.denominator) <= LARGEST else None


def scaled(line: Line, factor: Fraction) -> Line:
    """Return the line after a split or a bonus: every share has become ``factor`` shares."""
    exact = line.level * factor
    return replace(
        line,
        leader_position=int(line.leader_position * factor),
        held=int(line.held * factor),
        level=int(exact),
        residue=line.residue * factor + (exact - int(exact)),
        elsewhere=tuple((product, int(units * factor)) for product, units in line.elsewhere),
    )
