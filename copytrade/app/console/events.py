"""What a terminal shows of each log line, in a few words: the fixed lines are too long to be read as they pass."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from copytrade.common.counts import counted

#: A piece of a line, and the name of its colour, "" for none.
Piece = tuple[str, str]

#: A ``name=value`` pair of a line.
_PAIR = re.compile(r'(?<=\s)([a-z_][a-z_0-9]*)=("(?:[^"\\]|\\.)*"|[^\s"]+)(?=\s|$)')

#: How a contract's name ends in a line, and how it does on a terminal.
_KINDS = {"CALL": "CE", "PUT": "PE"}

#: Copies whose side and symbol are remembered; older ones are shown without them.
_REMEMBERED = 5000

#: Characters of a leader order's id that are shown.
_ID_SHOWN = 6

#: States of an actor on its way up, and at the end: nothing to report.
_EXPECTED = frozenset({"starting", "connecting", "stopped"})

Fields = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class _Terms:
    """What is known of a follower's order."""

    side: str = ""
    symbol: str = ""
    quantity: str = ""
    price: str = ""


class Events:
    """Turns log lines into short ones. It remembers what a line leaves out: the side and symbol of each copy."""

    def __init__(self) -> None:
        self._copies: dict[tuple[str, str], _Terms] = {}
        self._actors: dict[str, tuple[str, str]] = {}
        self._by_start: dict[str, Callable[[str, Fields], list[Piece]]] = {
            "Placing follower order ": self._placing,
            "Order replicated successfully ": self._replicated,
            "Order modified successfully ": self._modified,
            "Processing cancellation for leader order: ": lambda _message, _found: [],
            "Successfully cancelled follower order ": lambda _message, _found: [],
            "Order cancelled successfully ": self._cancelled,
            "Follower order filled ": self._filled,
            "Follower order part filled ": self._filled,
            "Order skipped: ": self._skipped,
            "Dry run, not sent: ": self._not_sent,
            "Failed to ": self._failed,
            "STATUS ": self._status,
        }

    def shown(self, message: str) -> list[Piece]:
        """Return what is shown of a line, nothing if another line says it; lines without a short form are as they are.

        A line of another form than expected is shown whole, too.
        """
        for start, short in self._by_start.items():
            if message.startswith(start):
                found: dict[str, str] = {}
                for name, value in _PAIR.findall(message):
                    found.setdefault(name, value.strip('"').replace('\\"', '"'))
                return short(message, found) if "follower" in found or start == "STATUS " else [(message, "")]
        return [(message, "")]

    def _placing(self, _message: str, found: Fields) -> list[Piece]:
        """Remember the order: the line about its outcome shows it."""
        self._remember(found, _terms_in(found))
        return []

    def _not_sent(self, message: str, found: Fields) -> list[Piece]:
        if "symbol" in found:
            self._remember(found, _terms_in(found))
        what = message.removeprefix("Dry run, not sent: ").split(" ", 1)[0]
        return [*_follower(found), *_order(self._terms(found), f"not sent ({what})"), (_leader(found), "")]

    def _replicated(self, _message: str, found: Fields) -> list[Piece]:
        terms = replace(self._terms(found), quantity=found.get("quantity", ""))
        return [*_follower(found), *_order(terms), (_leader(found) + _taken(found), "")]

    def _modified(self, _message: str, found: Fields) -> list[Piece]:
        terms = replace(self._terms(found), quantity=found.get("quantity", ""), price=_price(found))
        self._remember(found, terms)
        return [*_follower(found), *_order(terms, "modified to"), (_leader(found), "")]

    def _cancelled(self, _message: str, found: Fields) -> list[Piece]:
        return [*_follower(found), *_order(self._terms(found), "cancelled"), (_leader(found), "")]

    def _filled(self, _message: str, found: Fields) -> list[Piece]:
        filled, whole = found.get("filled", ""), found.get("of", "")
        quantity = filled if whole in ("", filled) else f"{filled} of {whole}"
        terms = replace(self._terms(found), quantity=quantity, price=f"@{_average(found.get('price', ''))}")
        slippage = _average(found.get("slippage", ""))
        slippage = "" if slippage in ("", "0.00") else f", slippage {slippage}"
        return [*_follower(found), *_order(terms, "filled"), (f"{slippage}{_leader(found)}{_taken(found)}", "")]

    def _skipped(self, message: str, found: Fields) -> list[Piece]:
        reason = message.removeprefix("Order skipped: ").split(" ", 1)[0]
        detail = f": {found['detail']}" if found.get("detail") else ""
        return [*_follower(found), (f"skipped {reason}{_leader(found)}{detail}", "")]

    def _failed(self, message: str, found: Fields) -> list[Piece]:
        words = " ".join(message.split(" ", 3)[:3]).lower()
        why = found.get("error") or found.get("reason", "no answer")
        return [*_follower(found), *_order(self._terms(found), words), (f"{_leader(found)}: {why}", "")]

    def _status(self, message: str, found: Fields) -> list[Piece]:
        """Show the total, and an actor whose state or number of restarts is another than it was."""
        words = message.split()
        if len(words) < 3:
            return [(message, "")]
        name, state, restarts = words[1], words[2], found.get("restarts", "0")
        again = counted(int(restarts), "restart") if restarts.isdecimal() else restarts
        if name == "total":
            total = [state, f"{found.get('actors', '?')} actors", again, f"up {found.get('up', '?')}"]
            return [("STATUS ", "head"), (", ".join(total), "")]
        now = "live" if state in _EXPECTED else state, restarts
        before = self._actors.get(name, ("live", "0"))
        self._actors[name] = now
        return [] if now == before else [("STATUS ", "head"), (name, "follower"), (f" {state}, {again}", "")]

    def _terms(self, found: Fields) -> _Terms:
        return self._copies.get((found["follower"], found.get("leader_order", "")), _Terms())

    def _remember(self, found: Fields, terms: _Terms) -> None:
        key = found["follower"], found.get("leader_order", "")
        self._copies.pop(key, None)
        self._copies[key] = terms
        if len(self._copies) > _REMEMBERED:
            del self._copies[next(iter(self._copies))]


def _terms_in(found: Fields) -> _Terms:
    """Return the terms that a line has."""
    return _Terms(found.get("side", ""), _short(found.get("symbol", "")), found.get("quantity", ""), _price(found))


def _follower(found: Fields) -> list[Piece]:
    return [(found["follower"], "follower"), (" ", "")]


def _order(terms: _Terms, what: str = "") -> list[Piece]:
    """Return side, what happened, quantity, symbol and price; what is not known is left out."""
    words = [(terms.side, terms.side.lower()), (what, ""), (terms.quantity, ""), (terms.symbol, "")]
    pieces = [*words, (terms.price, "price")]
    known = [piece for piece in pieces if piece[0]]
    return [piece for one in known for piece in (one, (" ", ""))][:-1]


def _price(found: Fields) -> str:
    """Return the price of an order as ``@118.05``, with its trigger, or that it has none."""
    price = f"@{_rupees(found['price'])}" if _is_set(found, "price") else "at market"
    return f"{price} trigger {_rupees(found['trigger_price'])}" if _is_set(found, "trigger_price") else price


def _is_set(found: Fields, name: str) -> bool:
    return bool(found.get(name, "").strip("-0."))


def _rupees(text: str) -> str:
    """Return an amount with two decimal places at least, and zero without a sign."""
    try:
        amount = float(text)
    except ValueError:
        return text
    return f"{amount:z.2f}" if round(amount, 2) == amount else text


def _average(text: str) -> str:
    """Return an average of several prices, to the paisa."""
    try:
        return f"{float(text):z.2f}"
    except ValueError:
        return text


def _leader(found: Fields) -> str:
    order = found.get("leader_order", "")
    return f", leader ...{order[-_ID_SHOWN:]}" if order else ""


def _taken(found: Fields) -> str:
    milliseconds = re.fullmatch(r"(\d+(?:\.\d+)?)ms", found.get("latency", ""))
    return f", {float(milliseconds[1]):.0f} ms" if milliseconds else ""


def _short(symbol: str) -> str:
    """Return a contract's name with CE for CALL and PE for PUT."""
    name, _, kind = symbol.rpartition(" ")
    return f"{name} {_KINDS[kind]}" if kind in _KINDS else symbol
