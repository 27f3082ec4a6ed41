"""The base of every table of the settings, and the types of its values: bounded numbers, names, URLs."""

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PlainValidator

from copytrade.core.decide.risk_limits import LossLimit


class Section(BaseModel):
    """A table of the settings: unknown keys are faults, and no fault shows a value."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, validate_default=True)


def _loss_limit(value: object) -> LossLimit:
    text = str(value).strip()
    try:
        amount = Decimal(text.removesuffix("%").strip())
    except InvalidOperation:
        amount = Decimal(0)
    is_percent = text.endswith("%")
    if not amount.is_finite() or amount <= 0 or (is_percent and amount > 100):
        raise ValueError('must be rupees, or percent of the start-of-day capital like "3%"')
    return LossLimit(amount, is_percent)


def _lots(value: object) -> int | dict[str, Decimal]:
    if isinstance(value, int) and not isinstance(value, bool):
        if value < 1:
            raise ValueError("must be 1 or more")
        return value
    if not isinstance(value, Mapping):
        fault = "must be a whole number, or a table with a factor for each underlying"
        raise ValueError(fault)  # noqa: TRY004 (pydantic takes no TypeError)
    factors = {}
    for underlying, factor in value.items():
        try:
            factors[str(underlying).strip().upper()] = number = Decimal(str(factor))
        except InvalidOperation:
            number = Decimal(0)
        if not number.is_finite() or number <= 0:
            raise ValueError(f"{underlying} must be a number greater than 0")
    return factors


#: How many lots an order of ``fixed_lots`` has; or by which the ratio is multiplied, by underlying.
Lots = Annotated[int | dict[str, Decimal], PlainValidator(_lots)]
Loss = Annotated[LossLimit, PlainValidator(_loss_limit)]
#: Names that are compared without regard to case.
Names = Annotated[frozenset[str], AfterValidator(lambda names: frozenset(name.strip().upper() for name in names))]
Positive = Annotated[Decimal, Field(gt=0, allow_inf_nan=False)]
Chance = Annotated[float, Field(ge=0, le=1)]
Percent = Annotated[Decimal, Field(gt=0, le=100)]
Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NAME = r"^[A-Za-z0-9][A-Za-z0-9_-]{0,31}$"
Name = Annotated[str, Field(pattern=NAME)]
ClientId = Annotated[str, Field(pattern=r"^[A-Za-z0-9]{1,32}$", coerce_numbers_to_str=True)]
#: URLs to which a token is sent: over TLS, or on this machine.
LOOPBACK = r"(127\.\d+\.\d+\.\d+|localhost|\[::1\])(:\d+)?(/|$)"
HTTP, FEED = f"^(https://|http://{LOOPBACK})", f"^(wss://|ws://{LOOPBACK})"
FILE = f"{HTTP}|^/|^[^:]+$"
HttpUrl = Annotated[str, Field(pattern=HTTP)]
FeedUrl = Annotated[str, Field(pattern=FEED)]
HttpUrlOrFile = Annotated[str, Field(pattern=FILE)]
