"""Whose word counts on what an account has copied, when a node takes its lease."""

from enum import Enum, auto


class Word(Enum):
    """Whose record of an account is current."""

    OWN = auto()  #: this node's database: nobody has traded the account since
    BUS = auto()  #: what the last holder has written to the bus
    NOBODY = auto()  #: the last holder's word is not to be had


def whose_word(traded: int, known: int, written: int, *, store_is_new: bool = False) -> Word:
    """Return whose record is current, by three epochs; each is 0 where there is none.

    ``traded`` is the last by which this node traded the account, ``known`` the greatest that is known of its lease,
    and ``written`` that of the state on the bus. A holder trades only once the bus has his whole state, so one without
    has done nothing. ``store_is_new``: the bus has forgotten who had it before, which may have been another node.
    """
    if store_is_new and traded and not written:
        return Word.NOBODY
    if written > traded:
        return Word.BUS
    return Word.OWN if traded == max(known, traded) or (traded and traded == written) else Word.NOBODY
