"""Some random histories over all that may go wrong, judged by the oracle; ``python -m bench.histories`` runs many."""

from pathlib import Path

import pytest

from bench.histories.generator.generate import history_of
from bench.histories.runner.run import run

SEEDS = [97, 241]


@pytest.mark.parametrize("seed", SEEDS)
def test_nothing_is_wrong_in_the_end_whatever_goes_wrong_before(tmp_path: Path, seed: int) -> None:
    outcome = run(history_of(seed), tmp_path)
    assert outcome.is_right, f"{outcome}\n{outcome.history}"
