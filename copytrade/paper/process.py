"""The paper broker in a process of its own, so that it does not affect the copier's timings."""

import json
import os
import subprocess
import sys
from dataclasses import asdict, dataclass
from decimal import Decimal
from http.client import HTTPConnection
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

from copytrade.paper.exchange.matching import PER_SECOND, PaperAccount
from copytrade.paper.exchange.orders import Refusal

#: Seconds at speed 1 for which the script has the leader's feed down, once a session.
FEED_DOWN = 3.0


@dataclass(frozen=True, slots=True)
class PaperConfig:
    """The configuration: ``leader`` is the client id on which the scripted leader trades, if ``scripted``.

    ``more_leaders`` trade as he does, each later than the one before.

    ``tick_interval`` is seconds between moves of all prices. With ``control`` the parent can drive it. More than
    ``per_second`` order requests of one account in any second are refused.
    """

    accounts: tuple[PaperAccount, ...]
    leader: str
    seed: int = 1
    speed: float = 1.0
    scripted: bool = True
    tick_interval: float | None = 0.5
    partial_fills: float = 0.3
    rejections: float = 0.0
    halts: float = 0.0
    control: bool = False
    port: int = 0
    tells_transit: bool = True
    per_second: int = PER_SECOND
    master_rows: int = 0
    more_leaders: tuple[str, ...] = ()

    def to_json(self) -> str:
        """Return the configuration as one line of JSON."""
        return json.dumps(asdict(self), default=str)

    @classmethod
    def from_json(cls, text: str) -> "PaperConfig":
        """Return the configuration in a line of ``to_json``."""
        fields = json.loads(text)
        accounts = tuple(
            PaperAccount(**(account | {"funds": Decimal(account["funds"])})) for account in fields.pop("accounts")
        )
        return cls(accounts=accounts, **fields)


@dataclass(frozen=True, slots=True)
class PaperProcess:
    """A running paper broker and its URLs."""

    process: "subprocess.Popen[str]"
    rest_url: str
    feed_url: str
    auth_url: str
    instruments_url: str

    @property
    def pid(self) -> int:
        """The process id."""
        return self.process.pid

    def control(self, method: str, **arguments: object) -> Any:
        """Call a method of the broker and return its result, as JSON. The configuration must allow ``control``.

        Raises Refusal where the broker refuses, ValueError where it knows no such method or arguments.
        """
        connection = HTTPConnection(urlsplit(self.auth_url).netloc, timeout=10)
        try:
            connection.request("POST", f"/_paper/{method}", json.dumps(arguments, default=str))
            response = connection.getresponse()
            text, is_json = response.read().decode(), response.headers.get_content_type() == "application/json"
        finally:
            connection.close()
        if not is_json:
            raise ValueError(f"the paper broker cannot {method}: {text}")
        answer = json.loads(text)
        if response.status != 200:
            raise Refusal(response.status, answer["errorCode"], answer["errorType"], answer["errorMessage"])
        return answer

    def stop(self) -> None:
        """Stop it, and wait for its end."""
        if self.process.stdin:
            self.process.stdin.close()
        try:
            self.process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def start_paper_process(config: PaperConfig, errors: IO[bytes] | None = None) -> PaperProcess:
    """Start a paper broker and wait until it serves. Raises RuntimeError if it does not start.

    Its standard input stays open: when this process ends, however it ends, so does the broker. It has a session of its
    own, so that Ctrl-C does not end it before we are done with it. Its standard error goes to ``errors``, if given.
    """
    process = subprocess.Popen(
        [sys.executable, "-m", "copytrade.paper"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=errors,
        text=True,
        start_new_session=True,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},  # of this program, installed or not
    )
    if process.stdin is None or process.stdout is None:
        raise RuntimeError("the paper broker has no pipes")
    process.stdin.write(config.to_json() + "\n")
    process.stdin.flush()
    try:
        return PaperProcess(process, **json.loads(process.stdout.readline()))
    except ValueError:
        raise RuntimeError(f"the paper broker did not start: exit code {process.wait()}") from None
