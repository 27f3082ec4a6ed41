"""Counts in sentences."""


def counted(number: int, noun: str, plural: str = "") -> str:
    """Return a number with its noun: ``1 order``, ``2 orders``."""
    return f"{number} {noun if number == 1 else plural or f'{noun}s'}"
