"""The order that every client sends, and the headers that go with it."""

import json

ORDER: dict[str, object] = {
    "dhanClientId": "1000000001",
    "correlationId": "ct-179547170902100-1",
    "transactionType": "BUY",
    "exchangeSegment": "NSE_FNO",
    "productType": "MARGIN",
    "orderType": "LIMIT",
    "validity": "DAY",
    "securityId": "45674",
    "quantity": 65,
    "price": 100.05,
}
HEADERS = {
    "access-token": "t" * 300,
    "client-id": "1000000001",
    "Content-Type": "application/json",
    "Accept": "application/json",
}


def body() -> bytes:
    """Return the order as JSON, encoded anew."""
    return json.dumps(ORDER, separators=(",", ":")).encode()
