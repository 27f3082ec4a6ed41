"""Followers that come and go while copying goes on: their actors, their token and their reads."""

from collections.abc import Callable, Iterable

from actors.follower.account import Tenure
from actors.messages.feeds import Unsubscribe
from actors.messages.reads import ReadAccountJoined, ReadAccountLeft
from actors.messages.store import Write, Writer
from actors.messages.tokens import LoginTried, TokenAccountJoined, TokenAccountLeft
from actors.runtime.address import Address
from actors.supervisor.child import ChildSpec
from actors.supervisor.messages import ChildLeaves, ChildrenJoin, SupervisorInbox
from actors.system.account_actors import AccountActors
from actors.system.addresses import Addresses
from copytrade.app.clients import broker_of, credentials_for
from copytrade.core.model.commands import RUNNING
from copytrade.settings import Follower, Settings
from copytrade.storage.records import ConfigSet


class Comings:
    """Adds and removes a follower's children. ``children`` is the list of all, in the order in which they start."""

    def __init__(
        self,
        leaders: Iterable[str],
        addresses: Addresses,
        accounts: AccountActors,
        supervisor: Address[SupervisorInbox],
        children: list[ChildSpec],
    ) -> None:
        self._addresses = addresses
        self._leader_feeds = {name: addresses.feeds[name] for name in leaders}
        self._accounts = accounts
        self._supervisor = supervisor
        self._children = children
        self._leaves: dict[str, ChildLeaves] = {}

    @property
    def leaving(self) -> list[str]:
        """The followers that have yet to finish what is under way."""
        return list(self._leaves)

    def join(
        self,
        follower: Follower,
        settings: Settings,
        tenure: Tenure | None = None,
        tried: LoginTried | None = None,
    ) -> None:
        """Start a follower's actors, once token keeper and gap recovery know of the account.

        ``tenure`` is this node's time with it, and ``tried`` what logins there were, where other nodes may have it.
        """
        name, broker = follower.name, broker_of(follower, settings)
        self._addresses.join(name)
        children = (
            *self._accounts.follower_feed(follower),
            self._accounts.follower(follower, joins=True, tenure=tenure),
        )
        self._children.extend(children)

        fence, logs_in = (tenure.fence, tenure.logs_in) if tenure is not None else (None, False)
        joined = TokenAccountJoined(name, credentials_for(follower), broker.tokens(), fence, logs_in, tried)
        self._addresses.tokens.tell(joined)
        self._addresses.recovery.tell(ReadAccountJoined(name, broker.reader()))
        self._say_who_runs()
        self._supervisor.tell(ChildrenJoin(children))

    def leave(self, name: str, then: Callable[[], object] = lambda: None) -> None:
        """Let a follower finish what is under way, stop his actors and call ``then``."""
        feeds = () if name in self._leader_feeds else (self._addresses.feeds[name].name,)

        def forget() -> None:
            self._children[:] = [child for child in self._children if child.address.name not in (name, *feeds)]
            if feeds:  # a leader's account stays
                self._addresses.tokens.tell(TokenAccountLeft(name))
                self._addresses.recovery.tell(ReadAccountLeft(name))
            for feed in self._leader_feeds.values():
                feed.tell(Unsubscribe(name))
            self._addresses.leave(name)
            self._say_who_runs()
            self._leaves.pop(name, None)
            then()

        self._leaves[name] = ChildLeaves(name, feeds, forget)
        self._supervisor.tell(self._leaves[name])

    def leave_again(self) -> None:
        """Tell a supervisor that was restarted who leaves."""
        for leaves in list(self._leaves.values()):
            self._supervisor.tell(leaves)

    def _say_who_runs(self) -> None:
        runs = ConfigSet(RUNNING, ",".join(self._addresses.followers))
        self._addresses.store.tell(Write((runs,), Writer("session", 1)))
