"""Texts as they may be shown: the broker's are hostile, and none may hold a secret."""

from typing import Any

from copytrade.common.redaction import all_without_secrets, readable


def clean(value: Any) -> Any:
    """Return a value of JSON with every text in one line, control characters shown, and without secrets."""
    texts: dict[str, str] = {}
    _collect(value, texts)
    originals = list(texts)
    safe = dict(zip(originals, all_without_secrets([readable(text) for text in originals]), strict=True))
    return _replaced(value, safe)


def _collect(value: Any, texts: dict[str, str]) -> None:
    match value:
        case str():
            texts[value] = value
        case dict():
            for name, item in value.items():
                texts[name] = name
                _collect(item, texts)
        case list() | tuple():
            for item in value:
                _collect(item, texts)


def _replaced(value: Any, safe: dict[str, str]) -> Any:
    match value:
        case str():
            return safe[value]
        case dict():
            return {safe[name]: _replaced(item, safe) for name, item in value.items()}
        case list() | tuple():
            return [_replaced(item, safe) for item in value]
        case _:
            return value
