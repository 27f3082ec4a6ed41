"""Log lines about the capital that accounts are sized by: once per account, when it is first known."""

from decimal import Decimal

from loguru import logger

from copytrade.common.logs import alert, fields
from copytrade.common.measures import rupees
from copytrade.core.model.accounts import Funds


def set_in_settings(account: str, capital: Decimal) -> None:
    """Log a capital that the settings give."""
    logger.info("Capital to size by {}", fields(account=account, capital=capital, source="settings"))


def counted(account: str, funds: Funds, *, with_collateral: bool) -> None:
    """Log a capital that the broker reports, with or without pledged collateral."""
    source = "sod_and_collateral" if with_collateral else "sod"
    capital = funds.capital(with_collateral=with_collateral)
    left_out = None if with_collateral or not funds.collateral else f"{funds.collateral:.2f}"
    figures = fields(account=account, capital=rupees(capital), source=source, collateral_not_counted=left_out)
    if not funds.lacks_much(with_collateral=with_collateral):
        logger.info("Capital to size by {}", figures)
        return
    means = "nothing can be sized by it" if capital <= 0 else "what is copied is sized without it"
    what = 'set capital = "sod_and_collateral", or to a number of rupees'
    level = "CRITICAL" if capital <= 0 else "WARNING"
    alert("collateral_not_counted", account, "Capital to size by {} {}: {}", figures, means, what, level=level)
