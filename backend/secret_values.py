"""Values that never show themselves, and the one way to compare them."""

from __future__ import annotations

import hmac

WEAK_WORDS = (
    "admin changeme change-me default example label-studio labelstudio letmein nerloop pass "
    "passw0rd password postgres qwerty redis root secret test token user"
)
"""Words nobody may use as a password or token, in lower case."""


class Secret:
    """A credential; ``repr`` and ``str`` hide it, :meth:`reveal` gives it out."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The value itself; call this only where it is handed on."""
        return self._value

    def equals(self, other: bytes) -> bool:
        """Compare in constant time."""
        return hmac.compare_digest(self._value.encode("utf-8", "surrogatepass"), other)

    @property
    def is_weak(self) -> bool:
        """Whether it is empty, a well-known default or one letter repeated."""
        value = self._value.strip()
        return value.lower() in WEAK_WORDS.split() or len(set(value)) < 2

    def __repr__(self) -> str:
        return "Secret('***')"

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self.equals(other._value.encode())

    def __hash__(self) -> int:
        return hash(self._value)
