"""Sandbox mode: each kind of request is tried once."""

from copytrade.app.clients import rest_of
from copytrade.app.commands.exit_codes import EXIT_REFUSED
from copytrade.app.commands.sandbox.rehearsal import rehearse
from copytrade.settings import Settings


def try_sandbox(settings: Settings) -> int:
    """Send each kind of request to the sandbox, print the answers; return the exit code."""
    refused = 0
    for follower in (follower for follower in settings.followers if follower.enabled):
        rest = rest_of(follower, settings.dhan)
        for answer in rehearse(follower.name, rest):
            print(answer, flush=True)
            refused += answer.is_placement and not answer.is_accepted
        rest.close()
    print("The sandbox tells of no orders and fills none: nothing is copied. Try copying in paper mode.")
    return EXIT_REFUSED if refused else 0
