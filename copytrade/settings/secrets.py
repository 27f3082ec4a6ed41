"""The secrets among the settings."""

from urllib.parse import urlsplit

from pydantic import SecretStr

from copytrade.settings.schema import Settings


def secrets_of(settings: Settings) -> list[SecretStr]:
    """Return every secret in the settings."""
    accounts = (*settings.leaders, *settings.followers)
    given = [secret for account in accounts for secret in (account.access_token, account.pin, account.totp_secret)]
    tokens = [secret for secret in given if secret is not None]
    proxies = [secret for account in accounts if account.proxy for secret in (account.proxy, _password(account.proxy))]
    board = [] if settings.board.password_hash is None else [settings.board.password_hash]
    return [*tokens, *board, *settings.alerts.urls, *(secret for secret in proxies if secret.get_secret_value())]


def _password(proxy: SecretStr) -> SecretStr:
    return SecretStr(urlsplit(proxy.get_secret_value()).password or "")
