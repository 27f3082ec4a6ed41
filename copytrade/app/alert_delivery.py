"""Delivery of alerts to the addresses of the settings, through apprise."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from pydantic import SecretStr

from copytrade.reports.log_lines.alert_advice import ADVICE, SEE_THE_GUIDE

if TYPE_CHECKING:
    from apprise import NotifyType


def deliver_alert(urls: Sequence[SecretStr], kind: str, who: str, text: str, level: str) -> list[str]:
    """Send an alert with what to do about it, ``level`` as in the log; return as ``deliver`` does.

    News (``INFO``) asks for nothing.
    """
    advice = "" if level == "INFO" else f"\nWhat to do: {ADVICE.get(kind, SEE_THE_GUIDE)}"
    return deliver(urls, f"{kind} {who}".strip(), f"{text}{advice}", level)


def deliver(urls: Sequence[SecretStr], title: str, text: str, level: str) -> list[str]:
    """Send to every address at the same time; return for each what went wrong, "" if it took the message."""
    from apprise import NotifyType  # noqa: PLC0415 (it takes 0.2 s to import)

    kind = {"INFO": NotifyType.INFO, "WARNING": NotifyType.WARNING}.get(level, NotifyType.FAILURE)
    with ThreadPoolExecutor(max_workers=max(1, len(urls))) as threads:
        return list(threads.map(lambda url: _send(url, f"copytrade: {title}", text, kind), urls))


def name_of(url: SecretStr) -> str:
    """Return the service of an address; all else of it may be secret."""
    return url.get_secret_value().partition("://")[0]


def _send(url: SecretStr, title: str, text: str, kind: "NotifyType") -> str:
    from apprise import Apprise  # noqa: PLC0415

    try:
        service = Apprise.instantiate(url.get_secret_value())
        took = service is not None and service.notify(title=title, body=text, notify_type=kind)
    except Exception as error:  # a service's plugin may raise anything
        return type(error).__name__
    return "" if took else "it cannot be reached, or did not take it"
