"""A board in a process of its own, and what it answers to a program and to a browser without scripts."""

import http.client
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from copytrade.web.board_file import read_board
from tests.support.waiting import eventually

Headers = dict[str, str | None]

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def text(self) -> str:
        return self.body.decode()


@dataclass
class Served:
    """A running board."""

    process: "subprocess.Popen[str]"
    database: str
    url: str
    key: str
    cookies: dict[str, str] = field(default_factory=dict)

    @property
    def host(self) -> str:
        return urlsplit(self.url).netloc

    def ask(
        self,
        method: str,
        path: str,
        body: object = None,
        headers: dict[str, str | None] | None = None,
        key: bool = True,
    ) -> Answer:
        """Ask as a program with the key does, if not said otherwise; a header that is None is left out."""
        given: dict[str, str | None] = {"Authorization": f"Bearer {self.key}"} if key else {}
        given |= {"Content-Type": "application/json"} if body is not None else {}
        given |= {"Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())} if not key else {}
        given |= headers or {}
        connection = http.client.HTTPConnection(self.host, timeout=10)
        try:
            connection.putrequest(method, path, skip_host="Host" in given, skip_accept_encoding=True)
            content = body if isinstance(body, bytes) else json.dumps(body).encode() if body is not None else b""
            for name, value in {**given, "Content-Length": str(len(content))}.items():
                if value is not None:
                    connection.putheader(name, value)
            connection.endheaders(content)
            found = connection.getresponse()
            headers_found = {name.lower(): value for name, value in found.getheaders()}
            return Answer(found.status, headers_found, found.read())
        finally:
            connection.close()

    def get(self, path: str, **options: Any) -> Answer:
        return self.ask("GET", path, **options)

    def post(self, path: str, body: object, **options: Any) -> Answer:
        return self.ask("POST", path, body, **options)

    def give(self, **command: Any) -> Answer:
        return self.post("/api/commands", command)

    def outcome(self, given: Answer) -> Any:
        """Wait for the answer to a command."""
        assert given.status == 202, given.text

        def look() -> Any:
            found = self.get(f"/api/commands/{given.json['id']}").json
            return found if found["state"] != "waiting" else None

        return eventually(look, "the command is answered")

    def link(self) -> str:
        """Return the path of a new link."""
        link = self.post("/api/links", {"by": "an operator"}).json["link"]
        return str(link).removeprefix(self.url.rstrip("/"))

    def log_in(self) -> str:
        """Log in by a link, and return the CSRF token of the page."""
        answer = self.get(self.link(), key=False)
        name, _, value = answer.headers["set-cookie"].partition(";")[0].partition("=")
        self.cookies = {name: value}
        page = self.get("/", key=False, headers={"Accept": "text/html"}).text
        return page.partition('name="csrf" content="')[2].partition('"')[0]


def browser(board: Served, token: str, **changes: str | None) -> dict[str, str | None]:
    """Return the headers of a POST of the page's own script."""
    ours = {"Origin": board.url.rstrip("/"), "Sec-Fetch-Site": "same-origin", "X-CSRF-Token": token}
    return {**ours, **{name.replace("_", "-"): value for name, value in changes.items()}}


@contextmanager
def serving(settings: Path, database: str) -> Iterator[Served]:
    """Run the board of a settings file until the end of the block, and see that it ends and leaves nothing behind."""
    process = subprocess.Popen(
        [sys.executable, "-m", "copytrade.web", str(settings)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    assert process.stdin is not None
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line.startswith("Board at "), line + process.stdout.read()
    file = read_board(database)
    assert file is not None
    assert line.strip() == f"Board at {file.url}"
    served = Served(process, database, file.url, file.key)
    eventually(lambda: served.get("/api/state").status == 200, "there is a state")
    try:
        yield served
    finally:
        process.stdin.close()
        said = process.stdout.read()
        assert process.wait(10) == 0, said
        assert said == "", said
    assert read_board(database) is None
