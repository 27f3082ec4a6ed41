"""The preflight as a table, with the findings below it."""

from collections.abc import Iterable, Sequence

from copytrade.core.model.accounts import Facts, Master
from copytrade.reports.preflight import Judgement, by_finding, moment
from copytrade.reports.text_table import aligned

_HEADS = (
    *("account", "", "token until IST", "address", "available Rs", "segments", "clock", "feed", "instruments"),
    *("pending", "orders today"),
)
_TEXT_HEADS = frozenset({"account", "", "token until IST", "address", "segments", "feed", "instruments"})


def table(judgements: Sequence[Judgement], more: Iterable[str] = ()) -> str:
    """Return the table and the findings below it; a finding about several accounts is printed once."""
    lines = aligned(_HEADS, [_row(judgement) for judgement in judgements], _TEXT_HEADS)
    told = [f"{', '.join(names)}: {finding.words}" for finding, names in by_finding(judgements)]
    below = [*told, *more]
    return "\n".join([*lines, *([""] if below else []), *below])


def _row(judgement: Judgement) -> tuple[str, ...]:
    facts = judgement.facts
    answers = not (facts.problem or facts.no_source)
    return (
        facts.name,
        "go" if judgement.can_trade else "NO-GO",
        "refused" if facts.token_refused else moment(facts.token_until),
        _address_cell(facts),
        f"{facts.funds.available:.2f}" if facts.funds else "-",
        ",".join(segment[:3] for segment in facts.segments) or "-",
        f"{facts.skew:+.0f}s" if facts.skew is not None and answers else "-",
        _feed_cell(facts),
        _master_cell(facts.master),
        "-" if facts.pending is None else str(facts.pending),
        f"{facts.budget.used}/{facts.budget.per_day}" if facts.budget else "-",
    )


def _address_cell(facts: Facts) -> str:
    if facts.no_source:
        return "not ours"
    if not facts.sends:
        return "any"
    if facts.address_refused:
        return "refused"
    if facts.addresses is None:
        return "-"
    seen = facts.addresses.detected or facts.source_address
    word = {True: "accepted", False: "refused", None: "unknown"}[facts.addresses.accepts(facts.source_address)]
    return f"{seen} {word}".strip()


def _feed_cell(facts: Facts) -> str:
    if facts.feed_in_use:
        return "in use"
    return "-" if facts.feed is None else "refused" if facts.feed else "works"


def _master_cell(master: Master | None) -> str:
    if master is None:
        return "-"
    if master.problem:
        return "none"
    return f"{master.instruments} of {master.of:%d %b}" if master.of else f"{master.instruments}"
