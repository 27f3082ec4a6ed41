"""``run.py alert-test``: sends an alert, and says of each address whether it took it."""

import sys

from copytrade.app.alert_delivery import deliver, name_of
from copytrade.app.commands.exit_codes import EXIT_UNUSABLE
from copytrade.settings import Settings

_TEXT = "This is a test. An alert names the account, the order and what to do.\nWhat to do: nothing."


def alert_test(settings: Settings) -> int:
    """Send a test alert, in paper mode too; return the exit code: 0 only if there is an address and all took it."""
    urls = settings.alerts.urls
    if not urls:
        print("[alerts] urls names nobody: no alert will reach anyone", file=sys.stderr)
        return EXIT_UNUSABLE
    problems = deliver(urls, f"test {settings.leader.name}", _TEXT, "INFO")
    for number, (url, problem) in enumerate(zip(urls, problems, strict=True), 1):
        print(f"{number} {name_of(url)}: {f'not delivered: {problem}' if problem else 'delivered'}")
    return EXIT_UNUSABLE if any(problems) else 0
