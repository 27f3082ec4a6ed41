"""What a client says to the paper broker, and what it hears."""

import http.client
import json
from typing import Any
from urllib.parse import urlsplit

import websocket

from copytrade.paper.broker import PaperBroker
from tests.support.waiting import eventually

CLIENT, OTHER = "1000000001", "1000000002"
OPTION = "45674"
ORDER = {
    "dhanClientId": CLIENT,
    "correlationId": "ct-1-1",
    "transactionType": "BUY",
    "exchangeSegment": "NSE_FNO",
    "productType": "MARGIN",
    "orderType": "LIMIT",
    "validity": "DAY",
    "securityId": OPTION,
    "quantity": 130,
    "price": 100.05,
}


def ask(broker: PaperBroker, method: str, path: str, body: Any = None, token: str = "one") -> tuple[int, Any]:
    connection = http.client.HTTPConnection(urlsplit(broker.rest_url).netloc, timeout=5)
    headers = {"access-token": token, "client-id": CLIENT, "Content-Type": "application/json"}
    connection.request(method, f"/v2{path}", None if body is None else json.dumps(body), headers)
    response = connection.getresponse()
    text = response.read()
    connection.close()
    return response.status, json.loads(text)


def place(broker: PaperBroker, **changes: object) -> tuple[int, Any]:
    return ask(broker, "POST", "/orders", {key: value for key, value in (ORDER | changes).items() if value is not None})


def feed(broker: PaperBroker, token: str = "one") -> websocket.WebSocket:
    socket = websocket.create_connection(broker.feed_url, timeout=5)
    login = {"LoginReq": {"MsgCode": 42, "ClientId": CLIENT, "Token": token}, "UserType": "SELF"}
    socket.send(json.dumps(login))
    return socket


def connected(broker: PaperBroker) -> websocket.WebSocket:
    socket = feed(broker)
    eventually(lambda: broker.feed_connections(CLIENT), "the feed is connected")
    return socket


def words(socket: websocket.WebSocket, count: int) -> list[dict[str, Any]]:
    frames = [json.loads(socket.recv()) for _ in range(count)]
    assert {frame["Type"] for frame in frames} == {"order_alert"}
    return [frame["Data"] for frame in frames]
