"""Freeze quantities: how many units of a contract one order may have before the exchange refuses it.

They are revised every month by circular and are not in the instrument master, so they are dated data: ``freeze.json``
is what was known when this version was made, and the operator's settings win over it without a release.
"""

from collections.abc import Mapping
from datetime import date
from importlib import resources
from types import MappingProxyType
from typing import Annotated, Self

import msgspec
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator


class FreezeTableUnusable(Exception):
    """The freeze quantities cannot be used: the message says which file, where in it, and why."""


class _Row(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class FreezeRow(_Row):
    """The most units that one order on this underlying may have, from the date ``since`` until a later row's."""

    underlying: Annotated[str, Field(pattern="^[A-Z0-9&-]+$")]
    since: date
    quantity: Annotated[int, Field(ge=1)]
    source: str


class _File(_Row):
    as_of: date
    source: str
    rows: tuple[FreezeRow, ...]

    @model_validator(mode="after")
    def _no_date_twice(self) -> Self:
        dates = [(row.underlying, row.since) for row in self.rows]
        if twice := sorted(
            {f"{underlying} {since}" for underlying, since in dates if dates.count((underlying, since)) > 1}
        ):
            raise ValueError(f"rows: more than one for {', '.join(twice)}")
        return self


class FreezeTable(msgspec.Struct, frozen=True):
    """The freeze quantities. ``as_of`` is the date to which circulars were read; an override counts on every date."""

    as_of: date
    source: str
    rows: tuple[FreezeRow, ...]
    overrides: Mapping[str, int]

    def quantity(self, underlying: str, on: date) -> int | None:
        """Return the freeze quantity in units; None where none is known."""
        if underlying in self.overrides:
            return self.overrides[underlying]
        known = (row for row in self.rows if row.underlying == underlying and row.since <= on)
        latest = max(known, key=lambda row: row.since, default=None)
        return None if latest is None else latest.quantity

    def slice_of(self, underlying: str, lot_size: int, on: date) -> int | None:
        """Return the most units in whole lots that one order may have; None where no freeze quantity is known.

        At least one lot: a quantity below the smallest order must be wrong, and the exchange can judge that order.
        """
        quantity = self.quantity(underlying, on)
        return None if quantity is None else max(quantity // lot_size, 1) * lot_size


def load_freeze_table(overrides: Mapping[str, int] = {}) -> FreezeTable:
    """Read the freeze quantities of this version, under the operator's, which are units by underlying.

    Raises FreezeTableUnusable.
    """
    try:
        content = resources.files("copytrade.core.market").joinpath("freeze.json").read_bytes()
    except OSError as error:
        raise FreezeTableUnusable(f"freeze quantities freeze.json: {error.strerror or error}") from None
    return parse_freeze_table(content, "freeze.json", overrides)


def parse_freeze_table(content: bytes, where: str, overrides: Mapping[str, int] = {}) -> FreezeTable:
    """Read freeze quantities from JSON; ``where`` names it in the message. Raises FreezeTableUnusable."""
    try:
        told = _File.model_validate_json(content)
    except ValidationError as error:
        faults = [": ".join(filter(None, (".".join(map(str, e["loc"])), e["msg"]))) for e in error.errors()]
        raise FreezeTableUnusable(f"freeze quantities {where}: {'; '.join(faults)}") from None
    own = MappingProxyType({underlying.upper(): quantity for underlying, quantity in overrides.items()})
    return FreezeTable(told.as_of, told.source, told.rows, own)
