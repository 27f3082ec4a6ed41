"""Dhan's message formats: frames of the order-update socket, and rows and objects of the REST interface."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta, timezone
from decimal import Decimal

from copytrade.paper.exchange.matching import PaperAccount
from copytrade.paper.exchange.orders import Family, PaperOrder, Refusal
from copytrade.paper.exchange.portfolio import PaperHolding, PaperPosition, Portfolio

IST = timezone(timedelta(hours=5, minutes=30), "IST")
NEVER = "0001-01-01 00:00:00"
NO_DATE = "0001-01-01"

_PRODUCTS = {"CNC": "C", "INTRADAY": "I", "MARGIN": "M", "MTF": "F", "CO": "V", "BO": "B"}
_ORDER_TYPES = {"LIMIT": "LMT", "MARKET": "MKT", "STOP_LOSS": "SL", "STOP_LOSS_MARKET": "SLM"}
_OPTION_TYPES = {"CE": "CALL", "PE": "PUT"}
_LEGS = {2: "STOP_LOSS_LEG", 3: "TARGET_LEG"}


def frame(order: PaperOrder, last_price: Decimal) -> dict[str, object]:
    """Return the order-update message of an order; numbers that are 0 are left out (seen on the wire)."""
    instrument = order.instrument
    words: dict[str, object] = {
        "exchange": instrument.exchange,
        "segment": instrument.segment_letter,
        "source": order.source,
        "securityId": instrument.security_id,
        "clientId": order.client_id,
        "exchOrderNo": order.exchange_id,
        "orderNo": order.id,
        "product": _PRODUCTS[order.product],
        "txnType": order.side[0],
        "orderType": _ORDER_TYPES[order.order_type],
        "validity": order.validity,
        "algoOrdNo": "0",
        "strategyId": "NA",
        "offMktFlag": "1" if order.after_market else "0",
        # It moved to the time of the modification in a capture, and back with the next frame.
        "orderDateTime": _time(order.updated_at if order.word == "Modified" else order.created_at),
        "exchOrderTime": _time(order.exchange_at),
        "lastUpdatedTime": _time(order.updated_at),
        "remarks": "NR",
        "mktType": "NL",
        "reasonDescription": order.reason,
        "instrument": instrument.kind,
        "symbol": instrument.symbol[:15],
        "productName": order.product,
        "status": order.word,
        "expiryDate": str(instrument.expiry) if instrument.expiry else NEVER,
        "optType": instrument.option_type,
        "displayName": instrument.display,
        "isin": "NA",
        "series": "EQ" if instrument.is_cash else "XX",
        "goodTillDaysDate": _time(order.created_at)[: len(NO_DATE)],
        "instrumentType": "EQ" if instrument.is_cash else "OP",
        "algoId": "0",
        "correlationId": order.correlation_id or "NA",
    }
    family = order.family or Family()
    if family.algo_order is not None:
        words["algoOrdNo"] = family.algo_order
    if family.platform:
        words["orderPlatform"] = family.platform
    if family.remarks:
        words["remarks"] = family.remarks
    numbers = {
        "legNo": family.leg,
        "lotSize": instrument.lot_size,
        "strikePrice": float(instrument.strike),
        "refLtp": float(last_price),
        "tickSize": float(instrument.tick),
        "multiplier": instrument.multiplier,
        "quantity": order.quantity,
        "remainingQuantity": order.remaining,
        "discQuantity": order.disclosed_quantity,
        "discQtyRem": min(order.disclosed_quantity, order.remaining),
        "price": float(order.price) if order.order_type != "MARKET" else 0,
        "triggerPrice": float(order.trigger_price),
        "tradedQty": order.filled,
        "tradedPrice": float(order.last_price),
        "avgTradedPrice": _average(order),
    }
    return {"Data": words | {key: value for key, value in numbers.items() if value}, "Type": "order_alert"}


def row(order: PaperOrder) -> dict[str, object]:
    """Return the order-book row of an order as it is now."""
    instrument = order.instrument
    return {
        "dhanClientId": order.client_id,
        "orderId": order.id,
        "exchangeOrderId": order.exchange_id,
        "correlationId": order.correlation_id or "NA",
        "orderStatus": order.status,
        "transactionType": order.side,
        "exchangeSegment": instrument.segment,
        "productType": order.product,
        "orderType": order.order_type,
        "validity": order.validity,
        "tradingSymbol": instrument.symbol,
        "securityId": instrument.security_id,
        "quantity": order.quantity,
        "disclosedQuantity": order.disclosed_quantity,
        "price": float(order.price),
        "triggerPrice": float(order.trigger_price),
        "afterMarketOrder": order.after_market,
        "boProfitValue": 0.0,
        "boStopLossValue": 0.0,
        "legName": _leg_name(order.family),
        "createTime": _time(order.created_at),
        "updateTime": _time(order.updated_at),
        "exchangeTime": _time(order.exchange_at),
        "drvExpiryDate": str(instrument.expiry) if instrument.expiry else NO_DATE,
        "drvOptionType": _OPTION_TYPES.get(instrument.option_type, "NA"),
        "drvStrikePrice": float(instrument.strike),
        "omsErrorCode": "0",
        "omsErrorDescription": order.reason,
        "algoId": "0",
        "remainingQuantity": order.remaining,
        "averageTradedPrice": _average(order),
        "filledQty": order.filled,
    }


def trades(order: PaperOrder) -> list[dict[str, object]]:
    """Return a row for each fill of an order."""
    instrument = order.instrument
    return [
        {
            "dhanClientId": order.client_id,
            "orderId": order.id,
            "exchangeOrderId": order.exchange_id,
            "exchangeTradeId": f"{order.id}{number}",
            "transactionType": order.side,
            "exchangeSegment": instrument.segment,
            "productType": order.product,
            "orderType": order.order_type,
            "tradingSymbol": instrument.symbol,
            "customSymbol": None,
            "securityId": instrument.security_id,
            "tradedQuantity": quantity,
            "tradedPrice": float(price),
            "createTime": _time(order.created_at),
            "updateTime": _time(at),
            "exchangeTime": _time(at),
            "drvExpiryDate": str(instrument.expiry) if instrument.expiry else NO_DATE,
            "drvOptionType": "NA",
            "drvStrikePrice": float(instrument.strike),
        }
        for number, (quantity, price, at) in enumerate(order.trades, 1)
    ]


def position(client_id: str, held: PaperPosition, last_price: Decimal) -> dict[str, object]:
    """Return the row of a position. Closed positions stay in the list."""
    instrument = held.instrument
    return {
        "dhanClientId": client_id,
        "tradingSymbol": instrument.symbol,
        "securityId": instrument.security_id,
        "positionType": "LONG" if held.net > 0 else "SHORT" if held.net < 0 else "CLOSED",
        "exchangeSegment": instrument.segment,
        "productType": held.product,
        "buyAvg": round(float(held.buy_average), 4),
        "costPrice": round(float(held.cost_price), 4),
        "buyQty": held.bought + held.carried_bought,
        "sellAvg": round(float(held.sell_average), 4),
        "sellQty": held.sold + held.carried_sold,
        "netQty": held.net,
        "realizedProfit": round(float(held.realized), 2),
        "unrealizedProfit": round(float((last_price - held.cost_price) * held.net * instrument.multiplier), 2),
        "rbiReferenceRate": 1.0,
        "multiplier": instrument.multiplier,
        "carryForwardBuyQty": held.carried_bought,
        "carryForwardSellQty": held.carried_sold,
        "carryForwardBuyValue": float(held.carried_value) if held.carried_bought else 0.0,
        "carryForwardSellValue": float(held.carried_value) if held.carried_sold else 0.0,
        "dayBuyQty": held.bought,
        "daySellQty": held.sold,
        "dayBuyValue": float(held.bought_value),
        "daySellValue": float(held.sold_value),
        "drvExpiryDate": str(instrument.expiry) if instrument.expiry else NO_DATE,
        "drvOptionType": _OPTION_TYPES.get(instrument.option_type, "NA"),
        "drvStrikePrice": float(instrument.strike),
        "crossCurrency": False,
    }


def holding(held: PaperHolding) -> dict[str, object]:
    """Return the row of shares in the depository; it names no exchange."""
    return {
        "exchange": "ALL",
        "tradingSymbol": held.instrument.symbol,
        "securityId": held.instrument.security_id,
        "isin": "INE000000000",
        "totalQty": held.quantity,
        "dpQty": held.quantity,
        "t1Qty": 0,
        "availableQty": held.quantity,
        "collateralQty": 0,
        "avgCostPrice": float(held.average),
    }


def fund_limit(account: PaperAccount, portfolio: Portfolio) -> dict[str, object]:
    """Return the funds; the balance includes pledged shares. The misspelt key is the broker's."""
    available = portfolio.available()
    return {
        "dhanClientId": account.client_id,
        "availabelBalance": float(available),
        "sodLimit": float(portfolio.funds),
        "collateralAmount": float(portfolio.collateral),
        "receiveableAmount": 0.0,
        "utilizedAmount": float(portfolio.funds + portfolio.collateral - available),
        "blockedPayoutAmount": 0.0,
        "withdrawableBalance": float(available),
    }


def profile(account: PaperAccount, valid_until: datetime, segments: Iterable[str], data_plan: str) -> dict[str, object]:
    """Return the profile, with the token's end in India's time."""
    return {
        "dhanClientId": account.client_id,
        "tokenValidity": f"{valid_until.astimezone(IST):%d/%m/%Y %H:%M}",
        "activeSegment": ", ".join(segments),
        "ddpi": "Active",
        "mtf": "Active",
        "dataPlan": data_plan,
        "dataValidity": "NA",
    }


def error(refusal: Refusal) -> Mapping[str, str]:
    """Return the body of a refusal."""
    return {"errorType": refusal.error_type, "errorCode": refusal.code, "errorMessage": refusal.message}


def _leg_name(family: Family | None) -> str:
    if family is None:
        return "NA"
    return _LEGS.get(family.leg, "ENTRY_LEG" if family.remarks == "Super Order" else "NA")


def _average(order: PaperOrder) -> float:
    return round(float(order.average), 4)


def _time(moment: datetime | None) -> str:
    return NEVER if moment is None else moment.astimezone(IST).isoformat(" ")[: len(NEVER)]
