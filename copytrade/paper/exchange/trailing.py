"""A stop that follows the price in steps."""

from dataclasses import dataclass
from decimal import Decimal

from copytrade.paper.exchange.orders import PaperOrder


@dataclass(slots=True)
class Trail:
    """How a stop follows: by ``jump`` each time that the price has moved by so much for the better since ``anchor``."""

    jump: Decimal
    anchor: Decimal

    def moved(self, stop: PaperOrder, price: Decimal) -> Decimal | None:
        """Return the stop's new trigger price at a price of the market, None if it stays."""
        if not self.jump:
            return None
        steps = (price - self.anchor) * -stop.sign // self.jump
        if steps < 1:
            return None
        step = steps * self.jump * -stop.sign
        self.anchor += step
        return stop.trigger_price + step
