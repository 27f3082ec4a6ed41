"""Alerts without a notifier: why nothing was started, or why the process ends. They are delivered before it exits."""

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from pydantic import SecretStr

from copytrade.app.alert_delivery import deliver_alert, name_of
from copytrade.common.logs import scrubbed
from copytrade.settings import Settings
from copytrade.settings.loading import load_alert_urls


def tell_of_no_start(settings: Settings, reasons: Iterable[str]) -> None:
    """Tell that nothing was started with these settings, and why; nobody in paper mode."""
    if settings.mode != "paper":
        _deliver(settings.alerts.urls, "not_started", settings.leader.name, ("Nothing was started.", *reasons))


def tell_of_the_end(settings: Settings, why: str) -> None:
    """Tell that the process ends of a fault of its own; nobody in paper mode."""
    if settings.mode != "paper":
        _deliver(settings.alerts.urls, "core", settings.leader.name, (scrubbed(why),))


def tell_of_settings(path: Path, faults: Iterable[str]) -> None:
    """Tell that nothing was started because of these faults, if the file still says whom to tell."""
    _deliver(load_alert_urls(path), "settings", "", ("Nothing was started.", f"{path} cannot be used:", *faults))


def _deliver(urls: Sequence[SecretStr], kind: str, who: str, reasons: Iterable[str]) -> None:
    if not urls:
        return
    text = "\n".join(reasons)
    for url, problem in zip(urls, deliver_alert(urls, kind, who, text, "CRITICAL"), strict=True):
        if problem:
            sys.stderr.write(f"Alert not delivered to {name_of(url)}: {problem}\n")
