"""Redaction: secrets are removed from texts, and misleading characters are escaped."""

import re
from functools import lru_cache

from pydantic import SecretStr

#: A token, or the beginning of one that was cut off.
_JWT = re.compile(r"eyJ[A-Za-z0-9_-]{5,}(?:\.[A-Za-z0-9_-]*){0,2}")
#: A secret in a URL or log line. ``token=7h``, a remaining lifetime, is none.
_IN_URL = re.compile(
    r"(?i)\b((?:(?:access|refresh)[-_]?)?token|pin|totp(?:_secret)?)=(?!(?:\d{1,3}[hm]|refused)(?:\s|$))[^&\s\"']+"
)
_IN_JSON = re.compile(r'(?i)("(?:(?:access|refresh)?[-_]?token|pin|totp|password|[a-z-_]*secret)"\s*:\s*)("[^"]*"|\d+)')
_SECRET_WORDS = ("token", "pin", "totp", "password", "secret")

#: A run of letters and digits.
_WORD = re.compile(r"[^\W_]+")

#: In JSON: an id by its name, which is kept; a bare number; or a word.
_IN_PAYLOAD = re.compile(
    r'("[A-Za-z_]*(?:[iI][dD]|[nN]o|[nN]umber)"\s*:\s*"?[\w-]*)|(?<=:)(\s*)(\d+)(?=\s*[,}\]])|[^\W_]+'
)

#: The secrets to remove, the longest first, and those of digits only; :func:`hide` adds to them.
_hidden: list[str] = []
_hidden_numbers: set[str] = set()


def hide(secret: SecretStr) -> None:
    """Remove a secret from every text from now on; one of digits only as a whole word, to leave other numbers.

    The broker's tokens are recognised by their form, not searched for one by one: they change every day.
    """
    value = secret.get_secret_value()
    if _JWT.fullmatch(value):
        return
    if value.isascii() and value.isdigit():
        _hidden_numbers.add(value)
    elif value and value not in _hidden:
        _hidden[:] = sorted([*_hidden, value], key=len, reverse=True)
    without_secrets.cache_clear()


@lru_cache(maxsize=512)
def without_secrets(text: str) -> str:
    """Return free text, such as a reason, without hidden secrets, and without what looks or is named like one.

    It is a last resort. Valid JSON stays valid, but an id in it may be removed.
    """
    if _hidden_numbers and not _hidden_numbers.isdisjoint(_WORD.findall(text)):
        text = _WORD.sub(_unless_hidden, text)
    return _without_texts(text)


def payload_without_secrets(text: str) -> str:
    """Return the JSON of a request or a reply without secrets, but with every id and key; it stays valid JSON."""
    if _hidden_numbers and not _hidden_numbers.isdisjoint(_WORD.findall(text)):
        text = _IN_PAYLOAD.sub(_unless_hidden_in_payload, text)
    return _without_texts(text)


def all_without_secrets(texts: list[str]) -> list[str]:
    """Return several texts without secrets. They are searched together first, as hardly any holds one."""
    together = "\n".join(texts)
    is_clean = (
        "eyJ" not in together
        and not _names_a_secret(together)
        and not any(secret in together for secret in tuple(_hidden))
        and (not _hidden_numbers or _hidden_numbers.isdisjoint(_WORD.findall(together)))
    )
    return texts if is_clean else [without_secrets(text) for text in texts]


def readable(text: str) -> str:
    """Return a text as one line: invisible characters are escaped, line breaks become ``|``.

    So no text of the broker can move a terminal's cursor, hide what follows, or reverse it.
    """
    if text.isprintable():
        return text
    return "".join(map(_shown, text))


def readable_lines(text: str) -> str:
    """Return a text of several lines with invisible characters escaped."""
    return "\n".join(map(readable, text.split("\n")))


def _shown(character: str) -> str:
    if character == "\n":
        return " | "
    return character if character.isprintable() else character.encode("unicode_escape").decode("ascii")


def _without_texts(text: str) -> str:
    for secret in tuple(_hidden):
        if secret in text:
            text = text.replace(secret, "***")
    if "eyJ" in text:
        text = _JWT.sub("***", text)
    if _names_a_secret(text):  # most texts do not, and looking closely takes 20 us
        text = _IN_JSON.sub(r'\1"***"', _IN_URL.sub(r"\1=***", text))
    return text


def _unless_hidden(word: re.Match[str]) -> str:
    return "***" if word[0] in _hidden_numbers else word[0]


def _unless_hidden_in_payload(found: re.Match[str]) -> str:
    if found[3] in _hidden_numbers:
        return f'{found[2]}"***"'
    return found[0] if found[1] is not None or found[3] is not None else _unless_hidden(found)


def _names_a_secret(text: str) -> bool:
    lower = text.lower()
    return any(word in lower for word in _SECRET_WORDS)
