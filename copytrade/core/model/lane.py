"""How urgent a request to the broker is."""

from enum import IntEnum


class Lane(IntEnum):
    """How urgent a request is; the lowest number is served first. SPARE is a permit held in advance."""

    CANCEL = 0
    EXIT = 1
    MODIFY = 2
    ENTRY = 3
    SPARE = 4

    @property
    def may_use_reserve(self) -> bool:
        """Whether it may use what is kept back so that a follower can always get out."""
        return self < Lane.ENTRY
