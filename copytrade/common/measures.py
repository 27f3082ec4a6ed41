"""Numbers with a unit: a log line shows their text, JSON has the number under a name that ends in the unit."""

from collections.abc import Mapping
from decimal import Decimal
from typing import NamedTuple


class Measure(NamedTuple):
    """A number, its unit, and how a log line shows it."""

    number: float
    unit: str
    text: str

    def named(self, name: str) -> str:
        """Return the name under which JSON has the number: ``latency_ms`` for a latency in milliseconds."""
        return name if name == self.unit else f"{name}_{self.unit}"


class PartOf(NamedTuple):
    """How many of a total, ``3/5`` in a log line."""

    number: int
    total: int


#: What a figure or a field of a log line can be; empty text and None are left out.
Figure = int | float | str | Decimal | Measure | PartOf | None

#: The kinds of figures that JSON has as numbers.
NUMBERS = int, float, Decimal, Measure, PartOf


def milliseconds(value: float | None) -> Measure | None:
    """Return milliseconds, with one decimal place in a log line."""
    return None if value is None else Measure(round(value, 3), "ms", f"{value:.1f}ms")


def seconds(value: float, places: int = 0) -> Measure:
    """Return seconds, with ``places`` decimal places in a log line."""
    return Measure(round(value, 3), "s", f"{value:.{places}f}s")


def rupees(value: Decimal | None) -> Measure | None:
    """Return rupees; a log line shows paise and no unit."""
    return None if value is None else Measure(float(value), "rupees", f"{value:z.2f}")


def bps(value: Decimal | None) -> Measure | None:
    """Return basis points, with one decimal place and no unit in a log line."""
    return None if value is None else Measure(round(float(value), 3), "bps", f"{value:z.1f}")


def text_of(value: object) -> str:
    """Return how a log line shows a value."""
    match value:
        case str():
            return str(value)
        case Measure():
            return value.text
        case PartOf():
            return f"{value.number}/{value.total}"
        case Decimal():
            return f"{value:f}"
        case _:
            return str(value)


def as_json(figures: Mapping[str, Figure]) -> dict[str, int | float | str]:
    """Return figures as JSON has them: numbers as numbers, their unit in the name. Empty ones are left out."""
    found: dict[str, int | float | str] = {}
    for name, value in figures.items():
        match value:
            case None | "":
                pass
            case Measure():
                found[value.named(name)] = value.number
            case PartOf():
                found |= {name: value.number, f"{name}_total": value.total}
            case Decimal():
                found[name] = float(value)
            case _:
                found[name] = value
    return found
