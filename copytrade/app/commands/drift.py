"""``run.py drift``: how each account differs from the leader's, and why; with ``--fix`` the orders are tried again."""

import sys
from collections.abc import Sequence

from copytrade.app.changes.who_runs import Known
from copytrade.app.checks import with_token
from copytrade.app.clients import rest_of
from copytrade.app.commands.confirm import answers_of_copier, is_confirmed
from copytrade.app.commands.exit_codes import EXIT_REFUSED, EXIT_UNEXPLAINED, EXIT_UNUSABLE
from copytrade.app.file_permissions import without_secrets_of
from copytrade.app.paper_mode import PAPER_HAS_ENDED, with_last_paper_url
from copytrade.app.paths import open_for_command
from copytrade.app.policies import needs_holdings
from copytrade.brokers.dhan.positions import read_net
from copytrade.common import wall_clock
from copytrade.common.redaction import readable, readable_lines
from copytrade.core.ledger.drift.proposals import Proposal
from copytrade.core.model.commands import TRY_AGAIN
from copytrade.reports.drift.report import DriftReport, PositionsUnread, drift_report
from copytrade.reports.queries import holds_shares
from copytrade.settings import Dhan, Follower, Settings
from copytrade.storage.database import DATABASE_ERRORS
from copytrade.storage.files.lock_file import is_running


def drift(settings: Settings, followers: Sequence[Follower], *, fixes: bool, confirmed: bool) -> int:
    """Print the drift of each of these followers; return the exit code. A copier may be running.

    With ``fixes`` the proposed orders are tried again, once the operator agrees, or at once with ``confirmed``.
    """
    code, proposals = 0, []
    if settings.mode == "paper" and not is_running(settings.store.database):
        print(PAPER_HAS_ENDED, file=sys.stderr)
        return EXIT_UNUSABLE
    try:
        dhan = with_last_paper_url(settings)
        for follower in followers:
            found = _drift_of(follower, dhan, settings)
            if found is None:
                code = EXIT_UNUSABLE
                continue
            print(readable_lines(found.text))
            code = code or (0 if found.is_explained else EXIT_UNEXPLAINED)
            proposals += [(follower.name, proposal) for proposal in found.proposals]
        return max(code, _fix(settings, proposals, confirmed=confirmed)) if fixes else code
    except DATABASE_ERRORS as error:
        print(error, file=sys.stderr)
        return EXIT_UNUSABLE


def say_who_is_not_read(known: Known, names: Sequence[str]) -> int:
    """Print which of these followers are not in the settings, or do not run; return the exit code."""
    code = 0
    for name in names:
        if name in known.absent:
            print(f"{name}: is not in the settings, so his account cannot be read; by the database he holds", end=" ")
            print(known.absent[name])
            code = EXIT_UNUSABLE
        elif known.is_idle(name):
            print(f"{name}: does not run in the copier, nothing is copied to him")
            code = code or EXIT_UNEXPLAINED
    return code


def _drift_of(follower: Follower, dhan: Dhan, settings: Settings) -> DriftReport | None:
    """Return one follower's drift report, None if its account cannot be read."""
    if follower.dry_run:
        return DriftReport(f"{follower.name}: dry_run is set, so the account holds nothing by copying", True, ())
    rest, database = rest_of(with_token(follower, settings), dhan), settings.store.database
    holdings = needs_holdings(follower) or holds_shares(database)
    try:
        return drift_report(database, follower.name, lambda: read_net(rest, holdings=holdings))
    except PositionsUnread as error:
        print(without_secrets_of(settings, f"{follower.name}: the positions cannot be read: {error}"), file=sys.stderr)
        return None
    finally:
        rest.close()


def _fix(settings: Settings, proposals: Sequence[tuple[str, Proposal]], *, confirmed: bool) -> int:
    """Have the running copier try again what was skipped, refused or ended unfilled, if the operator agrees."""
    if not proposals:
        print("there is nothing to take up again")
        return 0
    print("to take up again:")
    for name, one in proposals:
        what = f"an exit of {one.units}" if one.is_exit else f"an entry of {one.units} at most"
        print(f"  {name}: {what} for leader order {one.leader_order_id}, which was {one.why}")
    if not is_running(settings.store.database):
        print("no copier is running to do it", file=sys.stderr)
        return EXIT_REFUSED
    if not confirmed and not is_confirmed("Have the copier decide these orders afresh, at the prices of now?"):
        print("nothing was done")
        return EXIT_REFUSED
    database = open_for_command(settings)
    numbers = [
        database.give_command(f"{TRY_AGAIN} {one.leader_order_id} {one.units}", name, wall_clock.now())
        for name, one in proposals
    ]
    answers = answers_of_copier(database, numbers)
    database.close()
    for answer in answers:
        print(f"{answer.follower}: {readable(answer.text)}")
    return 0 if len(answers) == len(numbers) and all(answer.is_done for answer in answers) else EXIT_REFUSED
