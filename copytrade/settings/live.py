"""What live mode asks for beyond valid settings. A broker on this machine is a test's: it is asked for none of it."""

import re

from copytrade.settings.request_limits import Limits
from copytrade.settings.schema import Settings
from copytrade.settings.values import LOOPBACK


def live_faults(settings: Settings) -> list[str]:
    """Return the faults that settings have in live mode alone, each with its key first."""
    if settings.mode != "live" or re.match(rf"https?://{LOOPBACK}", settings.dhan.rest_url):
        return []
    unstated = [
        f"followers.{one.name}.relationship: must be stated in live mode, whose account it is: self, spouse, child,"
        ' parent or other ("The law" in README.md)'
        for one in settings.followers
        if "relationship" not in one.model_fields_set
    ]
    theirs = {key: Limits.model_fields[key].default for key in ("per_second", "per_minute", "per_hour", "per_day")}
    beyond = [
        f"limits.{key}: {ours} is more than the broker takes from an account, {most}"
        for key, most in theirs.items()
        if (ours := getattr(settings.limits, key)) > most
    ]
    return unstated + beyond
