"""Reading the settings from TOML, with values from the environment."""

import os
import re
import tomllib
from pathlib import Path
from typing import Any

from dotenv import dotenv_values
from pydantic import SecretStr, ValidationError

from copytrade.settings.faults import SettingsUnusable, faults_in, with_names
from copytrade.settings.live import live_faults
from copytrade.settings.operation import Alerts
from copytrade.settings.paths import with_absolute_paths
from copytrade.settings.schema import Settings

#: UTF-8, with or without the byte order mark of some editors.
_ENCODING = "utf-8-sig"

_REFERENCE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


def load_settings(path: Path) -> Settings:
    """Read and validate a settings file; its relative paths start at its folder.

    Raises SettingsUnusable with every fault at once.
    """
    faults: list[str] = []
    raw = with_absolute_paths(_read(path, faults), path.parent)
    try:
        settings = Settings.model_validate(raw)
    except ValidationError as error:
        unresolved = {_key_of(fault) for fault in faults}
        faults += [fault for fault in faults_in(error, raw, Settings) if _key_of(fault) not in unresolved]
        raise SettingsUnusable(with_names(faults, raw)) from None
    if faults := with_names(faults, raw) + live_faults(settings):
        raise SettingsUnusable(faults)
    return settings


def load_alert_urls(path: Path) -> tuple[SecretStr, ...]:
    """Return whom to tell of a settings file that cannot be used; nobody if it does not say, or is of paper mode."""
    faults: list[str] = []
    try:
        raw = _read(path, faults)
        urls = Alerts.model_validate(raw.get("alerts", {})).urls
    except (SettingsUnusable, ValidationError):
        return ()
    is_whole = not any(fault.startswith("alerts.") for fault in faults)
    return urls if is_whole and raw.get("mode", "paper") != "paper" else ()


def _read(path: Path, faults: list[str]) -> dict[str, Any]:
    """Return a file's tables with values from the environment; add those that are missing there to ``faults``."""
    try:
        raw = tomllib.loads(path.read_text(encoding=_ENCODING))
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsUnusable([f"{path}: cannot be read: {error}"]) from None
    except tomllib.TOMLDecodeError as error:
        raise SettingsUnusable([f"{path}: is not valid TOML: {error}"]) from None
    except RecursionError:
        raise SettingsUnusable([f"{path}: is not valid TOML: nested too deeply"]) from None
    environment = {**_from_file(path.parent / ".env"), **os.environ}
    return {name: _resolve(value, environment, name, faults) for name, value in raw.items()}


def _from_file(path: Path) -> dict[str, str | None]:
    try:
        return dotenv_values(path, encoding=_ENCODING)
    except (OSError, UnicodeDecodeError) as error:  # its words may be secrets
        raise SettingsUnusable([f"{path}: cannot be read: {type(error).__name__}"]) from None


def _resolve(value: Any, environment: dict[str, str | None], key: str, faults: list[str]) -> Any:
    match value:
        case dict():
            inside = f"{key}." if key else ""
            return {name: _resolve(item, environment, f"{inside}{name}", faults) for name, item in value.items()}
        case list():
            return [_resolve(item, environment, f"{key}[{index}]", faults) for index, item in enumerate(value)]
        case str():
            for name in _REFERENCE.findall(value):
                if not environment.get(name):
                    faults.append(f"{key}: ${{{name}}} is set neither in the environment nor in .env")
            return _REFERENCE.sub(lambda match: environment.get(match[1]) or "", value)
        case _:
            return value


def _key_of(fault: str) -> str:
    return fault.split(":", maxsplit=1)[0]
