"""Runs a history: the real program beside a paper broker, each in a process of its own, until nothing changes."""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from bench.histories.history import FUNDS, LEADER, STRANGER, History, Step
from bench.histories.oracle.evidence import Evidence
from bench.histories.oracle.judge import COLUMNS, judge
from bench.reliability.rig import ROOT
from copytrade.paper.exchange.matching import PaperAccount
from copytrade.paper.exchange.orders import Refusal
from copytrade.paper.process import PaperConfig, PaperProcess, start_paper_process

#: Seconds in which everything has to be right once nothing goes wrong any more: longer than any hold lasts, and than it
#: takes until an exit that was never shown is sent again.
PATIENCE = 75.0

#: Seconds after which what an update of the leader's did not tell has to be known, and what was wrong been undone.
FORGIVEN = 4.5

#: Seconds without a request after which it is at rest: an audit would have found something.
QUIET = 2.5

#: Seconds by which a step may come late before all that follow are put off too.
_BEHIND = 0.1

#: What ends a copier that nobody is there to stop any more.
_AT_MOST = ("--duration", "300")

#: Seconds of calm that an order which was accepted and never shown asks for: until then it is searched for, and an exit
#: is sent again.
UNSHOWN = 26.0

LOTS = dict.fromkeys((str(45670 + number) for number in range(10)), 65) | dict.fromkeys(("51000", "51002"), 30)
LIMITS = {"second": 10, "minute": 150, "hour": 300, "day": 500}

_SETTINGS = """
mode = "live"
[leader]
client_id = "{leader}"
access_token = "token-of-leader"
{followers}
[copy]
unfilled_after = 1.0
unfilled_action = "reprice"
max_price_deviation = 5
[dhan]
rest_url = "{broker.rest_url}"
feed_url = "{broker.feed_url}"
auth_url = "{broker.auth_url}"
instruments_url = "{broker.instruments_url}"
request_timeout = 1.0
[market]
hours = "always"
[recovery]
audit_interval = {history.audit}
absence_window = 2.0
[limits]
per_second = {limits[second]}
per_minute = {limits[minute]}
per_hour = {limits[hour]}
per_day = {limits[day]}
reads = {{ per_second = 10, per_minute = 600, per_hour = 36000 }}
[speed]
ready_every = 0
[log]
status_interval = 5.0
"""

_FOLLOWER = """
[[followers]]
name = "{name}"
client_id = "{client_id}"
access_token = "token-of-{name}"
sizing = "{sizing}"
ratio = {ratio}
lots = {lots}
"""

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


@dataclass(frozen=True)
class Outcome:
    """What came of a history: what is wrong by column, and what it was found from."""

    history: History
    wrong: Mapping[str, list[str]]
    evidence: Evidence
    seconds: float
    log: str

    @property
    def is_right(self) -> bool:
        """Whether nothing is wrong."""
        return not any(self.wrong.values())

    def __str__(self) -> str:
        """Return what is wrong, a line each."""
        return "\n".join(f"  {column}: {text}" for column in COLUMNS for text in self.wrong[column])


@dataclass
class _Run:
    """One history under way."""

    history: History
    folder: Path
    broker: PaperProcess
    copier: "subprocess.Popen[bytes] | None" = None
    start_at: float | None = None
    ids: dict[str, str] = field(default_factory=dict)
    pieces: list[tuple[float, str, str, int]] = field(default_factory=list)
    commands: "list[subprocess.Popen[bytes]]" = field(default_factory=list)
    ups: list[float] = field(default_factory=list)
    is_up: bool = False
    looked: float = 0.0
    hands: list[str] = field(default_factory=list)
    square_offs: list[str] = field(default_factory=list)
    flattened: set[str] = field(default_factory=set)
    converted: set[str] = field(default_factory=set)
    crashes: list[str] = field(default_factory=list)

    def program(self, *words: str) -> "subprocess.Popen[bytes]":
        """Start the program, or a command of it."""
        command = [sys.executable, str(ROOT / "run.py"), *words]
        with (self.folder / "out").open("ab") as out:
            return subprocess.Popen(command, cwd=self.folder, stdout=out, stderr=out)

    def keep_running(self) -> None:
        """Start the copier if it is time, or again if it ended by itself, and fill what fills in pieces."""
        now = time.monotonic()
        for piece in [piece for piece in self.pieces if piece[0] <= now]:
            self.pieces.remove(piece)
            self.try_to("fill", client_id=piece[1], order_id=piece[2], quantity=piece[3])
        if self.copier is not None and (code := self.copier.poll()) is not None:
            self.copier, self.start_at = None, now + 0.2
            if code != 3 or not self.commands:  # a command may hold the lock for a moment
                self.crashes.append(f"the program ended with exit code {code}")
        if self.copier is None and self.start_at is not None and now >= self.start_at:
            self.copier, self.start_at, self.is_up = self.program(*_AT_MOST), None, False
        if self.copier is not None and not self.is_up and now - self.looked > 0.1:
            self.looked, self.is_up = now, bool(self.broker.control("feed_connections", client_id=LEADER))
            if self.is_up:
                self.ups.append(now)

    def do(self, step: Step) -> None:
        """Do what a step says; what the broker refuses, or comes of a step that is not there any more, is left out."""
        terms = dict(step.terms)
        match step.what:
            case "place":
                self.place(**terms)
            case "modify" | "cancel":
                if order_id := self.ids.get(terms.pop("name")):
                    self.try_to(step.what, client_id=LEADER, order_id=order_id, **terms)
            case "convert":
                self.converted.add(terms["security_id"])
                self.try_to("convert", client_id=LEADER, **terms)
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

    def place(self, name: str, *, in_pieces: int = 0, **terms: Any) -> None:
        """Have the leader place an order, which fills in so many pieces within a second if so said."""
        order_id = self.try_to("place", client_id=LEADER, resting=bool(in_pieces), **terms)
        if order_id is None:
            return
        self.ids[name] = order_id
        if in_pieces:
            lot, quantity, now = LOTS[terms["security_id"]], terms["quantity"], time.monotonic()
            piece = max(lot, quantity // lot // in_pieces * lot)
            for number in range(in_pieces):
                self.pieces.append((now + 0.12 * (number + 1), LEADER, order_id, piece))
            self.pieces.append((now + 0.12 * (in_pieces + 1), LEADER, order_id, quantity))

    def square_off(self, follower: str, security_id: str, fills_after: float) -> None:
        """Have the broker close all that a follower holds of a contract, by an order that rests at first."""
        client_id = next(who.client_id for who in self.history.followers if who.name == follower)
        rows = self.broker.control("positions", client_id=client_id)
        net = sum(row["netQty"] for row in rows if row["securityId"] == security_id)
        if not net:
            return
        terms = {"side": "SELL" if net > 0 else "BUY", "security_id": security_id, "quantity": abs(net)}
        manner = {"order_type": "MARKET", "resting": True, "source": "R", "remarks": "Auto square off"}
        if order_id := self.try_to("place", client_id=client_id, **terms, **manner):
            self.hands.append(order_id)
            self.square_offs.append(order_id)
            self.pieces.append((time.monotonic() + fills_after, client_id, order_id, abs(net)))

    def try_to(self, method: str, **terms: Any) -> Any:
        """Call the broker; None where it refuses."""
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

    def evidence(self, restless: str = "") -> Evidence:
        """Ask the broker for its books."""
        clients = [LEADER, *(follower.client_id for follower in self.history.followers)]
        return Evidence(
            leader=LEADER,
            followers=[asdict(follower) for follower in self.history.followers],
            lots=LOTS,
            funds=FUNDS,
            changes={client: self.broker.control("changes", client_id=client) for client in clients},
            writes={client: self.broker.control("writes", client_id=client) for client in clients},
            limits=LIMITS,
            hands=list(self.hands),
            square_offs=list(self.square_offs),
            flattened=sorted(self.flattened),
            converted=sorted(self.converted),
            ups=list(self.ups),
            excused=_excused(self.history),
            forgiven=FORGIVEN if _loses_updates(self.history) else 0.0,
            database=str(self.folder / "copy_trading.db"),
            crashes=list(self.crashes),
            restless=restless,
        )

    def writes(self) -> int:
        """Return how many order requests of the followers have come in."""
        clients = (follower.client_id for follower in self.history.followers)
        return sum(len(self.broker.control("writes", client_id=client)) for client in clients)


def run(history: History, folder: Path | None = None, patience: float = PATIENCE) -> Outcome:
    """Run a history and judge it, in ``folder`` or in one that is gone afterwards."""
    if folder is None:
        with tempfile.TemporaryDirectory() as temporary:
            return run(history, Path(temporary), patience)
    began = time.monotonic()
    with (folder / "broker").open("wb") as errors:
        broker = start_paper_process(_config(history), errors)
    this = _Run(history, folder, broker)
    (folder / "history.json").write_text(history.to_json())
    (folder / "settings.toml").write_text(_settings(history, broker))
    try:
        this.copier = this.program(*_AT_MOST)
        _wait_until_connected(this)
        _play(this)
        wrong, evidence = _calm(this, patience)
        (folder / "evidence.json").write_text(json.dumps(asdict(evidence)))
        code = _stop(this)
        if code and not evidence.crashes:
            wrong["crashed"].append(f"it stopped with exit code {code}")
        return Outcome(history, wrong, evidence, time.monotonic() - began, _log(folder))
    finally:
        this.kill()
        for command in this.commands:
            command.kill()
            command.wait()
        broker.stop()


def _play(this: _Run) -> None:
    began = time.monotonic()
    for step in this.history.steps:
        while (wait := began + step.at - time.monotonic()) > 0:
            this.keep_running()
            time.sleep(min(0.01, wait))
        began = max(began, time.monotonic() - step.at - _BEHIND)  # a slow machine stretches time, it skips nothing
        this.keep_running()
        this.do(step)
    while this.pieces:
        this.keep_running()
        time.sleep(0.01)


def _calm(this: _Run, patience: float) -> tuple[dict[str, list[str]], Evidence]:
    """End all that goes wrong, and wait until all is right and at rest, or patience is over."""
    this.broker.control("clear_faults")
    for client in (LEADER, *(follower.client_id for follower in this.history.followers)):
        this.broker.control("mute_feed", client_id=client, muted=False)
    for security_id in LOTS:
        this.broker.control("resume", security_id=security_id)
    if this.copier is None and this.start_at is None:
        this.start_at = time.monotonic()
    began, last, changed = time.monotonic(), this.writes(), time.monotonic()
    least = UNSHOWN if any(step.terms.get("mischief") in ("swallow", "hide") for step in this.history.steps) else 0.0
    while True:
        time.sleep(0.25)
        this.keep_running()
        now, writes = time.monotonic(), this.writes()
        if writes != last:
            last, changed = writes, now
        is_quiet, is_over = now - changed > QUIET, now - began > patience
        if not (is_quiet or is_over) or now - began < least or any(command.poll() is None for command in this.commands):
            continue
        restless = "" if is_quiet else f"a request came {now - changed:.1f} s before the end"
        evidence = this.evidence(restless)
        wrong = judge(evidence)
        if is_over or not any(wrong.values()) or _is_hopeless(wrong):
            return wrong, evidence


def _is_hopeless(wrong: Mapping[str, list[str]]) -> bool:
    """Return whether waiting mends nothing of what is wrong."""
    return any(wrong[column] for column in ("doubled", "over budget", "crashed"))


def _stop(this: _Run) -> int:
    if this.copier is None:
        return 0
    this.copier.terminate()
    try:
        code = this.copier.wait(15)
    except subprocess.TimeoutExpired:
        return -1
    this.copier = None
    return code


def _config(history: History) -> PaperConfig:
    accounts = [PaperAccount(LEADER, "token-of-leader", Decimal(FUNDS)), PaperAccount(STRANGER, "of-a-stranger")]
    for follower in history.followers:
        accounts.append(PaperAccount(follower.client_id, f"token-of-{follower.name}", Decimal(follower.funds)))
    return PaperConfig(
        tuple(accounts),
        LEADER,
        seed=history.seed,
        scripted=False,
        tick_interval=None,
        partial_fills=0.0,
        control=True,
        per_second=LIMITS["second"],
    )


def _settings(history: History, broker: PaperProcess) -> str:
    followers = "".join(_FOLLOWER.format(**asdict(follower)) for follower in history.followers)
    return _SETTINGS.format(leader=LEADER, history=history, followers=followers, broker=broker, limits=LIMITS)


def _wait_until_connected(this: _Run) -> None:
    clients = [LEADER, *(follower.client_id for follower in this.history.followers)]
    deadline = time.monotonic() + 60
    while not all(this.broker.control("feed_connections", client_id=client) for client in clients):
        if time.monotonic() > deadline:
            raise RuntimeError(f"the copier did not connect: see {this.folder}")
        this.keep_running()
        time.sleep(0.02)


def _excused(history: History) -> list[str]:
    """Return the client ids of followers whose exits may be late.

    Their requests are meddled with, or their operator does something, or the leader's requests are refused: what he did
    in a gap is read a minute later then.
    """
    everybody = {follower.name: follower.client_id for follower in history.followers}
    found: set[str] = set()
    for step in history.steps:
        method = step.terms.get("method")
        if method in ("fault", "refuse", "halt", "set_clock") or step.what == "command":
            client_id = step.terms.get("client_id", LEADER)
            found.update(everybody.values() if client_id == LEADER else [client_id])
        if step.what in ("hand", "square_off"):
            found.add(everybody[step.terms["follower"]])
    return sorted(found)


def _loses_updates(history: History) -> bool:
    """Return whether updates of the leader's are lost, late or unreadable while his socket stays as it is."""
    for step in history.steps:
        terms = step.terms
        if terms.get("method") in ("frame_fault", "mute_feed") and terms["client_id"] == LEADER:
            return True
        if terms.get("method") == "lag" and terms["client_id"] == LEADER and "feed" in terms:
            return True
        if terms.get("method") == "rewrite" and terms["told"] == "frame":
            return True
    return False


def _log(folder: Path) -> str:
    path = folder / "copy_trading.log"
    return path.read_text(errors="replace") if path.exists() else ""
