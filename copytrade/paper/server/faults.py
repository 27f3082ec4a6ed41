"""Injected faults: lost and strange answers over REST; late, duplicated or lost frames."""

import random
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from copytrade.paper.server.showing import NEVER_SHOWN


class Kind(StrEnum):
    """The kind of a REST request."""

    PLACE = "place"
    MODIFY = "modify"
    CANCEL = "cancel"
    READ = "read"
    TOKEN = "token"  # noqa: S105  #: whether a token works, and another one


class Mischief(StrEnum):
    """What happens to the answer."""

    RESET = "reset"  #: the connection breaks
    HANG = "hang"  #: nothing ever comes
    ANSWER = "answer"  #: another answer comes
    TRUNCATE = "truncate"  #: half an answer comes, then the connection breaks
    NONE = "none"  #: the right answer comes, after ``delay``
    SWALLOW = "swallow"  #: an answer comes as if the request had been carried out, which it is not
    HIDE = "hide"  #: the right answer comes, and the order is shown nowhere for ``hidden`` seconds, for ever without


@dataclass(frozen=True, slots=True)
class RestFault:
    """A fault for the next ``times`` requests of a kind, of one account or of any, of paths that end in ``path``.

    With ``accepted`` the request is executed first, and only its answer is lost or replaced. ``delay`` seconds pass
    before anything else happens. Without ``times`` it lasts until the faults are cleared. ``chance``, from 0 to 1, is
    for a matching request. ``where`` are fields that the body must have.
    """

    mischief: Mischief
    kind: Kind | None = None
    client_id: str | None = None
    times: int | None = 1
    accepted: bool = False
    delay: float = 0.0
    status: int = 500
    body: str | bytes = ""
    content_type: str = "application/json"
    path: str = ""
    hidden: float = NEVER_SHOWN
    chance: float = 1.0
    where: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FrameFault:
    """A fault for the next ``times`` order updates of an account.

    Each is sent ``copies`` times, 0 for a loss, and ``delay`` seconds late, so that others may overtake it. ``times``
    and ``chance`` are as for a request.
    """

    client_id: str
    times: int | None = 1
    copies: int = 1
    delay: float = 0.0
    chance: float = 1.0


class Faults:
    """The pending faults, and the delay until orders become visible. May be used from any thread."""

    def __init__(self, seed: int = 1) -> None:
        self._random = random.Random(seed)  # noqa: S311 (mishaps)
        self._lock = threading.Lock()
        self._waiting: list[RestFault | FrameFault] = []
        #: Seconds until an accepted order shows in the order book and in look-ups.
        self.visibility_lag = 0.0

    def add(self, fault: RestFault | FrameFault) -> None:
        """Add a fault."""
        with self._lock:
            self._waiting.append(fault)

    def clear(self) -> None:
        """Remove every fault."""
        with self._lock:
            self._waiting.clear()
        self.visibility_lag = 0.0

    def take(self, client_id: str, kind: Kind, path: str, payload: Mapping[str, object]) -> RestFault | None:
        """Return the fault for this request, if there is one."""
        with self._lock:
            for fault in self._waiting:
                if not isinstance(fault, RestFault) or not path.endswith(fault.path):
                    continue
                if any(payload.get(name) != value for name, value in fault.where.items()):
                    continue
                if fault.kind in (None, kind) and fault.client_id in (None, client_id) and self._happens(fault):
                    self._use(fault)
                    return fault
        return None

    def take_frame(self, client_id: str) -> FrameFault | None:
        """Return the fault for this order update, if there is one."""
        with self._lock:
            for fault in self._waiting:
                if isinstance(fault, FrameFault) and fault.client_id == client_id and self._happens(fault):
                    self._use(fault)
                    return fault
        return None

    def _happens(self, fault: RestFault | FrameFault) -> bool:
        return fault.chance >= 1.0 or self._random.random() < fault.chance

    def _use(self, fault: RestFault | FrameFault) -> None:
        if fault.times is None:
            return
        index = self._waiting.index(fault)
        if fault.times > 1:
            self._waiting[index] = replace(fault, times=fault.times - 1)
        else:
            del self._waiting[index]
