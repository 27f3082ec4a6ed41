"""What an operator has switched or wants, read from the database and told to followers."""

from collections.abc import Callable, Collection

from actors.messages.leases import LeaseNews
from actors.messages.store import CommandGiven, CopiesLoaded, EntriesSwitched
from actors.runtime.address import Recipient
from actors.store.group_commit import GroupCommit
from copytrade.common import wall_clock
from copytrade.core.model.commands import RETRY, Command, follower_of_key
from copytrade.storage.database import DATABASE_ERRORS, Database
from copytrade.storage.records import CommandAnswered, ConfigSet

#: Seconds after which a command that no follower was there to take is not carried out any more.
COMMAND_LIFE = 60.0

#: The answer for a follower that the copier does not have.
DOES_NOT_RUN = "does not run in this copier, so nothing can be done for him"

Follower = Recipient[CopiesLoaded | EntriesSwitched | CommandGiven]

#: Takes the commands that are for no follower but for the whole copier, and news of leases.
Session = Recipient[CommandGiven | LeaseNews]


def switches_of(follower: str, database: Database) -> list[ConfigSet]:
    """Return what goes with a follower to another node: since when he copies, his pauses and his loss breach."""
    config = database.configured("")
    return [ConfigSet(key, value) for key, value in config.items() if follower_of_key(key) == follower]


class OperatorCommands:
    """A part of the store, in its thread."""

    def __init__(
        self,
        database: Database,
        group_commit: GroupCommit,
        retry: Callable[[str], object],
        session: Session | None = None,
        running: Collection[str] | None = None,
    ) -> None:
        """``retry`` gives a quarantined follower another chance."""
        self._database = database
        self._retry = retry
        self._group_commit = group_commit
        self._session = session
        self._running = running
        self._followers: dict[str, Follower] = {}
        self._pauses: dict[str, str] = {}
        #: Commands that have been told, each to the incarnation that its follower has now.
        self._told: dict[int, str] = {}

    def follow(self, name: str, follower: Follower) -> None:
        """Tell a follower from now on what is switched and wanted, and whether it is enabled."""
        self._followers[name] = follower
        self._pauses.pop(name, None)

    def follow_anew(self, name: str, follower: Follower, pause: str) -> None:
        """Tell a new incarnation of a follower, which knows its ``pause``; commands are told to it again."""
        self._followers[name] = follower
        self._told = {number: told for number, told in self._told.items() if told != name}
        self._pauses[name] = pause

    def look(self) -> None:
        """Tell followers what has been switched or wanted since the last look, if the database is still there."""
        try:
            self._database.see_that_it_is_there()
        except DATABASE_ERRORS as error:
            self._group_commit.fails(error)
            return
        try:
            now = self._database.pauses(self._followers)
            commands = self._database.commands()
        except DATABASE_ERRORS:
            return  # the next commit says what is wrong
        for name, pause in now.items():
            if pause != self._pauses.get(name):
                self._followers[name].tell(EntriesSwitched(pause))
                self._group_commit.publish(*switches_of(name, self._database))
        self._pauses = now
        for command in commands:
            self._tell(command)

    def _tell(self, command: Command) -> None:
        """Tell a follower a command, each incarnation once; an old command is answered instead."""
        recipient = self._followers.get(command.follower) if command.follower else self._session
        if command.number in self._told:
            return
        is_stranger = bool(command.follower) and self._running is not None and command.follower not in self._running
        if is_stranger or wall_clock.now().timestamp() - command.given_at > COMMAND_LIFE:
            why = DOES_NOT_RUN if is_stranger else "nobody was there"
            answer = CommandAnswered(command.number, is_done=False, answer=why, at=wall_clock.now())
            self._told[command.number] = command.follower
            self._group_commit.write_at_once(answer)
        elif command.name == RETRY:
            self._told[command.number] = command.follower
            self._retry(command.follower)
            answer = CommandAnswered(command.number, True, "gets another chance", wall_clock.now())
            self._group_commit.write_at_once(answer)
        elif recipient is not None:
            self._told[command.number] = command.follower
            recipient.tell(CommandGiven(command.number, command.name))
