"""A bus beyond one machine: encrypted, a key for each process, and none may say what is another's to say."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import nkeys
import pytest
from pydantic import SecretStr, ValidationError

from copytrade.app.nodes import open_bus
from copytrade.bus.nats_messages import NatsBus
from copytrade.settings.operation import Nodes
from tests.support.bus import BusServer
from tests.support.waiting import eventually

#: As docs/nodes.md has it: the lead tells and answers, a node asks and writes what is of its own followers.
RIGHTS = """
tls {{ cert_file: "{folder}/cert.pem", key_file: "{folder}/key.pem" }}
authorization {{ users: [
  {{ nkey: {lead}, permissions: {{ publish: ["ct.leader.live", "_INBOX.>", "$JS.API.>", "$KV.ct_LEASES.leader.>"]
                                  subscribe: ["ct.leader.ask.*", "_INBOX.>"] }} }}
  {{ nkey: {node}, permissions: {{ publish: ["ct.leader.ask.*", "$JS.API.>", "$KV.ct_LEASES.alice"]
                                  subscribe: ["ct.leader.live", "_INBOX.>"] }} }}
] }}
"""


class Key:
    """A process's key of the bus."""

    def __init__(self) -> None:
        self.seed = nkeys.encode_seed(os.urandom(32), nkeys.PREFIX_BYTE_USER)
        self.public = nkeys.from_seed(bytearray(self.seed)).public_key.decode()


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[tuple[NatsBus, NatsBus]]:
    """Return the bus as the lead and as a node reach it."""
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command += ["-days", "2", "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    command += ["-keyout", str(tmp_path / "key.pem"), "-out", str(tmp_path / "cert.pem")]
    subprocess.run(command, check=True, capture_output=True)
    lead, node = Key(), Key()
    server = BusServer(tmp_path / "bus", RIGHTS.format(folder=tmp_path, lead=lead.public, node=node.public))
    with ExitStack() as stack:
        stack.callback(server.close)
        opened = []
        for key in (lead, node):
            url = server.url.replace("nats://", "tls://")
            seed = SecretStr(key.seed.decode())
            bus = open_bus(Nodes(url=url, tls_ca=str(tmp_path / "cert.pem"), nkey_seed=seed, lease=4.0))
            stack.callback(bus.close)
            opened.append(bus)
        yield opened[0], opened[1]


def heard(bus: NatsBus, subject: str) -> "SimpleQueue[bytes]":
    found: SimpleQueue[bytes] = SimpleQueue()

    def take(payload: bytes, _answer: object) -> None:
        found.put(payload)

    eventually(lambda: bus.listen(subject, take), "it listens")
    return found


def written(bus: NatsBus, key: str) -> Any:
    answers: SimpleQueue[Any] = SimpleQueue()
    bus.write("LEASES", key, b"mine", 0, answers.put)
    return answers.get(timeout=10)


def test_a_node_can_neither_tell_orders_nor_take_what_is_not_his(opened: tuple[NatsBus, NatsBus]) -> None:
    lead, node = opened
    asked = heard(lead, "ct.leader.ask.*")  # both are connected from here on
    told = heard(node, "ct.leader.live")
    node.publish("ct.leader.live", b"forged")
    node.publish("ct.leader.ask.1", b"after it")
    assert asked.get(timeout=10) == b"after it", "the bus has had what was forged"
    lead.publish("ct.leader.live", b"said")
    assert told.get(timeout=10) == b"said"
    assert told.empty(), "what a node tells in the lead's name reaches nobody"
    assert written(node, "alice") is not None
    assert written(node, "bob") is None, "the lease of another node's follower"


@pytest.mark.parametrize(
    ("given", "fault"),
    [
        ({"url": "nats://10.0.0.1:4222"}, "is on another machine: it needs tls_ca and nkey_seed"),
        ({"url": "nats://10.0.0.1:4222", "tls_ca": "ca.pem"}, "is on another machine: it needs tls_ca and nkey_seed"),
        ({"url": "nats://127.0.0.1:4222,nats://db:4222"}, "nats://db:4222 is on another machine"),
        ({"url": "nats://127.0.0.1:4222", "tls_cert": "node.pem"}, "belong together"),
    ],
)
def test_a_bus_that_anybody_could_read_is_refused(given: dict[str, str], fault: str) -> None:
    with pytest.raises(ValidationError, match=fault):
        Nodes.model_validate(given)


def test_a_bus_on_this_machine_needs_no_key() -> None:
    assert Nodes(url="nats://127.0.0.1:4222, nats://localhost:4223").urls[1] == "nats://localhost:4223"
