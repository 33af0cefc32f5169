"""Passwords as the registry keeps them: scrypt with a salt, the parameters beside the digest."""

from __future__ import annotations

import base64
import binascii
import hashlib
import secrets
import unicodedata
from dataclasses import dataclass, field
from hmac import compare_digest

from model.registry.errors import WeakPasswordError

SHORTEST = 12
LONGEST = 1_000
FEWEST_CHARACTERS = 5
"""Different characters a password needs at least."""

_SALT_BYTES = 16
_DIGEST_BYTES = 32


@dataclass(frozen=True, slots=True)
class Cost:
    """What one guess costs: memory of 128·n·r bytes, and time in proportion to n·r·p."""

    n: int = 2**15
    r: int = 8
    p: int = 3

    @property
    def is_bearable(self) -> bool:
        """Whether these parameters are ones we would have written ourselves."""
        power = self.n > 1 and self.n & (self.n - 1) == 0
        return power and self.n <= 2**18 and 1 <= self.r <= 16 and 1 <= self.p <= 16


COST = Cost()
"""32 MiB and about a fifth of a second: one of OWASP's equal choices for scrypt."""


@dataclass(frozen=True, slots=True)
class SealedPassword:
    """A password nobody can read any more; ``stored`` is what the row keeps."""

    stored: str = field(repr=False)


def sealed(password: str, *, cost: Cost = COST) -> SealedPassword:
    """Hash a new password; takes a noticeable time, so do it outside transactions.

    Raises:
        WeakPasswordError: If it is too short, too long or too monotonous.
    """
    plain = unicodedata.normalize("NFKC", password)
    if len(plain) < SHORTEST or len(set(plain)) < FEWEST_CHARACTERS:
        raise WeakPasswordError(
            f"The password is too easy to guess: at least {SHORTEST} characters are expected, "
            f"{FEWEST_CHARACTERS} of them different. Several words together are fine."
        )
    if len(plain) > LONGEST:
        raise WeakPasswordError(f"The password is longer than {LONGEST} characters.")
    salt = secrets.token_bytes(_SALT_BYTES)
    digest = _scrypt(plain, salt, cost)
    return SealedPassword(
        f"scrypt${cost.n}${cost.r}${cost.p}${_text(salt)}${_text(digest)}",
    )


def matches(password: str, stored: str | None) -> bool:
    """Whether this is the password that was sealed.

    Takes as long for nobody (None, or a row that cannot be read) as for somebody, so that the time
    does not tell which names exist.
    """
    parsed = _parsed(stored) if stored is not None else None
    cost, salt, wanted = parsed or (COST, bytes(_SALT_BYTES), b"")
    # whatever came over the wire is bounded before it is normalised
    plain = unicodedata.normalize("NFKC", password[: LONGEST + 1])
    return compare_digest(_scrypt(plain, salt, cost), wanted) and parsed is not None


def _scrypt(plain: str, salt: bytes, cost: Cost) -> bytes:
    return hashlib.scrypt(
        plain.encode("utf-8", "surrogatepass"),
        salt=salt,
        n=cost.n,
        r=cost.r,
        p=cost.p,
        maxmem=2 * 128 * cost.n * cost.r + 2**20,  # OpenSSL wants some more than the block itself
        dklen=_DIGEST_BYTES,
    )


def _parsed(stored: str) -> tuple[Cost, bytes, bytes] | None:
    try:
        kind, n, r, p, salt, digest = stored.split("$")
        cost = Cost(int(n), int(r), int(p))
        pair = base64.b64decode(salt, validate=True), base64.b64decode(digest, validate=True)
    except (ValueError, binascii.Error):
        return None
    return (cost, *pair) if kind == "scrypt" and cost.is_bearable else None


def _text(raw: bytes) -> str:
    return base64.b64encode(raw).decode("ascii")
