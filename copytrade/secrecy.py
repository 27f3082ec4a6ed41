"""Whether files that hold secrets are for their owner's eyes."""

import stat
from collections.abc import Iterable
from pathlib import Path


def exposed(files: Iterable[Path], secrets: Iterable[str]) -> list[str]:
    """Return a warning for each of the files that has one of the secrets in it and that anybody may read.

    A group may: it is how a service's user reads what root has written.
    """
    known = [secret.encode() for secret in secrets]
    return [
        f"Anybody on this machine may read {file}, which has secrets in it: chmod o= {file}"
        for file in files
        if file.is_file()
        and stat.S_IMODE(file.stat().st_mode) & stat.S_IRWXO
        and any(secret in file.read_bytes() for secret in known)
    ]
