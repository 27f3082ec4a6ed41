"""A copy of the program in which one piece of its source is replaced, and what a command says of it."""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from bench.reliability.rig import ROOT

#: What a copy of the program's folder leaves out.
_LEFT_OUT = shutil.ignore_patterns(".venv", ".git", "*.db*", "*.log", ".mypy_cache", ".ruff_cache", "__pycache__")


def exit_code(file: str, before: str, after: str, *arguments: str) -> int:
    """Return the exit code of ``python -m`` with ``arguments``, run in a copy with ``after`` instead of ``before``.

    Raises SystemExit unless ``file`` has ``before`` exactly once.
    """
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder) / "tree"
        shutil.copytree(ROOT, tree, ignore=_LEFT_OUT)
        path = tree / file
        text = path.read_text()
        if text.count(before) != 1:
            raise SystemExit(f"{file} has {text.count(before)} places with: {before}")
        path.write_text(text.replace(before, after))
        command = [sys.executable, "-m", *arguments]
        # The tree comes first on the path, before the installed program.
        done = subprocess.run(command, cwd=tree, capture_output=True, check=False, env={"PYTHONPATH": str(tree)})
        return done.returncode
