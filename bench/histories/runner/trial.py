"""One history while it runs: the broker, the copier, and what each step does to them."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from bench.histories.history import FUNDS, LEADER, STRANGER, History, Step
from bench.histories.oracle.evidence import Evidence
from bench.histories.runner.allowances import FORGIVEN, excused, loses_updates, unknown_for
from bench.histories.runner.given import carried, listed, multipliers, underlyings
from bench.histories.runner.settings import LIMITS, LOTS
from bench.reliability.rig import ROOT
from copytrade.paper.exchange.orders import Refusal
from copytrade.paper.process import PaperProcess

#: Arguments that end a copier that was left running.
_AT_MOST = ("--duration", "300")
_FOREIGN_ROW = {
    "orderId": "900000000000001",
    "exchangeOrderId": "0",
    "correlationId": "NA",
    "orderStatus": "PENDING",
    "transactionType": "BUY",
    "exchangeSegment": "NSE_FNO",
    "productType": "MARGIN",
    "orderType": "LIMIT",
    "validity": "DAY",
    "tradingSymbol": "OTHER",
    "securityId": "99999",
    "quantity": 65,
    "disclosedQuantity": 0,
    "price": 1.0,
    "triggerPrice": 0.0,
    "afterMarketOrder": False,
    "legName": "NA",
    "createTime": "2026-01-01 09:20:00",
    "updateTime": "2026-01-01 09:20:00",
    "exchangeTime": "0001-01-01 00:00:00",
    "omsErrorDescription": "",
    "remainingQuantity": 65,
    "averageTradedPrice": 0.0,
    "filledQty": 0,
}


@dataclass
class Trial:
    """A history while it runs.

    ``start_at`` is when a copier that was killed starts again. ``pieces`` are fills to come: when, of which client and
    order, and up to which quantity. ``ups`` are the times at which the copier was connected again; the other
    collections are those of ``Evidence``.
    """

    history: History
    folder: Path
    broker: PaperProcess
    copier: "subprocess.Popen[bytes] | None" = None
    start_at: float | None = None
    ids: dict[str, str] = field(default_factory=dict)
    owners: dict[str, str] = field(default_factory=dict)
    pieces: list[tuple[float, str, str, int]] = field(default_factory=list)
    commands: "list[subprocess.Popen[bytes]]" = field(default_factory=list)
    ups: list[float] = field(default_factory=list)
    is_up: bool = False
    looked: float = 0.0
    hands: list[str] = field(default_factory=list)
    unheard: dict[str, float] = field(default_factory=dict)
    square_offs: list[str] = field(default_factory=list)
    flattened: set[str] = field(default_factory=set)
    converted: set[str] = field(default_factory=set)
    expired: dict[str, float] = field(default_factory=dict)
    splits: list[tuple[float, str, int, int]] = field(default_factory=list)
    nights: int = 0
    crashes: list[str] = field(default_factory=list)

    def program(self, *words: str) -> "subprocess.Popen[bytes]":
        """Start the program, or a command of it."""
        dated = any(step.what == "night" for step in self.history.steps)
        program = ["-m", "bench.histories.runner.dated"] if dated else [str(ROOT / "run.py")]
        environment = os.environ | {"PYTHONPATH": str(ROOT)} if dated else None
        with (self.folder / "out").open("ab") as out:
            command = [sys.executable, *program, *words]
            return subprocess.Popen(command, cwd=self.folder, stdout=out, stderr=out, env=environment)

    def start(self) -> None:
        """Start the copier."""
        self.copier, self.start_at, self.is_up = self.program(*_AT_MOST), None, False

    def keep_running(self) -> None:
        """Start the copier when it is time, or again if it ended by itself, and carry out the fills that are due."""
        now = time.monotonic()
        for piece in [piece for piece in self.pieces if piece[0] <= now]:
            self.pieces.remove(piece)
            self.try_to("fill", client_id=piece[1], order_id=piece[2], quantity=piece[3])
        if self.copier is not None and (code := self.copier.poll()) is not None:
            self.copier, self.start_at = None, now + 0.2
            if code != 3 or not self.commands:  # a command may hold the lock for a moment
                self.crashes.append(f"the program ended with exit code {code}")
        if self.copier is None and self.start_at is not None and now >= self.start_at:
            self.start()
        if self.copier is not None and not self.is_up and now - self.looked > 0.1:
            feeds = (self.broker.control("feed_connections", client_id=leader) for leader in self.history.leaders)
            self.looked, self.is_up = now, all(feeds)
            if self.is_up:
                self.ups.append(now)

    def do(self, step: Step) -> None:
        """Carry out a step; skip it if the broker refuses, or if the order it is about does not exist."""
        terms = dict(step.terms)
        match step.what:
            case "place":
                self.place(**terms)
            case "modify" | "cancel":
                if order_id := self.ids.get(terms.pop("name")):
                    self.try_to(step.what, client_id=self.owners[order_id], order_id=order_id, **terms)
            case "convert":
                self.converted.add(terms["security_id"])
                self.try_to("convert", **{"client_id": LEADER} | terms)
            case "night":
                self.night()
            case "split":
                self.splits.append((time.monotonic(), terms["security_id"], terms["old"], terms["new"]))
                self.try_to("split", **terms)
            case "list":
                self.try_to("add_instrument", **listed(**terms))
            case "expiry":
                self.expiry(**terms)
            case "broker":
                self.try_to(terms.pop("method"), **terms)
            case "kill":
                self.kill()
                self.start_at = time.monotonic() + terms["down"]
            case "hand":
                client_id = next(who.client_id for who in self.history.followers if who.name == terms["follower"])
                del terms["follower"]
                if order_id := self.try_to("place", client_id=client_id, order_type="MARKET", **terms):
                    self.hands.append(order_id)
                    self.unheard[order_id] = unknown_for(self.history, client_id)
            case "square_off":
                self.square_off(**terms)
            case "stranger":
                self.try_to("place", client_id=STRANGER, order_type="MARKET", **terms)
            case "foreign_row":
                row = _FOREIGN_ROW | {"dhanClientId": terms["client_id"]} | terms["odd"]
                self.try_to("add_row", told="row", client_id=terms["client_id"], fields=row)
            case "command":
                self.commands.append(self.program(*terms["words"]))
                if terms["words"][0] == "flatten":
                    self.flattened.add(terms["words"][1])
            case unknown:
                raise ValueError(f"there is no step {unknown}")

    def place(self, name: str, *, leader: str = LEADER, in_pieces: int = 0, **terms: Any) -> None:
        """Have a leader place an order, which fills in ``in_pieces`` parts within a second if that is given."""
        order_id = self.try_to("place", client_id=leader, resting=bool(in_pieces), **terms)
        if order_id is None:
            return
        self.ids[name], self.owners[order_id] = order_id, leader
        if in_pieces:
            lot, quantity, now = LOTS[terms["security_id"]], terms["quantity"], time.monotonic()
            piece = max(lot, quantity // lot // in_pieces * lot)
            for number in range(in_pieces):
                self.pieces.append((now + 0.12 * (number + 1), leader, order_id, piece))
            self.pieces.append((now + 0.12 * (in_pieces + 1), leader, order_id, quantity))

    def square_off(self, follower: str, security_id: str, fills_after: float) -> None:
        """Have the broker close a follower's position in a contract by an order that fills after so many seconds."""
        client_id = next(who.client_id for who in self.history.followers if who.name == follower)
        rows = self.broker.control("positions", client_id=client_id)
        net = sum(row["netQty"] for row in rows if row["securityId"] == security_id)
        if not net:
            return
        terms = {"side": "SELL" if net > 0 else "BUY", "security_id": security_id, "quantity": abs(net)}
        manner = {"order_type": "MARKET", "resting": True, "source": "R", "remarks": "Auto square off"}
        if order_id := self.try_to("place", client_id=client_id, **terms, **manner):
            self.hands.append(order_id)
            self.unheard[order_id] = unknown_for(self.history, client_id)
            self.square_offs.append(order_id)
            self.pieces.append((time.monotonic() + fills_after, client_id, order_id, abs(net)))

    def night(self) -> None:
        """Make it the next day for the broker and the copier, which stands still meanwhile."""
        if self.copier is not None:
            self.copier.send_signal(signal.SIGSTOP)
        self.nights += 1
        (self.folder / "nights").write_text(str(self.nights))
        self.broker.control("pass_night")
        if self.copier is not None:
            self.copier.send_signal(signal.SIGCONT)

    def expiry(self, security_id: str) -> None:
        """Let a contract expire: no account has any of it any more, and no order tells of it."""
        self.expired[security_id] = time.monotonic()
        for client_id in (LEADER, *(follower.client_id for follower in self.history.followers)):
            for row in self.broker.control("positions", client_id=client_id):
                if row["securityId"] == security_id and row["netQty"]:
                    terms = {"security_id": security_id, "product": row["productType"], "quantity": -row["netQty"]}
                    self.try_to("carry", client_id=client_id, **terms)

    def try_to(self, method: str, **terms: Any) -> Any:
        """Call the broker's control; return None if it refuses."""
        try:
            return self.broker.control(method, **terms)
        except Refusal:
            return None

    def kill(self) -> None:
        """End the copier as a power cut would."""
        if self.copier is not None:
            self.copier.kill()
            self.copier.wait()
            self.copier = None

    def stop(self) -> int:
        """Stop the copier in order; return its exit code, -1 if it does not stop."""
        if self.copier is None:
            return 0
        self.copier.terminate()
        try:
            code = self.copier.wait(15)
        except subprocess.TimeoutExpired:
            return -1
        self.copier = None
        return code

    def end(self) -> None:
        """Kill every process of the trial."""
        self.kill()
        for command in self.commands:
            command.kill()
            command.wait()
        self.broker.stop()

    def evidence(self, restless: str = "") -> Evidence:
        """Ask the broker for its books."""
        clients = [*self.history.leaders, *(follower.client_id for follower in self.history.followers)]
        return Evidence(
            leader=LEADER,
            leaders=self.history.leaders,
            group_within=self.history.group_within,
            underlyings=underlyings(self.history),
            followers=[asdict(follower) for follower in self.history.followers],
            lots=LOTS,
            funds=FUNDS,
            changes={client: self.broker.control("changes", client_id=client) for client in clients},
            writes={client: self.broker.control("writes", client_id=client) for client in clients},
            limits=LIMITS,
            hands=list(self.hands),
            unheard=dict(self.unheard),
            square_offs=list(self.square_offs),
            flattened=sorted(self.flattened),
            converted=sorted(self.converted),
            expired=dict(self.expired),
            splits=list(self.splits),
            carried=carried(self.history),
            multipliers=multipliers(self.history),
            ups=list(self.ups),
            excused=excused(self.history),
            forgiven=FORGIVEN if any(loses_updates(self.history, one) for one in self.history.leaders) else 0.0,
            database=str(self.folder / "copy_trading.db"),
            crashes=list(self.crashes),
            restless=restless,
        )

    def writes(self) -> int:
        """Return how many order requests of the followers have come in."""
        clients = (follower.client_id for follower in self.history.followers)
        return sum(len(self.broker.control("writes", client_id=client)) for client in clients)
