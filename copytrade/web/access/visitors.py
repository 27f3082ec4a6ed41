"""Who is asking: by the key, by a session, or by a link or a password that begins one. None is kept on disk."""

import hmac
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

#: Seconds that a link is valid: one that was asked for, and the one that is shown at the start.
LINK_LIFE, FIRST_LINK_LIFE = 60.0, 600.0

#: Seconds after which a session ends: since its beginning, and since it was last used.
SESSION_LIFE, IDLE_LIFE = 12 * 3600.0, 2 * 3600.0

#: Sessions and links that are kept at most; the oldest give way.
MOST_KEPT = 100


@dataclass(frozen=True, slots=True)
class Visitor:
    """Somebody who may ask: ``by`` is who, for the audit trail. ``csrf`` is a session's token, "" with the key."""

    by: str
    csrf: str = ""

    @property
    def name(self) -> str:
        """What tells one visitor from another: somebody who asks too often holds no other back."""
        return self.csrf or self.by


@dataclass(frozen=True, slots=True)
class _Kept:
    visitor: Visitor
    ends: float
    idle_ends: float


class Visitors:
    """The key of this run, its links and its sessions. Used by one thread."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """``clock`` gives seconds that only go up."""
        self._clock = clock
        self.key = secrets.token_urlsafe(32)
        self._links: dict[str, _Kept] = {}
        self._sessions: dict[str, _Kept] = {}

    def has_key(self, key: str) -> bool:
        """Whether this is the key."""
        return hmac.compare_digest(key.encode(), self.key.encode())

    def link(self, by: str, life: float = LINK_LIFE) -> str:
        """Return a new key of a link, which logs ``by`` in once within ``life`` seconds."""
        return self._keep(self._links, Visitor(by), life, life)

    def follow(self, key: str) -> str | None:
        """Return a new session for the key of a link, None if the link is used up, too old or none of ours."""
        kept = self._links.pop(key, None)
        return None if kept is None or kept.ends < self._clock() else self.begin(kept.visitor.by)

    def begin(self, by: str) -> str:
        """Return a new session."""
        return self._keep(self._sessions, Visitor(by, secrets.token_urlsafe(32)), SESSION_LIFE, IDLE_LIFE)

    def of(self, session: str) -> Visitor | None:
        """Return whose session this is, None if it has ended or is none of ours."""
        kept, now = self._sessions.get(session), self._clock()
        if kept is None or min(kept.ends, kept.idle_ends) < now:
            self._sessions.pop(session, None)
            return None
        self._sessions[session] = replace(kept, idle_ends=now + IDLE_LIFE)
        return kept.visitor

    def end(self, session: str) -> None:
        """End a session."""
        self._sessions.pop(session, None)

    def _keep(self, where: dict[str, _Kept], visitor: Visitor, life: float, idle: float) -> str:
        now, name = self._clock(), secrets.token_urlsafe(32)
        while len(where) >= MOST_KEPT:
            del where[next(iter(where))]
        where[name] = _Kept(visitor, now + life, now + idle)
        return name
