"""Each guard that can be broken on purpose is still where it is to be broken."""

import pytest

from bench.mutants import MUTANTS, Mutant
from bench.rig import ROOT


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.guard)
def test_there_is_one_place_to_break(mutant: Mutant) -> None:
    assert (ROOT / mutant.file).read_text().count(mutant.before) == 1
