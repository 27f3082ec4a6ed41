"""Ask whether anything in deploy/requirements.lock is known to be vulnerable; where nobody can say, say so and go on.

Run with the Python of an environment that has pip-audit. Exit code 1 if something is.
"""

import json
import re
import subprocess
import sys
import urllib.request
from pathlib import Path

LOCK = Path(__file__).parents[1] / "deploy" / "requirements.lock"


def main() -> int:
    """Probe what pip-audit will ask, for one package, and then have it ask for all."""
    pinned = re.search(r"^(peewee)==(\S+)", LOCK.read_text(), re.MULTILINE)
    if pinned is None:
        return skipped(f"{LOCK} has no peewee in it")
    probe = "https://pypi.org/pypi/{}/{}/json".format(*pinned.groups())
    try:
        with urllib.request.urlopen(probe, timeout=3) as answer:
            json.load(answer)["vulnerabilities"]
    except (OSError, ValueError, KeyError) as error:
        return skipped(f"{probe} cannot be had: {error}")
    command = [sys.executable, "-m", "pip_audit", "--disable-pip", "--require-hashes", "-r", str(LOCK), "-f", "json"]
    try:
        asked = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        packages = json.loads(asked.stdout)["dependencies"]
    except (subprocess.TimeoutExpired, ValueError, KeyError) as error:
        return skipped(f"pip-audit gave no answer: {type(error).__name__}")
    for package in packages:
        for found in package.get("vulns", ()):
            fixed = ", ".join(found["fix_versions"]) or "no version"
            print(f"{package['name']} {package['version']}: {found['id']}, fixed in {fixed}")
    unknown = [package["name"] for package in packages if "skip_reason" in package]
    if unknown:
        skipped(f"nothing is said of {len(unknown)} of {len(packages)} packages: {', '.join(unknown)}")
    return int(any(package.get("vulns") for package in packages))


def skipped(why: str) -> int:
    """Say loudly that it was not done, which is no failure."""
    print(f"NOT AUDITED: {why}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
