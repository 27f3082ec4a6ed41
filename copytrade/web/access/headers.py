"""The headers that every answer has."""

from collections.abc import Iterable

#: Scripts, styles, images and connections are our own files' alone: nothing inline, no eval, no other host, no frame.
CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self';"
    " base-uri 'none'; frame-ancestors 'none'"
)

_ALWAYS = {
    "content-security-policy": CSP,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",  # with none, a browser would not say where a form comes from
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}

Headers = Iterable[tuple[bytes, bytes]]


def with_headers(given: Headers) -> list[tuple[bytes, bytes]]:
    """Return an answer's headers with those that it lacks."""
    found = list(given)
    named = {name.lower() for name, _ in found}
    return found + [(name.encode(), value.encode()) for name, value in _ALWAYS.items() if name.encode() not in named]
