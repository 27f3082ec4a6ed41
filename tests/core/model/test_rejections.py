import pytest

from copytrade.core.model.rejections import RejectionClass, classify


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("RMS:112611230001:You have insufficient funds. Please add Rs.1,200.00 to trade.", RejectionClass.MARGIN),
        ("RMS:112611230001:Margin Shortfall", RejectionClass.MARGIN),
        ("EXCH:16283: Order price is out of the circuit limit", RejectionClass.PRICE_BAND),
        ("Stop limit order price range check failed", RejectionClass.PRICE_BAND),
        ("Quantity exceeds the freeze quantity", RejectionClass.QUANTITY),
        ("RMS: client level position limit breached", RejectionClass.POSITION_LIMIT),
        ("Market is Closed! You cannot modify/cancel an order now.", RejectionClass.MARKET_CLOSED),
        ("This security is not allowed to trade", RejectionClass.INSTRUMENT),
        ("17070", RejectionClass.OTHER),
        ("", RejectionClass.OTHER),
    ],
)
def test_a_refusal_is_known_by_its_words(text: str, kind: RejectionClass) -> None:
    assert classify(text) is kind
