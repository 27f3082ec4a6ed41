"""Classes of refusals by the broker's text: it gives no codes for them."""

import re
from enum import StrEnum


class RejectionClass(StrEnum):
    """Why risk management or the exchange refused an order."""

    MARGIN = "margin"
    PRICE_BAND = "price_band"
    QUANTITY = "quantity"
    POSITION_LIMIT = "position_limit"
    MARKET_CLOSED = "market_closed"
    INSTRUMENT = "instrument"
    OTHER = "other"


#: Words of the broker's risk management and of the exchanges, the more telling first.
_WORDS = (
    (RejectionClass.MARGIN, r"insufficient|margin|funds?\b|balance"),
    (RejectionClass.POSITION_LIMIT, r"position limit|client.?level|mwpl|open interest|ban period"),
    (RejectionClass.QUANTITY, r"freeze|lot size|multiple of|quantity"),
    (
        RejectionClass.PRICE_BAND,
        r"circuit|price (band|range)|dpr|operating range|tick|execution range|price protection",
    ),
    (RejectionClass.MARKET_CLOSED, r"market is closed|market closed|not open|after market|session"),
    (RejectionClass.INSTRUMENT, r"security|scrip|instrument|symbol|contract|not allowed|blocked|segment"),
)


def classify(text: str) -> RejectionClass:
    """Return the class of a refusal by its text, OTHER where the words say nothing that is known."""
    for kind, words in _WORDS:
        if re.search(words, text, re.IGNORECASE):
            return kind
    return RejectionClass.OTHER
