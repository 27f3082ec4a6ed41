"""A lower bound to measure against: a loop that sends every new order of the leader on, and does nothing else.

It has no intents on disk, no permits, no log and no recovery. Each follower has a thread that sends, either with the
broker's SDK as its documentation shows it or with the standard library's HTTP client.

    python -m bench.speed.bare sdk|raw < accounts.json
"""

import http.client
import json
import queue
import sys
import threading
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import websocket
from dhanhq import DhanContext, dhanhq

Send = Callable[[dict[str, Any], int], object]


def sdk_sender(rest_url: str, client_id: str, token: str) -> Send:
    """Return a function that places an order through the SDK."""
    context = DhanContext(client_id, token)
    context.get_dhan_http().base_url = rest_url
    dhan = dhanhq(context)
    dhan.get_fund_limits()  # opens the connection

    def send(order: dict[str, Any], number: int) -> object:
        return dhan.place_order(
            security_id=str(order["securityId"]),
            exchange_segment="NSE_FNO",
            transaction_type="BUY",
            quantity=int(order["quantity"]),
            order_type="LIMIT",
            product_type="MARGIN",
            price=float(order["price"]),
            tag=f"bare-{order['orderNo']}-{number}",
        )

    return send


def raw_sender(rest_url: str, client_id: str, token: str) -> Send:
    """Return a function that places an order through ``http.client`` over one connection."""
    url = urlsplit(rest_url)
    connection = http.client.HTTPConnection(url.netloc)
    connection.connect()
    headers = {"access-token": token, "client-id": client_id, "Content-Type": "application/json"}

    def send(order: dict[str, Any], number: int) -> object:
        payload = {
            "dhanClientId": client_id,
            "correlationId": f"bare-{order['orderNo']}-{number}",
            "transactionType": "BUY",
            "exchangeSegment": "NSE_FNO",
            "productType": "MARGIN",
            "orderType": "LIMIT",
            "validity": "DAY",
            "securityId": str(order["securityId"]),
            "quantity": int(order["quantity"]),
            "price": float(order["price"]),
        }
        connection.request("POST", f"{url.path}/orders", json.dumps(payload), headers)
        response = connection.getresponse()
        return json.loads(response.read())

    return send


def main(kind: str) -> None:
    """Read the accounts from standard input, and copy until the leader's feed ends."""
    task = json.loads(sys.stdin.readline())
    make_sender = sdk_sender if kind == "sdk" else raw_sender
    queues: list[queue.SimpleQueue[dict[str, Any]]] = []
    for number, (client_id, token) in enumerate(task["followers"]):
        orders: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        queues.append(orders)
        send = make_sender(task["rest_url"], client_id, token)
        threading.Thread(target=_follow, args=(orders, send, number), daemon=True).start()
    feed = websocket.create_connection(task["feed_url"])
    client_id, token = task["leader"]
    login = {"MsgCode": 42, "ClientId": client_id, "Token": token}
    feed.send(json.dumps({"LoginReq": login, "UserType": "SELF"}))
    print("ready", flush=True)
    seen = set()
    while text := feed.recv():
        order = json.loads(text)["Data"]
        if order["orderNo"] not in seen:
            seen.add(order["orderNo"])
            for orders in queues:
                orders.put(order)


def _follow(orders: "queue.SimpleQueue[dict[str, Any]]", send: Send, number: int) -> None:
    while True:
        send(orders.get(), number)


if __name__ == "__main__":
    main(sys.argv[1])
