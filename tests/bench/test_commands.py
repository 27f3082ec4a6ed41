"""Every command of bench that a document names is there."""

import re
from importlib.util import find_spec

import pytest

from bench.reliability.rig import ROOT

NAMED = sorted(
    {
        name.rstrip(".")
        for path in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]
        for name in re.findall(r"python -m (bench[\w.]*)", path.read_text())
    }
)


@pytest.mark.parametrize("name", NAMED)
def test_a_command_that_a_document_names_can_be_run(name: str) -> None:
    spec = find_spec(name)
    assert spec is not None
    assert spec.submodule_search_locations is None or find_spec(f"{name}.__main__") is not None
