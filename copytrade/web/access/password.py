"""The password of a board that other machines can reach: only its hash is in the settings."""

import hashlib
import hmac
import secrets

#: scrypt's costs: 2 to the power of the first is 32 MB and about 0.1 s.
_LOG_N, _R, _P = 15, 8, 1


def hash_of(password: str) -> str:
    """Return a password as the settings have it."""
    salt = secrets.token_bytes(16)
    return f"scrypt:{_LOG_N}:{_R}:{_P}:{salt.hex()}:{_scrypt(password, salt, _LOG_N, _R, _P).hex()}"


def is_right(password: str, hashed: str) -> bool:
    """Whether this is the password. It takes about 0.1 s. Raises ValueError for costs that nobody would choose."""
    _, log_n, r, p, salt, digest = hashed.split(":")
    found = _scrypt(password, bytes.fromhex(salt), int(log_n), int(r), int(p))
    return hmac.compare_digest(found.hex(), digest)


def _scrypt(password: str, salt: bytes, log_n: int, r: int, p: int) -> bytes:
    memory = 2 * 128 * r * 2**log_n
    return hashlib.scrypt(password.encode(), salt=salt, n=2**log_n, r=r, p=p, maxmem=memory, dklen=32)
