"""Paper mode: the settings' accounts at an embedded broker, and the settings with its URLs."""

from pydantic import SecretStr

from copytrade.app.clients import accounts_of
from copytrade.app.paths import open_database
from copytrade.common import wall_clock
from copytrade.core.model.ledger import Line
from copytrade.paper.exchange.matching import PaperAccount
from copytrade.paper.process import PaperConfig, PaperProcess
from copytrade.reports.queries import remembered
from copytrade.reports.snapshot import open_to_read
from copytrade.settings import Dhan, Settings
from copytrade.storage.database import DatabaseUnusable
from copytrade.storage.records import ConfigSet, LedgerChanged

#: The key in ``config`` of the paper broker's URL.
_REST_URL = "paper_rest_url"

#: What a command says in paper mode when no copier runs.
PAPER_HAS_ENDED = "nothing is open: a broker on paper ends with its copier"

#: Seconds into a paper session at which a follower crashes on purpose, and another hangs.
CRASH_AFTER, HANG_AFTER = 8.0, 12.0


def paper_config(settings: Settings) -> PaperConfig:
    """Return the paper broker that the settings ask for."""
    paper = settings.paper
    named = accounts_of(settings)
    if len(settings.leaders) == 1:  # whatever he is called
        named = {"leader": settings.leader, **{follower.name: follower for follower in settings.followers}}
    return PaperConfig(
        accounts=tuple(
            PaperAccount(
                account.client_id,
                _plain(account.access_token),
                paper.funds.get(name, paper.default_funds),
                pin=_plain(account.pin),
                totp_secret=_plain(account.totp_secret),
            )
            for name, account in named.items()
        ),
        leader=settings.leader.client_id,
        more_leaders=tuple(settings.leader_ids.values())[1:],
        seed=paper.seed,
        speed=paper.speed,
        scripted=paper.scripted,
        partial_fills=paper.partial_fills,
        rejections=paper.rejections,
        halts=paper.halts,
    )


def with_paper_urls(settings: Settings, paper: PaperProcess | Dhan) -> Settings:
    """Return the settings with the paper broker's URLs, and without proxies and source addresses."""
    urls = {
        "rest_url": paper.rest_url,
        "feed_url": paper.feed_url,
        "auth_url": paper.auth_url,
        "instruments_url": paper.instruments_url,
    }
    direct = {"source_address": None, "proxy": None}
    return settings.model_copy(
        update={
            "dhan": settings.dhan.model_copy(update=urls),
            "leaders": tuple(leader.model_copy(update=direct) for leader in settings.leaders),
            "followers": tuple(follower.model_copy(update=direct) for follower in settings.followers),
        }
    )


def write_down(paper: PaperProcess, settings: Settings) -> None:
    """Store the paper broker's URL in the database, so that commands can reach it while the copier runs.

    What was held at an earlier paper broker ended with it: every line of the ledger begins at nothing.
    """
    database = open_database(settings)
    database.take_over()
    database.write([ConfigSet(_REST_URL, paper.rest_url)])  # with what a killed copier left behind
    now = wall_clock.now()
    database.write(
        LedgerChanged(follower.name, Line(line.key), now)
        for follower in settings.followers
        for line in database.lines(follower.name)
    )
    database.close()


def with_last_paper_url(settings: Settings) -> Dhan:
    """Return the broker's URLs, in paper mode those that were stored last. Raises DatabaseUnusable."""
    if settings.mode != "paper":
        return settings.dhan
    with open_to_read(settings.store.database) as connection:
        rest_url = remembered(connection, _REST_URL)
    if rest_url is None:
        raise DatabaseUnusable("there is no broker on paper before a copier has been started")
    return settings.dhan.model_copy(update={"rest_url": rest_url})


def _plain(secret: SecretStr | None) -> str:
    return secret.get_secret_value() if secret is not None else ""
