"""A day of five followers: their settings file, and what the broker's books have to agree with."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from actors.follower.messages import AuditPositions
from tests.support.alert_receiver import Receiver
from tests.support.bombs import address
from tests.support.copier import CLIENTS, LEADER, LOT, OPTION, Copier
from tests.support.trading import net
from tests.support.waiting import eventually
from tests.system.changing.changing import Folder

RATIOS = {"asha": 1.0, "ravi": 0.5, "lena": 0.5, "mira": 1.0, "dave": 0.25, "zoya": 0.5}
IDS = {name: f"10000002{number:02}" for number, name in enumerate(RATIOS, 1)}

#: Causes of differences that are no fault of the copies.
_AS_MEANT = ("manual", "not_copied")

#: What an account holds beyond its share of the leader's position: a cause and units, as ``status --json`` has them.
Apart = Mapping[str, list[tuple[str, float | None]]]


@dataclass
class Day(Folder):
    """The operator's folder: he edits the settings file, types commands and reads alerts and log."""

    receiver: Receiver
    calendar: str
    log: list[str] = field(default_factory=list)
    keys: dict[str, dict[str, object]] = field(default_factory=dict)
    #: What each follower copies of the leader's position, in lines that are open.
    shares: dict[str, float] = field(default_factory=dict)
    told: set[str] = field(default_factory=set)

    def joins(self, name: str) -> None:
        """Write a follower's block into the settings file."""
        self.keys[name] = {"client_id": IDS[name], "access_token": f"token-of-{name}", "ratio": RATIOS[name]}
        self.shares[name] = RATIOS[name]
        self.save()

    def leaves(self, name: str) -> None:
        """Take a follower's block out of the settings file."""
        del self.keys[name], self.shares[name]
        self.save()

    def save(self) -> None:
        self.write(*(_block(name=name, **keys) for name, keys in self.keys.items()))
        text = self.file.read_text().replace('hours = "always"', f'hours = "exchange"\ncalendar = "{self.calendar}"')
        self.file.write_text(f'{text}[alerts]\nurls = ["{self.receiver.url}"]\n')

    def reloads(self, *lines: str) -> None:
        """Reload, and see that exactly this is taken, and logged."""
        said = self.ask("reload")
        assert (said.code, said.out.splitlines(), said.err) == (0, list(lines), ""), said
        for line in lines:
            self.has_logged(line)

    def has_logged(self, text: str) -> None:
        eventually(lambda: any(text in line for line in self.log), f"log says {text!r}")

    def by_hand(self, name: str, side: str, lots: int) -> None:
        terms: dict[str, Any] = {"side": side, "security_id": OPTION, "quantity": lots * LOT, "price": 0}
        self.broker.place(CLIENTS[name], **terms, order_type="MARKET")

    def agrees(
        self, copier: Copier, *alerts: str, apart: Apart | None = None, states: Mapping[str, str] | None = None
    ) -> None:
        """Wait until status, alerts and log are what the broker's books say, and nobody was told of anything else.

        ``alerts`` are the titles that have come since the last time. Who is not named in ``apart`` holds his share, and
        who is not named in ``states`` is live.
        """
        self.told |= {f"copytrade: {title}" for title in alerts}
        apart, states = apart or {}, states or {}
        wanted = [self._books(name, apart.get(name, []), states.get(name, "live")) for name in self.keys]
        is_well = not states and all(cause in _AS_MEANT for causes in apart.values() for cause, _ in causes)
        self._fills_are_logged()
        self.reads_positions(copier)  # while nothing is under way, so that what is read is what there is
        seen: list[object] = [None]

        def agree() -> bool:
            said = self.ask("status", "--json")
            seen[0] = said.err or [_shown(one) for one in json.loads(said.out)["followers"]]
            return seen[0] == wanted and said.code == (0 if is_well else 1)

        try:
            eventually(agree)
        except AssertionError:
            raise AssertionError(f"status says {seen[0]}, and the books {wanted}, well: {is_well}") from None
        eventually(lambda: {body["title"] for body in self.receiver.received} >= self.told, f"{self.told} are told")
        self._only_these_are_told()

    def reads_positions(self, copier: Copier) -> None:
        """Have the positions read now, as they are at intervals."""
        for name in self.keys:
            follower = address(copier, name)
            follower.tell(AuditPositions(follower.epoch))

    def status(self) -> dict[str, Any]:
        """Return what the copier has told of itself within the last ten seconds."""
        return dict(json.loads(eventually(lambda: self.ask("status", "--json").out, "it tells its status")))

    def _books(self, name: str, apart: list[tuple[str, float | None]], state: str) -> dict[str, object]:
        """Return what the status has to show of a follower by the broker's books, once these hold what he should."""
        units = [units for _, units in apart if units is not None]
        if len(units) == len(apart):
            share = net(self.broker, LEADER) * self.shares[name] + sum(units)
            eventually(lambda: net(self.broker, CLIENTS[name]) == share, f"{name} holds {share}")
        open_orders = [row for row in self.orders(name) if row["orderStatus"] == "PENDING"]
        return {"name": name, "state": state, "apart": apart, "open": len(open_orders), "result": self.result(name)}

    def result(self, name: str) -> float:
        rows = self.broker.positions(CLIENTS[name])
        return round(sum(float(str(row[of])) for row in rows for of in ("realizedProfit", "unrealizedProfit")), 2)

    def _only_these_are_told(self) -> None:
        told = {body["title"]: body["message"] for body in self.receiver.received}
        assert told.keys() == self.told, f"{told} are told, and not {self.told}"
        for message in told.values():
            self.has_logged(message.splitlines()[0])

    def _fills_are_logged(self) -> None:
        """See that the log has each fill of a copy at the broker, and no other."""
        filled = {
            str(row["orderId"]): str(row["filledQty"])
            for name in RATIOS
            for row in self.orders(name)
            if str(row["correlationId"]).startswith("ct-") and row["filledQty"]
        }

        def logged() -> dict[str, str]:
            lines = [line for line in self.log if "Follower order filled" in line]
            words = [dict(word.split("=", 1) for word in line.split() if "=" in word) for line in lines]
            return {one["order"]: one["filled"] for one in words}

        try:
            eventually(lambda: logged() == filled)
        except AssertionError:
            differ = set(logged().items()) ^ set(filled.items())
            raise AssertionError(f"fills by log and books: {differ}") from None


def _block(**keys: object) -> str:
    return "".join(f"{key} = {json.dumps(value)}\n" for key, value in keys.items())


def _shown(one: dict[str, Any]) -> dict[str, object]:
    apart = [(gap["cause"], gap["units"]) for gap in one["differences"]]
    result = one["day_result"] and round(one["day_result"]["rupees"], 2)
    return {"name": one["name"], "state": one["state"], "apart": apart, "open": one["open"], "result": result}
