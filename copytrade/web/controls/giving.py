"""Carrying out what an operator asks for: by the database, as the command line does."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import msgspec

from copytrade.app.commands.pause import pause_answer, paused, pauses_to_end, resume_answer, resume_records
from copytrade.app.paper_mode import PAPER_HAS_ENDED
from copytrade.common import wall_clock
from copytrade.core.ledger.drift.proposals import proposals
from copytrade.core.model.commands import FLATTEN, RELOAD, RETRY, TRY_AGAIN
from copytrade.reports.flatten_preview import copies_held
from copytrade.reports.status import NOT_RUNNING
from copytrade.settings import Settings
from copytrade.storage.audit_chain import BOARD
from copytrade.storage.database import DATABASE_ERRORS, Database
from copytrade.storage.files.lock_file import is_lock_held
from copytrade.storage.records import ConfigSet, RequestMade
from copytrade.web.controls.answers import Outcome, given_at, outcome
from copytrade.web.controls.command_request import PAUSE, RESUME, CommandRefused, CommandRequest, check_request
from copytrade.web.live.view import View

#: What is added to an answer that counts later.
_LATER = "no copier is running: this counts from its next start"


#: Ids of commands that are kept in memory.
MOST_KEPT = 1000


@dataclass(frozen=True, slots=True)
class _Plan:
    """What is to be stored: commands (name and follower), records, and the answer where it is known at once."""

    commands: Sequence[tuple[str, str]]
    records: Sequence[ConfigSet] = ()
    answer: str | None = None
    is_done: bool = True


class Controls:
    """Stores commands, each with a row of the audit trail; one at a time."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._one_at_a_time = threading.Lock()
        #: When commands were given, by id: looking for it in the audit trail takes long.
        self._given_at: dict[str, float] = {}

    def give(self, asked: CommandRequest, by: str, address: str, view: View) -> str:
        """Have it done, and return the id under which its answer is found. A repeated id does nothing again.

        Raises CommandRefused.
        """
        name = str(asked.id)
        try:
            with self._one_at_a_time, self._opened() as database:
                if self._known_at(name) is not None:
                    return name
                check_request(asked, self._known(view))
                plan = self._plan(database, asked, by, view)
                now = wall_clock.now()
                said = {**msgspec.to_builtins(asked), "by": by, "from": address}
                audit = RequestMade(
                    account=BOARD,
                    action=asked.command,
                    request=f"POST /api/commands {msgspec.json.encode(said).decode()}",
                    response=msgspec.json.encode({"id": name}).decode(),
                    status_code=202,
                    duration_ms=0.0,
                    at=now,
                )
                database.give_commands(
                    plan.commands, now, [*plan.records, audit], answer=plan.answer, is_done=plan.is_done
                )
                self._keep(name, now.timestamp())
        except DATABASE_ERRORS as error:
            raise CommandRefused(503, f"the database cannot be written now, nothing was done: {error}") from None
        return name

    def outcome(self, name: str) -> Outcome | None:
        """Return what became of the command of this id, None if there is none. Raises DatabaseUnusable."""
        at = self._known_at(name)
        return None if at is None else outcome(self._settings.store.database, name, at)

    def _known_at(self, name: str) -> float | None:
        if name not in self._given_at and (at := given_at(self._settings.store.database, name)) is not None:
            self._keep(name, at)
        return self._given_at.get(name)

    def _keep(self, name: str, at: float) -> None:
        while len(self._given_at) >= MOST_KEPT:
            del self._given_at[next(iter(self._given_at))]
        self._given_at[name] = at

    @contextmanager
    def _opened(self) -> Iterator[Database]:
        settings = self._settings
        database = Database(settings.store.database, synchronous=settings.store.synchronous, exists=True)
        try:
            database.recognise(settings.mode, ",".join(settings.leader_ids.values()))
            yield database
        finally:
            database.close()

    def _known(self, view: View) -> list[str]:
        running = [one.name for one in view.status.followers] if view.status else []
        return [*running, *(one.name for one in self._settings.followers if one.name not in running)]

    def _plan(self, database: Database, asked: CommandRequest, by: str, view: View) -> _Plan:
        whom, runs = asked.whom, is_lock_held(self._settings.store.database)
        later = "" if runs else f"\n{_LATER}"
        if runs and asked.command in ("pause", "resume") and whom and view.status is not None:
            states = {one.name: one.state for one in view.status.followers}
            if states.get(whom, NOT_RUNNING) == NOT_RUNNING:
                why_not = f"{whom}: does not run in the copier, so nothing was done"
                return _Plan([(asked.command, whom)], answer=why_not, is_done=False)
        match asked.command:
            case "pause":
                return _Plan([(PAUSE, whom)], paused(whom, by), pause_answer(whom) + later)
            case "resume":
                ended, still = pauses_to_end(database, whom)
                answer = "\n".join(filter(None, (resume_answer(whom, ended), still)))
                return _Plan([(RESUME, whom)], resume_records(ended), answer + later, is_done=not still)
        if not runs or view.status is None:
            is_paper = self._settings.mode == "paper" and not runs
            raise CommandRefused(409, PAPER_HAS_ENDED if is_paper else view.why or "no copier is running")
        match asked.command:
            case "flatten":
                running = [one.name for one in view.status.followers if one.state != NOT_RUNNING]
                idle = [name for name in copies_held(self._settings.store.database) if name not in running]
                return _Plan([(FLATTEN, one) for one in ([whom] if whom else [*running, *idle])])
            case "retry":
                states = {actor.name: actor.state for actor in view.status.actors}
                if "quarantined" not in (states.get(whom), states.get(f"feed-{whom}")):
                    return _Plan([(RETRY, whom)], answer=f"{whom}: is not quarantined", is_done=False)
                return _Plan([(RETRY, whom)])
            case "try_again":
                return self._try_again(asked, view)
            case _:
                return _Plan([(RELOAD, "")])

    def _try_again(self, asked: CommandRequest, view: View) -> _Plan:
        drifts = view.day.drifts.get(asked.whom, ()) if view.day else ()
        found = [one for drift in drifts for one in proposals(drift)]
        wanted = [one for one in found if asked.order in (None, "", one.leader_order_id)]
        if not wanted:
            return _Plan([(TRY_AGAIN, asked.whom)], answer="there is nothing to take up again", is_done=True)
        return _Plan([(f"{TRY_AGAIN} {one.leader_order_id} {one.units}", asked.whom) for one in wanted])
