"""Rules that change what the broker sends: invalid, missing and foreign fields, shifted or reformatted times.

A rule changes only messages. The state of the exchange stays as it is.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

Fields = Mapping[str, object]

#: As the broker writes a time.
_SPELLING = "%Y-%m-%d %H:%M:%S"


class Told(StrEnum):
    """The kind of a message of the broker."""

    FRAME = "frame"  #: a message of the order-update socket
    ROW = "row"  #: an order, in the order book and in look-ups
    TRADE = "trade"
    POSITION = "position"
    HOLDING = "holding"
    FUNDS = "funds"


@dataclass(frozen=True, slots=True)
class Rewriting:
    """A rule for one kind of message, of one account or of any.

    It applies if every field in ``where`` has that value, the next ``times`` times, for ever without ``times``. ``put``
    replaces or adds fields, ``removed`` takes them out. ``shift`` moves every time by so many seconds, ``spelling``
    is its format, as for ``strftime``.
    """

    told: Told
    client_id: str | None = None
    where: Fields = field(default_factory=dict)
    put: Fields = field(default_factory=dict)
    removed: tuple[str, ...] = ()
    shift: float = 0.0
    spelling: str = ""
    times: int | None = None

    def fits(self, told: Told, client_id: str, fields: Fields) -> bool:
        """Return whether the rule applies."""
        if self.told is not told or self.client_id not in (None, client_id):
            return False
        return all(fields.get(name) == value for name, value in self.where.items())

    def apply(self, fields: Fields) -> dict[str, object]:
        """Return the changed fields."""
        changed = {name: self._respelt(value) for name, value in fields.items() if name not in self.removed}
        return changed | dict(self.put)

    def _respelt(self, value: object) -> object:
        if not (self.shift or self.spelling) or not isinstance(value, str):
            return value
        try:
            moment = datetime.strptime(value, _SPELLING)  # noqa: DTZ007 (as naive as the broker's)
        except ValueError:
            return value  # not a time
        if moment.year == 1:
            return value  # not yet
        return (moment + timedelta(seconds=self.shift)).strftime(self.spelling or _SPELLING)


class Rewritings:
    """The rules in force, oldest first."""

    def __init__(self) -> None:
        self._rules: list[Rewriting] = []

    def __bool__(self) -> bool:
        return bool(self._rules)

    def add(self, rule: Rewriting) -> None:
        """Add a rule."""
        self._rules.append(rule)

    def clear(self) -> None:
        """Remove every rule."""
        self._rules.clear()

    def told(self, told: Told, client_id: str, fields: Fields) -> dict[str, object]:
        """Return these fields changed by every rule that applies."""
        changed = dict(fields)
        for rule in list(self._rules):
            if rule.fits(told, client_id, changed):
                changed = rule.apply(changed)
                self._use(rule)
        return changed

    def _use(self, rule: Rewriting) -> None:
        if rule.times is None:
            return
        index = next(index for index, known in enumerate(self._rules) if known is rule)
        if rule.times > 1:
            self._rules[index] = replace(rule, times=rule.times - 1)
        else:
            del self._rules[index]
