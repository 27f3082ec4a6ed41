"""What an operator asks for, read from the body of a request."""

import re
import uuid
from collections.abc import Collection
from typing import Annotated

import msgspec

from copytrade.core.model.commands import FLATTEN, RELOAD, RETRY, TRY_AGAIN

PAUSE, RESUME = "pause", "resume"

#: All commands, those for one follower alone, and those for nobody in particular.
COMMANDS = (PAUSE, RESUME, FLATTEN, TRY_AGAIN, RETRY, RELOAD)
_FOR_ONE, _FOR_NOBODY = (TRY_AGAIN, RETRY), (RELOAD,)

#: What confirms to flatten everybody.
ALL = "all"

_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


class CommandRefused(Exception):
    """It cannot be done: the message says why. ``status`` is that of the answer."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status


class CommandRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A command; ``follower`` is "" for everybody, ``order`` the one leader order to try again, "" for all."""

    command: str
    follower: Annotated[str, msgspec.Meta(max_length=64)] | None = None
    confirm: Annotated[str, msgspec.Meta(max_length=64)] | None = None
    id: Annotated[str, msgspec.Meta(max_length=64)] | None = None
    order: Annotated[str, msgspec.Meta(max_length=64)] | None = None

    @property
    def whom(self) -> str:
        """The follower, "" for everybody."""
        return self.follower or ""


def read_command(body: bytes) -> CommandRequest:
    """Return what is asked for, with an id in any case. Raises CommandRefused."""
    try:
        asked = msgspec.json.decode(body, type=CommandRequest)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise CommandRefused(400, f"the body is not as it should be: {error}") from None
    if asked.command not in COMMANDS:
        raise CommandRefused(400, f"there is no such command; there are: {', '.join(COMMANDS)}")
    if asked.id is not None and not _ID.fullmatch(asked.id):
        raise CommandRefused(400, "an id is letters, digits, ., _ and -, 64 at most")
    return msgspec.structs.replace(asked, id=asked.id or uuid.uuid4().hex)


def check_request(asked: CommandRequest, known: Collection[str]) -> None:
    """Raise CommandRefused if it names nobody who is ``known``, or is not confirmed."""
    whom = asked.whom
    if asked.command in _FOR_NOBODY and whom:
        raise CommandRefused(400, f"{asked.command} is for no follower")
    if asked.command in _FOR_ONE and not whom:
        raise CommandRefused(400, f"{asked.command} is for one follower: name him")
    if whom and whom not in known:
        raise CommandRefused(404, f"there is no follower of this name; there are: {', '.join(known)}")
    if asked.command == FLATTEN and asked.confirm != (whom or ALL):
        raise CommandRefused(400, f"confirm has to be {whom or ALL}: nothing was done")
