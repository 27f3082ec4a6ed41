"""Reading single JSON fields by name, in any spelling and type that the broker uses.

Keys differ in case between the documentation and the wire, numbers come as numbers or text, and what is zero or empty
may be missing, null, "", "NA" or "NR". There are two ways to read. :class:`Fields` is for values that decide:
an invalid one raises :class:`UnreadableError`, and nothing is guessed. :class:`Lenient` is for all others: an invalid
value counts as absent.
"""

import re
import sys
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import TypeVar

from copytrade.common.redaction import without_secrets
from copytrade.core.model.orders import IST, ZERO

E = TypeVar("E")

_LARGEST = 1_000_000_000
_TEXT_LIMIT = 500

#: Characters of a text that are searched for secrets: the longest reasons seen have 20,000.
LONGEST = 20_000
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_ABSENT = frozenset({"", "NA", "NR", "NULL"})

#: Seconds, or milliseconds, since 1970.
_EPOCH = re.compile(r"(\d{10})(\d{3})?")

#: How times are written other than in ISO 8601, with "-" between the parts of the date. The day comes before the month,
#: as in the broker's own profile (24/11/2026 09:15).
_TIME_FORMATS = tuple(
    f"{day} {time}" for day in ("%d-%m-%Y", "%d-%b-%Y", "%d %b %Y") for time in ("%H:%M:%S", "%H:%M", "%I:%M:%S %p")
)


class UnreadableError(ValueError):
    """A field is invalid; the message names it."""


class Fields:
    """The fields of one JSON object."""

    __slots__ = ("_values",)

    def __init__(self, document: Mapping[str, object]) -> None:
        self._values = dict(zip(_lower(tuple(document)), document.values(), strict=True))

    def raw(self, name: str) -> object:
        """Return the raw value, None if it is missing."""
        return self._values.get(name)

    def text(self, name: str) -> str:
        """Return the text, at most 500 characters, "" if there is none."""
        value = self._values.get(name)
        if value is None:
            return ""
        if not isinstance(value, str):
            if isinstance(value, bool) or not isinstance(value, int | Decimal | float):
                raise UnreadableError(f"{name} is not text")
            value = str(value)
        value = value.strip()[:_TEXT_LIMIT]
        if value.upper() in _ABSENT:
            return ""
        if not value.isascii():
            try:
                value.encode()
            except UnicodeEncodeError:
                raise UnreadableError(f"{name} is not valid text") from None
        return value

    def common(self, name: str) -> str:
        """Return an interned text: many orders, or the frame and the row of one order, share it."""
        return sys.intern(self.text(name))

    def free_text(self, name: str) -> str:
        """Return the broker's text without secrets, which it may repeat; interned."""
        value = self._values.get(name)
        if isinstance(value, str) and value:
            self._values[name] = without_secrets(value[:LONGEST])  # before it is cut, lest half a secret stay
        return self.common(name)

    def identifier(self, name: str) -> str:
        """Return an id, "" if there is none ("0" means none too)."""
        value = self._values.get(name)
        if isinstance(value, float | Decimal):
            value = str(self.quantity(name, largest=10**18))
        elif isinstance(value, int) and not isinstance(value, bool):
            value = str(value)
        else:
            value = self.text(name)
        if value in ("", "0"):
            return ""
        if not _ID.fullmatch(value):
            raise UnreadableError(f"{name} is not an id")
        return sys.intern(value)

    def required_identifier(self, name: str) -> str:
        """Return an id that must be there."""
        value = self.identifier(name)
        if not value:
            raise UnreadableError(f"{name} is missing")
        return value

    def quantity(self, *names: str, largest: int = _LARGEST, smallest: int = 0) -> int:
        """Return a whole number, 0 if there is none. Further names are other spellings of the field."""
        value = self._values.get(names[0])
        if type(value) is int and smallest <= value <= largest:  # as a rule
            return value
        number = self._number(names, smallest, largest)
        whole = int(number)
        if whole != number:
            raise UnreadableError(f"{names[0]} is not a whole number")
        return whole

    def price(self, *names: str) -> Decimal:
        """Return an amount of rupees that cannot be negative, 0 if there is none."""
        return self._number(names, 0, _LARGEST)

    def amount(self, *names: str) -> Decimal:
        """Return an amount of rupees that may be negative, 0 if there is none."""
        return self._number(names, -(10**15), 10**15)

    def required_amount(self, *names: str) -> Decimal:
        """Return an amount of rupees that must be there; it may be negative."""
        if all(self._values.get(name) in (None, "") for name in names):
            raise UnreadableError(f"{names[0]} is missing")
        return self.amount(*names)

    def flag(self, name: str) -> bool:
        """Return a boolean, False if there is none."""
        value = self._values.get(name)
        if isinstance(value, bool):
            return value
        word = self.text(name).upper()
        if word in ("1", "TRUE"):
            return True
        if word in ("", "0", "FALSE"):
            return False
        raise UnreadableError(f"{name} is neither yes nor no")

    def time(self, name: str) -> datetime | None:
        """Return a time (India), None if there is none; the year 1 means none.

        Accepted are ISO 8601, with or without a zone, ``_TIME_FORMATS``, and seconds or milliseconds since 1970.
        """
        value = self._values.get(name)
        if value is None:
            return None
        if not isinstance(value, str | int) or isinstance(value, bool):
            raise UnreadableError(f"{name} is not a time")
        try:
            return _time(str(value))
        except (ValueError, OverflowError):
            raise UnreadableError(f"{name} is not a time") from None

    def choice(self, name: str, choices: Mapping[str, E]) -> E:
        """Return the value that the field's word stands for."""
        value = self._values.get(name)
        if isinstance(value, str) and value in choices:  # as a rule
            return choices[value]
        word = self.text(name).upper()
        try:
            return choices[word]
        except KeyError:
            raise UnreadableError(f"{name} is {excerpt_of(word) or 'missing'}") from None

    def _number(self, names: tuple[str, ...], smallest: int, largest: int) -> Decimal:
        value = None
        for name in names:
            if (value := self._values.get(name)) is not None:
                break
        if isinstance(value, Decimal):  # as a rule, and it is slow to say that it is no text
            number = value
        elif value is None or value == "":
            return ZERO
        elif isinstance(value, bool) or not isinstance(value, int | float | str):
            raise UnreadableError(f"{names[0]} is not a number")
        else:
            try:
                number = exact(value if isinstance(value, int) else str(value))
            except ArithmeticError:
                raise UnreadableError(f"{names[0]} is not a number") from None
        if not number.is_finite() or not smallest <= number <= largest:
            raise UnreadableError(f"{names[0]} is out of bounds")
        return number


class Lenient:
    """The fields of one JSON object that do not decide: an invalid value counts as absent."""

    __slots__ = ("_fields",)

    def __init__(self, fields: Fields) -> None:
        self._fields = fields

    def text(self, name: str) -> str:
        """Return the text, "" for none."""
        try:
            return self._fields.text(name)
        except UnreadableError:
            return ""

    def free_text(self, name: str) -> str:
        """Return the broker's text without secrets, "" for none."""
        try:
            return self._fields.free_text(name)
        except UnreadableError:
            return ""

    def common(self, name: str) -> str:
        """Return an interned text, "" for none."""
        return sys.intern(self.text(name))

    def identifier(self, name: str) -> str:
        """Return an id, "" for none."""
        try:
            return self._fields.identifier(name)
        except UnreadableError:
            return ""

    def quantity(self, name: str) -> int:
        """Return a whole number, 0 for none."""
        try:
            return self._fields.quantity(name)
        except UnreadableError:
            return 0

    def price(self, name: str) -> Decimal:
        """Return an amount of rupees that cannot be negative, 0 for none."""
        try:
            return self._fields.price(name)
        except UnreadableError:
            return ZERO

    def amount(self, name: str) -> Decimal | None:
        """Return an amount of rupees that may be negative, None for none."""
        try:
            return self._fields.required_amount(name)
        except UnreadableError:
            return None

    def time(self, name: str) -> datetime | None:
        """Return a time (India), None for none."""
        try:
            return self._fields.time(name)
        except UnreadableError:
            return None


@lru_cache(maxsize=16)
def _lower(names: tuple[object, ...]) -> tuple[str, ...]:
    """Return names in lower case. Cached: objects of one kind have the same names in the same order."""
    return tuple(str(name).lower() for name in names)


@lru_cache(maxsize=8192, typed=True)
def exact(number: str | int) -> Decimal:
    """Return a number exactly. Cached: prices repeat."""
    return Decimal(number)


@lru_cache(maxsize=4096)
def _time(text: str) -> datetime | None:
    """Return the time in a text, None for none; India's if it has no zone. Raises ValueError."""
    text = text.strip()
    if text.upper() in _ABSENT:
        return None
    epoch = _EPOCH.fullmatch(text)
    moment = datetime.fromtimestamp(int(epoch[1]), IST) if epoch else _calendar_time(text)
    if moment.year <= 1970:
        return None
    if moment.year >= 2100:
        raise ValueError("not a time of this century")
    return moment.astimezone(IST) if moment.tzinfo else moment.replace(tzinfo=IST)


def said_by_broker(something: object, length: int) -> str:
    """Return the beginning of the broker's text as printable ASCII, without secrets."""
    return excerpt_of(without_secrets(something[:LONGEST]) if isinstance(something, str) else something, length)


def _calendar_time(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        pass
    text = text.replace("/", "-")
    for spelling in _TIME_FORMATS:
        try:
            return datetime.strptime(text, spelling)  # noqa: DTZ007 (the zone is added later)
        except ValueError:
            continue
    return datetime.fromisoformat(text)


def excerpt_of(something: object, length: int = 200) -> str:
    """Return the beginning of a message as printable ASCII."""
    if isinstance(something, bytes):
        return repr(something[:length])[2:-1][:length]
    try:
        # The slice comes first: what is sent may be huge.
        text = something[:length] if isinstance(something, str) else str(something)[:length]
    except RecursionError:
        text = "nested too deep"
    return ascii(text)[1:-1][:length]
