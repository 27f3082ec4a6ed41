"""Whole lots, and the sign of a position."""

from fractions import Fraction


def whole_lots(quantity: Fraction | int, lot_size: int, share: int = 1, of: int = 1) -> int:
    """Return ``share / of`` of a quantity, rounded down to whole lots, never below zero."""
    return max(0, quantity.numerator * share // (quantity.denominator * of * lot_size)) * lot_size


def sign(position: int) -> int:
    """Return 1 for a long position, -1 for a short one, 0 for none."""
    return (position > 0) - (position < 0)
