"""A board that other machines can reach: encrypted, with a password, under its own names only."""

import http.client
import ssl
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import pytest

from bench.speed.board.stage import Stagehand
from copytrade.settings import load_settings
from copytrade.web.access.password import hash_of
from copytrade.web.command import board
from copytrade.web.serving import serve
from tests.support.waiting import PATIENCE, eventually

PASSWORD = "correct horse battery"
SETTINGS = """
allowed_hosts = ["127.0.0.1"]
password_hash = "{hashed}"
tls_cert = "cert.pem"
tls_key = "key.pem"
"""


def certified(folder: Path) -> Path:
    """Make a certificate for 127.0.0.1 that nobody has signed, and its key."""
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command += ["-days", "2", "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    command += ["-keyout", str(folder / "key.pem"), "-out", str(folder / "cert.pem")]
    subprocess.run(command, check=True, capture_output=True)
    return folder / "cert.pem"


def test_it_is_encrypted_and_lets_in_who_knows_the_password(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    trusted, ends = ssl.create_default_context(cafile=certified(tmp_path)), threading.Event()
    with Stagehand(tmp_path, 1, SETTINGS.format(hashed=hash_of(PASSWORD))) as stage, ThreadPoolExecutor() as threads:
        stage.settings.write_text(stage.settings.read_text().replace("127.0.0.1:0", "0.0.0.0:0"))
        settings = load_settings(stage.settings)
        serving = threads.submit(serve, settings, shows_link=False, until=ends.wait)
        said = eventually(lambda: capfd.readouterr().out, "it listens")
        url = urlsplit(said.removeprefix("Board at ").strip())
        assert url.scheme == "https"

        def ask(method: str, path: str, body: str = "", **headers: str) -> tuple[int, str]:
            connection = http.client.HTTPSConnection(url.netloc, context=trusted, timeout=PATIENCE)
            connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
            answer = connection.getresponse()
            answer.read()
            connection.close()
            return answer.status, answer.headers.get("Set-Cookie") or ""

        def log_in(password: str) -> tuple[int, str]:
            form = urlencode({"password": password})
            ours = {"Origin": f"https://{url.netloc}", "Sec_Fetch_Site": "same-origin"}
            return ask("POST", "/login", form, Content_Type="application/x-www-form-urlencoded", **ours)

        try:
            assert log_in("wrong")[0] == 401
            status, cookie = log_in(PASSWORD)
            assert (status, "secure" in cookie.lower()) == (200, True)
            assert ask("GET", "/", Cookie=cookie.partition(";")[0])[0] == 200
            assert ask("GET", "/", Host="board.example.com")[0] == 400
            assert board(settings, links=True, hashes=False) == 0
            link = urlsplit(capfd.readouterr().out.strip())
            assert ask("GET", f"{link.path}?{link.query}")[0] == 200
            assert [log_in("guess")[0] for _ in range(9)][-1] == 429
            assert log_in(PASSWORD)[0] == 429, "a guess that is right would look like any other"
        finally:
            ends.set()
        assert serving.result(PATIENCE) == 0
