"""Who has no [nodes] url copies as one process, and does not need the bus's client."""

import subprocess
import sys
from pathlib import Path

from tests.support.node import ROOT

_IMPORTED = """
import sys
import actors.system.command_line
import copytrade.web.command
assert not [name for name in sys.modules if name.partition(".")[0] == "nats"], "nats is imported"
"""


def test_one_process_does_not_import_the_client() -> None:
    subprocess.run([sys.executable, "-c", _IMPORTED], cwd=ROOT, check=True)


def test_a_lead_without_a_bus_is_told_what_to_set(tmp_path: Path) -> None:
    settings = tmp_path / "settings.toml"
    for mode, text in (("live", "[nodes] url is not set"), ("paper", "a lead and nodes need mode")):
        settings.write_text(
            f'mode = "{mode}"\nleader = {{ client_id = "1000000001", access_token = "a.b.c" }}\n'
            '[[followers]]\nname = "alice"\nclient_id = "1000000101"\naccess_token = "d.e.f"\nrelationship = "self"\n'
        )
        command = [sys.executable, str(ROOT / "run.py"), "lead"]
        ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert (ended.returncode, text in ended.stderr) == (2, True), ended.stderr
