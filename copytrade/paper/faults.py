"""What can be made to go wrong: lost and strange answers over REST, sockets that drop or fall silent."""

from dataclasses import dataclass, replace
from enum import StrEnum


class Kind(StrEnum):
    """What a REST request asks for."""

    PLACE = "place"
    MODIFY = "modify"
    CANCEL = "cancel"
    READ = "read"


class Mischief(StrEnum):
    """What happens to the answer."""

    RESET = "reset"  #: the connection breaks
    HANG = "hang"  #: nothing ever comes
    ANSWER = "answer"  #: another answer comes
    TRUNCATE = "truncate"  #: half an answer comes, then the connection breaks
    NONE = "none"  #: the right answer comes, after ``delay``


@dataclass(frozen=True, slots=True)
class RestFault:
    """A fault for the next ``times`` requests of a kind, of one account or of any.

    With ``accepted`` the request is carried out first, and only its answer is lost or replaced. ``delay`` is seconds
    before anything else happens.
    """

    mischief: Mischief
    kind: Kind | None = None
    client_id: str | None = None
    times: int = 1
    accepted: bool = False
    delay: float = 0.0
    status: int = 500
    body: str = ""
    content_type: str = "application/json"


class Faults:
    """The faults that wait to happen to REST requests, and how late orders become visible."""

    def __init__(self) -> None:
        self._waiting: list[RestFault] = []
        #: Seconds until an accepted order shows in the order book and in look-ups.
        self.visibility_lag = 0.0

    def add(self, fault: RestFault) -> None:
        """Have a fault wait for its requests."""
        self._waiting.append(fault)

    def clear(self) -> None:
        """Forget every fault."""
        self._waiting.clear()
        self.visibility_lag = 0.0

    def take(self, client_id: str, kind: Kind) -> RestFault | None:
        """Return the fault for this request, if one waits for it."""
        for index, fault in enumerate(self._waiting):
            if fault.kind in (None, kind) and fault.client_id in (None, client_id):
                if fault.times > 1:
                    self._waiting[index] = replace(fault, times=fault.times - 1)
                else:
                    del self._waiting[index]
                return fault
        return None
