"""Lines that are open otherwise than the settings say now."""

from collections.abc import Iterable

from loguru import logger

from copytrade.common.logs import fields
from copytrade.core.ledger.sizing import SizingPolicy, is_opened_otherwise
from copytrade.core.model.ledger import Line


def say_what_goes_on(follower: str, lines: Iterable[Line], sizing: SizingPolicy) -> None:
    """Log each line that goes on as it was opened until it is flat: the settings have changed since."""
    for line in lines:
        if line.held and is_opened_otherwise(line.ratio, sizing):
            held = f"{line.held} of {line.key.key.security_id} {line.key.product}"
            ratio = f"{float(line.ratio.value):g}" if line.ratio else None
            what = fields(follower=follower, leader=line.key.leader, line=held, ratio=ratio)
            logger.info("Line goes on as it was opened, until it is flat {}", what)
