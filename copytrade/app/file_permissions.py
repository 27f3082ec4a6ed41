"""Permissions of files that hold secrets, and removal of secrets from printed text."""

import stat
from collections.abc import Iterable
from pathlib import Path

from copytrade.common.logs import scrubbed
from copytrade.common.redaction import hide
from copytrade.settings import Settings, secrets_of


def exposed(files: Iterable[Path], secrets: Iterable[str]) -> list[str]:
    """Return a warning for each of the files that holds one of the secrets and that everybody may read.

    A group may read it: so a service's user reads what root has written.
    """
    known = [secret.encode() for secret in secrets]
    return [
        f"Anybody on this machine may read {file}, which has secrets in it: chmod o= {file}"
        for file in files
        if file.is_file()
        and stat.S_IMODE(file.stat().st_mode) & stat.S_IRWXO
        and any(secret in file.read_bytes() for secret in known)
    ]


def exposed_by(settings: Settings, path: Path) -> list[str]:
    """Return a warning for each file with secrets of live settings that everybody may read."""
    if settings.mode != "live":
        return []
    return exposed([path, path.parent / ".env"], [secret.get_secret_value() for secret in secrets_of(settings)])


def without_secrets_of(settings: Settings, line: str) -> str:
    """Remove the settings' secrets from a text, which the broker may have repeated."""
    for secret in secrets_of(settings):
        hide(secret)
    return scrubbed(line)
