"""Faults of the settings, in the words of a settings file."""

from pydantic import ValidationError

from copytrade.settings.values import FEED, FILE, HTTP


class SettingsUnusable(Exception):
    """The settings cannot be used; ``faults`` lists every reason, each beginning with the key it is about."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults


def faults_in(error: ValidationError) -> list[str]:
    """Return the faults that pydantic found, each with its key first."""
    problems = error.errors(include_url=False, include_input=False, include_context=False)
    return [f"{_key(problem['loc'])}: {_say(problem['msg'])}" for problem in problems]


def _key(location: tuple[int | str, ...]) -> str:
    key = ""
    for part in location:
        if isinstance(part, int):
            key += f"[{part}]"
        elif part not in ("decimal", "literal['sod']", "constrained-decimal"):
            key += f".{part}" if key else part
    return key or "settings"


def _say(message: str) -> str:
    """Return pydantic's message in the words of a settings file."""
    return {
        "Extra inputs are not permitted": "is not a setting",
        "Field required": "is missing",
        f"String should match pattern '{HTTP}'": "must be an https URL; plain http is for this machine alone",
        f"String should match pattern '{FEED}'": "must be a wss URL; plain ws is for this machine alone",
        f"String should match pattern '{FILE}'": "must be an https URL or a file; http is for this machine alone",
    }.get(message, message.removeprefix("Value error, "))
