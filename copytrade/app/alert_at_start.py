"""Alerts before there is a notifier: why nothing was started. They are delivered before the process exits."""

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from pydantic import SecretStr

from copytrade.app.alert_delivery import deliver_alert, name_of
from copytrade.settings import Settings
from copytrade.settings.loading import load_alert_urls


def tell_of_no_start(settings: Settings, reasons: Iterable[str]) -> None:
    """Tell that nothing was started with these settings, and why; nobody in paper mode."""
    if settings.mode != "paper":
        _deliver(settings.alerts.urls, "not_started", settings.leader.name, reasons)


def tell_of_settings(path: Path, faults: Iterable[str]) -> None:
    """Tell that nothing was started because of these faults, if the file still says whom to tell."""
    _deliver(load_alert_urls(path), "settings", "", (f"{path} cannot be used:", *faults))


def _deliver(urls: Sequence[SecretStr], kind: str, who: str, reasons: Iterable[str]) -> None:
    if not urls:
        return
    text = "\n".join(("Nothing was started.", *reasons))
    for url, problem in zip(urls, deliver_alert(urls, kind, who, text, "CRITICAL"), strict=True):
        if problem:
            sys.stderr.write(f"Alert not delivered to {name_of(url)}: {problem}\n")
