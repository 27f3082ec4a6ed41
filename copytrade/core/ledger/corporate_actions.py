"""Splits and bonuses: shares become a small multiple of themselves over night, everywhere by the same factor."""

from fractions import Fraction

from msgspec.structs import replace

from copytrade.core.model.ledger import Line, LineKey

#: A split or a bonus makes of so many shares at most so many others.
LARGEST = 20


def factor_of(key: LineKey, before: int, difference: int) -> Fraction | None:
    """Return by what a position may have been multiplied that differs, None where no split or bonus does that.

    Only shares are split; the units of a contract are adjusted by the exchange in another way.
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
