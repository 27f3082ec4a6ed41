from collections.abc import Iterator

import pytest

from tests.support.bus import BusServer


@pytest.fixture(scope="package")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BusServer]:
    server = BusServer(tmp_path_factory.mktemp("bus"))
    yield server
    server.close()


@pytest.fixture
def bus(started: BusServer) -> BusServer:
    """Return a bus that runs."""
    return started
