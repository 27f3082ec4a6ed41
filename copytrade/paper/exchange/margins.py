"""The margin of what is sold: less where something of the same underlying is held bought."""

from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class Margins:
    """The rupees a sold unit needs: ``sold`` alone, ``hedged`` beside a bought unit of the same underlying."""

    sold: Decimal
    hedged: Decimal

    def of(self, short: int, long: int) -> Decimal:
        """Return what so many sold units need beside so many bought ones."""
        hedged = min(short, long)
        return hedged * self.hedged + (short - hedged) * self.sold
