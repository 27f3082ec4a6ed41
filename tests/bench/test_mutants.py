"""Each guard that can be broken on purpose is still where it is to be broken."""

import pytest

from bench.histories.mutants import MUTANTS as FIELD_MUTANTS
from bench.histories.mutants import Mutant as FieldMutant
from bench.reliability.mutants import MUTANTS, Mutant
from bench.reliability.rig import ROOT


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.guard)
def test_there_is_one_place_to_break(mutant: Mutant) -> None:
    assert (ROOT / mutant.file).read_text().count(mutant.before) == 1


@pytest.mark.parametrize("mutant", FIELD_MUTANTS, ids=lambda mutant: mutant.kind)
def test_there_is_one_place_to_break_for_the_histories(mutant: FieldMutant) -> None:
    assert (ROOT / mutant.file).read_text().count(mutant.before) == 1
