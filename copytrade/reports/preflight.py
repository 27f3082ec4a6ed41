"""The preflight: what must be right before an account can trade, judged from facts, and what to do if it is not.

There are two kinds of fault. The broker would refuse every order of an account that is *barred*: it is left out at the
start. Any other fault needs the operator, but the account is started: it may hold positions, and exits need it.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from enum import IntEnum
from itertools import combinations

import msgspec

from copytrade.core.decide.filters import EVERYTHING
from copytrade.core.model.accounts import Facts
from copytrade.core.model.orders import IST

#: Seconds that our clock may differ from the broker's without a note, and without a fault.
CLOCK_DIFFERS, CLOCK_IS_WRONG = 2.0, 60.0

#: A token that expires sooner is noted: a trading day of the stock exchanges and more.
TOKEN_LASTS = timedelta(hours=8)

#: Maximum age of an instrument master: over a long weekend none is published.
MASTER_LASTS = timedelta(days=4)

#: What to do when the broker says "Invalid IP" (DH-905, DH-911): it takes orders from registered addresses alone.
ADDRESS_REFUSED = (
    "The broker takes this account's orders only from the addresses registered for it: register the one its requests"
    " come from (web.dhan.co, or POST /ip/setIP; it then stays for 7 days), or set source_address or proxy to a"
    " registered one, and start again."
)

_NEW_TOKEN = "make a new one (web.dhan.co, Access DhanHQ APIs) and put it where the settings take it from"  # noqa: S105

#: The first word of the profile's name of the segment that an instrument kind trades in.
_SEGMENT_OF_KIND = {
    "EQUITY": "Equity",
    **dict.fromkeys(("OPTIDX", "OPTSTK", "FUTIDX", "FUTSTK"), "Derivative"),
    **dict.fromkeys(("OPTCUR", "FUTCUR"), "Currency"),
    **dict.fromkeys(("OPTFUT", "FUTCOM"), "Commodity"),
}


class Origin(msgspec.Struct, frozen=True, gc=False):
    """The address from which a follower's orders come. ``address`` is only compared; ``shown`` may be printed."""

    name: str
    relationship: str
    address: str
    shown: str


class Gravity(IntEnum):
    """How severe a finding is."""

    NOTE = 1  #: information
    FAULT = 2  #: needs the operator, but exits may work
    BARS = 3  #: the broker would refuse every order


class Finding(msgspec.Struct, frozen=True, gc=False):
    """A finding about an account, and what to do about it."""

    gravity: Gravity
    words: str


class Judgement(msgspec.Struct, frozen=True, gc=False):
    """The facts of an account and the findings about it."""

    facts: Facts
    findings: tuple[Finding, ...]

    @property
    def can_trade(self) -> bool:
        """Whether there is no fault."""
        return all(finding.gravity is Gravity.NOTE for finding in self.findings)

    @property
    def why_barred(self) -> str:
        """Return why the broker would refuse all orders of the account, "" if it would not."""
        return " ".join(finding.words for finding in self.findings if finding.gravity is Gravity.BARS)


def judge(facts: Facts) -> Judgement:
    """Return every finding about an account."""
    findings = (
        *_way(facts),
        *_token(facts),
        *_address(facts),
        *_funds(facts),
        *_segments(facts),
        *_clock(facts),
        *_feed(facts),
        *_master(facts),
        *_pending(facts),
        *_budget(facts),
    )
    return Judgement(facts, findings)


def by_finding(judgements: Iterable[Judgement]) -> list[tuple[Finding, list[str]]]:
    """Return each finding once, the most severe first, with the names of its accounts."""
    names: dict[Finding, list[str]] = {}
    for judgement in judgements:
        for finding in judgement.findings:
            names.setdefault(finding, []).append(judgement.facts.name)
    return sorted(names.items(), key=lambda found: -found[0].gravity)


def shared_addresses(followers: Sequence[Origin]) -> list[str]:
    """Return a warning for each address from which followers of different people send, with all their names.

    "self" is one person and "spouse" another; two children, parents or others count as two people. The leader does
    not count: no order is sent for it.
    """
    together: dict[str, list[Origin]] = {}
    for follower in followers:
        together.setdefault(follower.address, []).append(follower)
    return [
        f"{_and([f'{one.name} ({one.relationship})' for one in group])} send from the same address, {group[0].shown}:"
        " the broker allows one person an address, give each a source_address or a proxy of its own."
        for group in together.values()
        if any(_are_two_people(one, other) for one, other in combinations(group, 2))
    ]


def _are_two_people(one: Origin, other: Origin) -> bool:
    return one.relationship != other.relationship or one.relationship not in ("self", "spouse")


def _and(names: Sequence[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]])


def _way(facts: Facts) -> Iterable[Finding]:
    if facts.no_source:
        yield Finding(
            Gravity.BARS,
            f"Nothing can be sent from source_address {facts.source_address} ({facts.no_source}): give this machine"
            " that address, or correct the setting.",
        )
    elif facts.problem:
        yield Finding(
            Gravity.FAULT,
            f"The broker does not answer as it should ({facts.problem}): check the network and [dhan] rest_url.",
        )


def _token(facts: Facts) -> Iterable[Finding]:
    if facts.logs_in and (not facts.has_token or facts.token_refused or _has_ended(facts)):
        yield Finding(Gravity.NOTE, "No access token works now: one is fetched with PIN and TOTP at the start.")
    elif facts.token_refused:
        ended = f", it ended at {moment(facts.token_until)}" if _has_ended(facts) else ""
        yield Finding(
            Gravity.BARS, f"The broker refuses the access token ({facts.token_refused}){ended}: {_NEW_TOKEN}."
        )
    elif facts.account_refused:
        yield Finding(Gravity.BARS, f"The broker refuses the account ({facts.account_refused}): ask the broker.")
    elif facts.token_of not in ("", facts.client_id):
        yield Finding(
            Gravity.BARS,
            f"The access token is that of client {facts.token_of}, the settings say client {facts.client_id}: correct"
            " one of them.",
        )
    elif _has_ended(facts):
        yield Finding(Gravity.BARS, f"The access token ended at {moment(facts.token_until)}: {_NEW_TOKEN}.")
    elif facts.token_until is not None and facts.token_until - _their_now(facts) < TOKEN_LASTS:
        yield Finding(Gravity.NOTE, f"The access token ends at {moment(facts.token_until)}, before the day does.")


def _address(facts: Facts) -> Iterable[Finding]:
    if not facts.sends:
        return
    if facts.address_refused:
        yield Finding(Gravity.BARS, f"The broker refuses the address ({facts.address_refused}). {ADDRESS_REFUSED}")
    elif facts.addresses is not None:
        known = ", ".join(facts.addresses.registered or ()) or "none"
        match facts.addresses.accepts(facts.source_address):
            case False:
                seen = f"The broker sees {facts.addresses.detected}" if facts.addresses.detected else "Address refused"
                yield Finding(Gravity.BARS, f"{seen}, registered is {known}. {ADDRESS_REFUSED}")
            case None:
                yield Finding(
                    Gravity.NOTE, f"The broker does not say whether it takes our address (registered: {known})."
                )


def _funds(facts: Facts) -> Iterable[Finding]:
    if facts.funds is None:
        return
    counts = facts.with_collateral
    if facts.needs_capital and facts.funds.lacks_much(with_collateral=counts):
        pledged, begun = f"{facts.funds.collateral:.2f}", f"{facts.funds.start_of_day:.2f}"
        is_all = facts.funds.start_of_day <= 0
        means = "nothing is entered" if is_all else "what is copied is sized without it"
        yield Finding(
            Gravity.FAULT if is_all else Gravity.NOTE,
            f"Rs {pledged} are pledged and not counted, the day began with Rs {begun} beside them: {means}; set"
            ' capital = "sod_and_collateral", or to a number of rupees.',
        )
    elif facts.needs_capital and facts.funds.capital(with_collateral=counts) <= 0:
        yield Finding(
            Gravity.FAULT,
            "The day began with no funds, and it is sized by them: nothing is entered; set capital, or add funds before"
            " the day begins.",
        )
    elif facts.funds.available <= 0 and facts.sends:
        yield Finding(Gravity.FAULT, "There are no funds: the broker will reject entries; add funds.")


def _segments(facts: Facts) -> Iterable[Finding]:
    if not facts.segments or not facts.sends:
        return
    needed = {_SEGMENT_OF_KIND[kind] for kind in facts.kinds if kind in _SEGMENT_OF_KIND}
    if missing := _inactive(facts, needed):
        yield Finding(
            Gravity.BARS,
            f"Segment {', '.join(missing)} is not active: activate it at the broker, or take its kinds out of"
            " instruments.",
        )
    elif EVERYTHING in facts.kinds and (missing := _inactive(facts, set(_SEGMENT_OF_KIND.values()))):
        yield Finding(
            Gravity.NOTE, f"Segment {', '.join(missing)} is not active: an order there would suspend the account."
        )


def _inactive(facts: Facts, words: Iterable[str]) -> list[str]:
    active = [segment.casefold() for segment in facts.segments]
    return sorted(word for word in words if not any(segment.startswith(word.casefold()) for segment in active))


def _clock(facts: Facts) -> Iterable[Finding]:
    if facts.skew is None or abs(facts.skew) <= CLOCK_DIFFERS:
        return
    which = f"{_duration(abs(facts.skew))} {'behind' if facts.skew > 0 else 'ahead of'} the broker's"
    if abs(facts.skew) > CLOCK_IS_WRONG:
        yield Finding(
            Gravity.FAULT,
            f"This machine's clock is wrong, {which}: set it, and keep it set (timedatectl set-ntp true).",
        )
    else:
        yield Finding(Gravity.NOTE, f"This machine's clock is {which}.")


def _feed(facts: Facts) -> Iterable[Finding]:
    if facts.feed and not facts.token_refused:
        yield Finding(
            Gravity.FAULT,
            f"The order-update socket does not take the login ({facts.feed}): check [dhan] feed_url, and that no other"
            " program uses the account's token up.",
        )


def _master(facts: Facts) -> Iterable[Finding]:
    if facts.master is None:
        return
    if facts.master.problem:
        yield Finding(
            Gravity.FAULT,
            f"The instrument master cannot be read ({facts.master.problem}): check [dhan] instruments_url, or name a"
            " file there.",
        )
    elif not facts.master.instruments:
        kinds = ", ".join(sorted(facts.kinds))
        yield Finding(Gravity.FAULT, f"The instrument master knows no {kinds}: check instruments and instruments_url.")
    elif facts.master.of and _their_now(facts).astimezone(IST).date() - facts.master.of > MASTER_LASTS:
        yield Finding(
            Gravity.NOTE, f"The instrument master is of {facts.master.of}: lots and ticks may have changed since."
        )


def _pending(facts: Facts) -> Iterable[Finding]:
    if facts.pending:
        orders = "1 order with an id of ours rests" if facts.pending == 1 else f"{facts.pending} orders of ours rest"
        where = "on the leader's account: another copier is at work there" if facts.is_leader else "at the broker"
        yield Finding(Gravity.NOTE, f"{orders} (pending, ct-) {where}; the copier finds them by their ids.")


def _budget(facts: Facts) -> Iterable[Finding]:
    if facts.budget is None:
        return
    used, left = f"{facts.budget.used} of {facts.budget.per_day}", facts.budget.per_day - facts.budget.used
    if left <= 0:
        yield Finding(Gravity.FAULT, f"The order budget is used up ({used}): nothing more is sent until midnight.")
    elif left <= facts.budget.reserve:
        yield Finding(
            Gravity.FAULT, f"The order budget is used up but for the reserve ({used}): no entries until midnight."
        )


def _has_ended(facts: Facts) -> bool:
    return facts.token_until is not None and facts.token_until <= _their_now(facts)


def _their_now(facts: Facts) -> datetime:
    return facts.now + timedelta(seconds=facts.skew or 0.0)


def moment(when: datetime | None) -> str:
    """Return a time as text, in India's time."""
    return "-" if when is None else f"{when.astimezone(IST):%d %b %H:%M}"


def _duration(seconds: float) -> str:
    return f"{seconds / 60:.0f} minutes" if seconds >= 120 else f"{seconds:.0f} s"
