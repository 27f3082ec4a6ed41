"""Faults of the settings, in the words of a settings file."""

import re
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any, get_origin

from pydantic import BaseModel, ValidationError

from copytrade.settings.values import FEED, FILE, HTTP, NAME

#: What is said of each kind of fault that pydantic finds; ``{}`` names are of its context.
_WORDS = {
    "missing": "is missing",
    "literal_error": "must be {expected}",
    "enum": "must be {expected}",
    "greater_than": "must be greater than {gt:g}",
    "greater_than_equal": "must be {ge:g} or more",
    "less_than": "must be less than {lt:g}",
    "less_than_equal": "must be {le:g} or less",
    "too_short": "must not be empty",
    "string_too_short": "must not be empty",
    "ip_any_address": "must be an IP address",
}

#: The same by how the kind's name begins.
_WORDS_BY_BEGINNING = {
    "int_": "must be a whole number",
    "float_": "must be a number",
    "decimal_": "must be a number",
    "finite_": "must be a number",
    "bool_": "must be true or false",
    "string_": "must be text",
    "time_": "must be a time of day like 09:15",
    "frozen_set_": "must be a list",
    "tuple_": "must be a list",
    "model_": "must be a table",
    "dict_": "must be a table",
}

_PATTERNS = {
    HTTP: "must be an https URL; plain http is for this machine alone",
    FEED: "must be a wss URL; plain ws is for this machine alone",
    FILE: "must be an https URL or a file; http is for this machine alone",
    NAME: "must be letters, digits, - and _, 32 at most",
}

_Location = tuple[int | str, ...]


class SettingsUnusable(Exception):
    """The settings cannot be used; ``faults`` lists every reason, each beginning with the key it is about."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults


def faults_in(error: ValidationError, raw: Mapping[str, Any], model: type[BaseModel]) -> list[str]:
    """Return the faults of ``raw`` that pydantic found, each with its key first; one in [copy] is told there alone."""
    problems = error.errors(include_url=False, include_input=False)
    of_all = {problem["msg"] for problem in problems if problem["loc"] == ("copy",)}
    words: dict[str, list[str]] = {}
    for problem in problems:
        location = problem["loc"]
        if _is_inherited(location, raw) or (_is_block(location) and problem["msg"] in of_all):
            continue
        said = _say(problem["type"], problem["msg"], problem.get("ctx", {}))
        if problem["type"] == "extra_forbidden":
            said = f"is not a setting{_meant(str(location[-1]), _keys_at(location[:-1], model))}"
        key = _key(location)
        if "leaders" not in raw:  # the only one stands in [leader]
            key = re.sub(r"^leaders(\[0\])?", "leader", key)
        words.setdefault(key, []).append(said)
    return [f"{key}: {_either(said)}" for key, said in words.items()]


def with_names(faults: Sequence[str], raw: Mapping[str, Any]) -> list[str]:
    """Return the faults with the block of each leader and follower called by its name, where it has one of its own."""

    def named(match: re.Match[str]) -> str:
        table, number = match[1], int(match[2])
        blocks = raw.get(table)
        listed = blocks if isinstance(blocks, list) else []
        names = [block.get("name") if isinstance(block, dict) else None for block in listed]
        name = names[number] if number < len(names) else None
        is_one = isinstance(name, str) and re.match(NAME, name) and names.count(name) == 1
        return f"{table}.{name}" if is_one else match[0]

    return [re.sub(r"^(leaders|followers)\[(\d+)\]", named, fault) for fault in faults]


def _is_block(location: _Location) -> bool:
    return len(location) == 2 and location[0] == "followers"


def _is_inherited(location: _Location, raw: Mapping[str, Any]) -> bool:
    """Whether a follower's key has its value from [copy]."""
    if len(location) < 3 or location[0] != "followers" or not isinstance(location[1], int):
        return False
    follower = raw["followers"][location[1]]
    if location[2] == "of" and len(location) > 3:
        return len(location) > 4 and location[4] not in follower["of"][location[3]]
    return location[2] in raw.get("copy", {}) and location[2] not in follower


def _key(location: _Location) -> str:
    key = ""
    for part in location:
        if isinstance(part, int):
            key += f"[{part}]"
        elif part not in ("decimal", "constrained-decimal") and not part.startswith("literal["):
            key += f".{part}" if key else part
    return key or "settings"


def _say(kind: str, message: str, context: Mapping[str, Any]) -> str:
    if kind == "string_pattern_mismatch":
        return _PATTERNS.get(context["pattern"], "must be letters and digits, 32 at most")
    if words := _WORDS.get(kind):
        return words.format(**context)
    begun = (words for beginning, words in _WORDS_BY_BEGINNING.items() if kind.startswith(beginning))
    return next(begun, message.removeprefix("Value error, ").replace("Input should be", "must be"))


def _either(words: Sequence[str]) -> str:
    """Return what a value of several kinds must be."""
    return ", or ".join([words[0], *(one.removeprefix("must be ") for one in words[1:])])


def _keys_at(location: _Location, model: type[BaseModel]) -> list[str]:
    """Return the keys of the table at a location, none if it is no table of ours."""
    found: type[BaseModel] | None = model
    is_name = False
    for part in location:
        if found is None or isinstance(part, int) or is_name:
            is_name = False
            continue
        fields = {field.alias or key: field.annotation for key, field in found.model_fields.items()}
        is_name = get_origin(fields.get(part)) is dict
        inside = [fields.get(part), *getattr(fields.get(part), "__args__", ())]
        found = next((one for one in inside if isinstance(one, type) and issubclass(one, BaseModel)), None)
    return [field.alias or key for key, field in found.model_fields.items()] if found else []


def _meant(key: str, known: Sequence[str]) -> str:
    near = get_close_matches(key, known, n=1)
    return f" ({near[0]}?)" if near else ""
