"""The knobs of the paper broker: what it shows late, changed or not at all, and what accounts have."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from copytrade.paper.exchange.family_rules import FamilyRules
from copytrade.paper.exchange.instruments import PaperInstrument
from copytrade.paper.exchange.margins import Margins
from copytrade.paper.exchange.orders import Refusal
from copytrade.paper.exchange.portfolio import PaperHolding
from copytrade.paper.server import wire
from copytrade.paper.server.account_status import ALL_SEGMENTS, AccountStatuses
from copytrade.paper.server.faults import Faults, Kind, Mischief, RestFault
from copytrade.paper.server.feeds import Feeds, SentFrame
from copytrade.paper.server.refusals import REFUSALS
from copytrade.paper.server.rest import BrokerServer, ReceivedRead, ReceivedWrite
from copytrade.paper.server.rewriting import Rewriting, Told
from copytrade.paper.server.showing import NEVER_SHOWN, Showing
from copytrade.paper.server.tokens import LoginAttempt, Tokens
from copytrade.paper.trading import Amount, Trading


class Knobs(Trading):
    """The methods of the paper broker that change what it shows. ``docs/paper-broker.md`` lists them."""

    faults: Faults
    showing: Showing
    feeds: Feeds
    tokens: Tokens
    account_statuses: AccountStatuses
    received: BrokerServer

    def changes(self, client_id: str) -> list[dict[str, object]]:
        """Return every state of an account's orders as a row, with ``at`` in monotonic seconds."""

        def found() -> list[dict[str, object]]:
            portfolio = self.exchange.portfolio(client_id)
            states = [state for order in (*portfolio.past_orders, *portfolio.orders.values()) for state in order.past]
            return [{"at": at, **wire.row(order)} for at, order in sorted(states, key=lambda state: state[0])]

        return self.call(found)

    def positions(self, client_id: str) -> list[dict[str, object]]:
        """Return the true rows of an account's positions, whatever is shown."""
        prices = self.exchange.prices
        return self.call(
            lambda: [
                wire.position(client_id, held, prices[held.instrument.key])
                for held in self.exchange.positions(client_id)
            ]
        )

    def refuse(
        self,
        code: str,
        kind: Kind | str | None = None,
        client_id: str | None = None,
        times: int | None = 1,
        *,
        path: str = "",
        message: str = "",
        chance: float = 1.0,
        where: Mapping[str, object] | None = None,
    ) -> None:
        """Refuse the next ``times`` requests with an error of the broker, DH-901 to DH-911."""
        refusal = REFUSALS[code]
        body = wire.error(Refusal(refusal.status, code, refusal.error_type, message or refusal.message))
        fault = RestFault(Mischief.ANSWER, None if kind is None else Kind(kind), client_id, times)
        fault = replace(fault, status=refusal.status, body=json.dumps(body))
        self.faults.add(replace(fault, path=path, chance=chance, where=where or {}))

    def lag(self, client_id: str, **seconds: float) -> None:
        """Delay an account's ``book``, ``positions`` or ``feed``, or how soon new orders are ``visible``: seconds."""
        self.call(lambda: self.showing.set_lags(client_id, **seconds))

    def hide(self, client_id: str, order_id: str, seconds: float = NEVER_SHOWN) -> None:
        """Hide an order everywhere for ``seconds``."""
        self.call(lambda: self.showing.hide(self.exchange.order(client_id, order_id).id, seconds))

    def rewrite(self, told: Told | str, client_id: str | None = None, **rule: Any) -> None:
        """Add a ``Rewriting`` rule with these fields."""
        rewriting = Rewriting(Told(told), client_id, **rule | {"removed": tuple(rule.get("removed", ()))})
        self.call(lambda: self.showing.rewritings.add(rewriting))

    def set_families(self, **rules: Any) -> None:
        """Change some of the broker's ways with super orders: the fields of ``FamilyRules``."""
        self.call(lambda: setattr(self.super_orders, "rules", replace(self.super_orders.rules, **rules)))

    def add_row(self, told: Told | str, client_id: str, fields: Mapping[str, object]) -> None:
        """Add a row to an account's list that does not exist at the exchange."""
        self.call(lambda: self.showing.add(Told(told), client_id, fields))

    def echo(self, client_id: str, *others: str) -> None:
        """Send an account's order updates over the sockets of others as well."""
        self.call(lambda: self.showing.echo(client_id, *others))

    def clear_faults(self) -> None:
        """End every fault, and show everything at once and unchanged. What was hidden for ever stays hidden."""
        self.faults.clear()
        self.call(lambda: setattr(self.super_orders, "rules", FamilyRules()))
        self.call(self.showing.clear)

    def carry(
        self,
        client_id: str,
        security_id: str,
        quantity: int,
        *,
        product: str = "MARGIN",
        price: Amount = 0,
        segment: str = "NSE_FNO",
    ) -> None:
        """Add a position from before today, at a price or today's; ``quantity`` is negative for a short one."""
        instrument = self.instrument(security_id, segment)
        at = Decimal(str(price)) or self.exchange.prices[instrument.key]
        self.call(lambda: self.exchange.portfolio(client_id).carry(instrument, product, quantity, at))

    def hold(
        self,
        client_id: str,
        security_id: str,
        quantity: int,
        *,
        price: Amount = 0,
        segment: str = "NSE_EQ",
    ) -> None:
        """Give an account shares in the depository, bought at a price or today's."""
        instrument = self.instrument(security_id, segment)
        at = Decimal(str(price)) or self.exchange.prices[instrument.key]
        held = PaperHolding(instrument, quantity, at)
        self.call(lambda: self.exchange.portfolio(client_id).holdings.update({instrument.key: held}))

    def convert(
        self, client_id: str, security_id: str, old: str, new: str, quantity: int, *, segment: str = "NSE_FNO"
    ) -> None:
        """Convert units of a position to another product; only the positions show it. Raises Refusal."""
        instrument = self.instrument(security_id, segment)
        self.call(lambda: self.exchange.portfolio(client_id).convert(instrument, old, new, quantity))

    def split(self, security_id: str, old: int, new: int, *, segment: str = "NSE_EQ") -> None:
        """Split what every account holds from before today: ``new`` units for each ``old``."""
        key = self.instrument(security_id, segment).key
        self.call(lambda: self.exchange.split(key, old, new))

    def pass_night(self) -> None:
        """Make it the next day, by the broker's clock too: orders that rest expire, and positions are carried."""

        def passes() -> None:
            self.exchange.pass_night()
            self.tokens.pass_night()
            self.account_statuses.clock_skew += timedelta(days=1).total_seconds()

        self.call(passes)

    def set_funds(self, client_id: str, *, sod: Amount | None = None, collateral: Amount = 0) -> None:
        """Set the rupees at the start of the day, and those for pledged shares."""

        def change() -> None:
            portfolio = self.exchange.portfolio(client_id)
            portfolio.funds = portfolio.funds if sod is None else Decimal(str(sod))
            portfolio.collateral = Decimal(str(collateral))

        self.call(change)

    def set_margins(self, client_id: str, *, sold: Amount, hedged: Amount) -> None:
        """Have what an account sells need so many rupees a unit: ``sold`` alone, ``hedged`` beside a bought unit."""
        margins = Margins(Decimal(str(sold)), Decimal(str(hedged)))
        self.call(lambda: setattr(self.exchange.portfolio(client_id), "margins", margins))

    def add_instrument(self, **fields: Any) -> None:
        """Add an instrument to the exchange: the fields of ``PaperInstrument``."""
        read: dict[str, Any] = dict(fields)
        for name in ("tick", "price", "strike"):
            if name in fields:
                read[name] = Decimal(str(fields[name]))
        if isinstance(fields.get("expiry"), str):
            read["expiry"] = date.fromisoformat(fields["expiry"])
        self.call(lambda: self.exchange.list_instrument(PaperInstrument(**read)))

    def replace_token(self, client_id: str, token: str = "", lives: float = 86_400.0) -> str:
        """Give an account a new token that lives ``lives`` seconds, as on the web site; return it. The old one ends."""
        return self.call(lambda: self.tokens.replace(client_id, token, timedelta(seconds=lives)))

    def revoke_token(self, client_id: str) -> None:
        """End an account's token, as a login from elsewhere does. Sockets that have logged in stay open."""
        self.call(lambda: self.tokens.revoke(client_id))

    def shorten_token(self, client_id: str, lives: float = 0.0) -> None:
        """Let an account's token expire in ``lives`` seconds."""
        self.call(lambda: self.tokens.shorten(client_id, timedelta(seconds=lives)))

    def change_pin(self, client_id: str, pin: str) -> None:
        """Change the PIN of an account."""
        self.call(lambda: self.tokens.change_pin(client_id, pin))

    def allow_logins(self, every: float) -> None:
        """Allow a login every ``every`` seconds, instead of every two minutes."""
        self.call(lambda: setattr(self.tokens, "between_logins", timedelta(seconds=every)))

    def token_attempts(self, client_id: str) -> list[LoginAttempt]:
        """Return every requested login and renewal."""
        return self.call(lambda: list(self.tokens.attempts[client_id]))

    def writes(self, client_id: str) -> list[ReceivedWrite]:
        """Return every order request received for an account, also refused ones."""
        return self.call(lambda: list(self.received.writes[client_id]))

    def reads(self, client_id: str) -> list[ReceivedRead]:
        """Return every read received for an account, also refused ones."""
        return self.call(lambda: list(self.received.reads[client_id]))

    def feed_connections(self, client_id: str) -> int:
        """Return the number of an account's open order-update sockets."""
        return self.call(lambda: self.feeds.connections(client_id))

    def drop_feed(self, client_id: str, refuse_for: float = 0.0, *, reset: bool = False) -> None:
        """End an account's order-update sockets, and refuse handshakes for ``refuse_for`` seconds.

        They end with a close frame, or with ``reset`` by a reset of the connection.
        """
        self.call(lambda: self.feeds.drop(client_id, refuse_for, reset=reset))

    def mute_feed(self, client_id: str, *, muted: bool = True) -> None:
        """Silence an account's sockets but keep them open, or end that."""
        self.call(lambda: self.feeds.mute(client_id, muted=muted))

    def watch(self, client_id: str) -> None:
        """Record from now on what is sent over an account's order-update sockets."""
        self.call(lambda: self.feeds.watch(client_id))

    def sent_frames(self, client_id: str) -> list[SentFrame]:
        """Return what has been sent over an account's order-update sockets since it was watched."""
        return self.call(lambda: list(self.feeds.sent.get(client_id, ())))

    def send_frame(self, client_id: str, message: str | bytes) -> None:
        """Send any message over an account's order-update sockets."""
        self.call(lambda: self.feeds.send(client_id, message))

    def register_addresses(self, client_id: str, *addresses: str) -> None:
        """Accept an account's orders only from these addresses."""
        self.account_statuses.of(client_id).addresses = addresses

    def set_standing(
        self, client_id: str, *, segments: Sequence[str] = ALL_SEGMENTS, data_plan: str = "Deactive"
    ) -> None:
        """Set an account's segments, in the profile's words, and its data plan."""
        account_status = self.account_statuses.of(client_id)
        account_status.segments, account_status.data_plan = tuple(segments), data_plan

    def refuse_feed(self, client_id: str, *, refused: bool = True) -> None:
        """Refuse an account's logins at the order-update socket although its token works, or end that."""
        self.account_statuses.of(client_id).feed_refused = refused

    def set_clock(self, skew: float) -> None:
        """Set the difference of the broker's clock, as its replies show it, from ours in seconds."""
        self.account_statuses.clock_skew = skew
