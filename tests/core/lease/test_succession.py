import pytest

from copytrade.core.lease.succession import Word, whose_word


def test_where_the_bus_has_forgotten_everything_another_node_may_have_traded() -> None:
    assert whose_word(7, 7, 0, store_is_new=True) is Word.NOBODY
    assert whose_word(0, 0, 0, store_is_new=True) is Word.OWN
    assert whose_word(7, 7, 7, store_is_new=True) is Word.OWN


@pytest.mark.parametrize(
    ("traded", "known", "written", "word"),
    [
        (0, 0, 0, Word.OWN),  # nobody ever had it
        (7, 7, 7, Word.OWN),  # a restart
        (7, 7, 0, Word.OWN),  # a restart, and the bus has lost its store
        (7, 0, 0, Word.OWN),
        (9, 9, 7, Word.OWN),  # ended before its state was whole, and is back
        (7, 9, 9, Word.BUS),  # another node has had it since
        (0, 9, 9, Word.BUS),
        (0, 0, 9, Word.BUS),  # its lease is forgotten
        (7, 9, 7, Word.OWN),  # another has had it, and has not begun
        (0, 9, 7, Word.BUS),
        (7, 9, 0, Word.NOBODY),  # another has had it, and what he has written is lost
        (0, 9, 0, Word.NOBODY),
        (7, 9, 5, Word.NOBODY),
    ],
)
def test_whose_word_counts(traded: int, known: int, written: int, word: Word) -> None:
    assert whose_word(traded, known, written) is word
