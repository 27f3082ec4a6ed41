"""Settings: one schema, read from TOML and validated before anything starts.

``"${NAME}"`` in any string is taken from the environment or from a ``.env`` beside the settings. Unknown keys are
faults: a misspelt limit must not silently be no limit.
"""

from copytrade.settings.accounts import Account, Follower, Leader
from copytrade.settings.board import Board
from copytrade.settings.broker import Dhan, Market, Paper, Tokens
from copytrade.settings.copying import Copying
from copytrade.settings.faults import SettingsUnusable
from copytrade.settings.loading import load_settings
from copytrade.settings.operation import Alerts, Log, Recovery, Speed, Storage, Supervision
from copytrade.settings.request_limits import Limits, Reads
from copytrade.settings.schema import Settings
from copytrade.settings.secrets import secrets_of

__all__ = [
    "Account",
    "Alerts",
    "Board",
    "Copying",
    "Dhan",
    "Follower",
    "Leader",
    "Limits",
    "Log",
    "Market",
    "Paper",
    "Reads",
    "Recovery",
    "Settings",
    "SettingsUnusable",
    "Speed",
    "Storage",
    "Supervision",
    "Tokens",
    "load_settings",
    "secrets_of",
]
