"""The worker's time constants, in seconds, scaled by one setting."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Clock:
    """How long things take.

    Attributes:
        beat: Between two signs of life of a run.
        sweep: Between two looks of the sweeper.
        silent: Without a beat, a holder is revoked.
        stuck: With beats but without a step, a holder is revoked.
        ring: Between two rings for the same row.
        partial: Age at which a folder aside is garbage.
        collect: Between two collections of old events and versions.
        condemned: Between condemning a version and deleting its files.
    """

    beat: float = 15.0
    sweep: float = 15.0
    silent: float = 60.0
    stuck: float = 600.0
    ring: float = 60.0
    partial: float = 86400.0
    collect: float = 3600.0
    condemned: float = 7 * 86400.0

    @classmethod
    def scaled(cls, factor: float) -> Clock:
        """All times multiplied by a factor; tests use small ones."""
        plain = cls()
        return cls(
            beat=plain.beat * factor,
            sweep=plain.sweep * factor,
            silent=plain.silent * factor,
            stuck=plain.stuck * factor,
            ring=plain.ring * factor,
            partial=plain.partial,
            collect=plain.collect * factor,
            condemned=plain.condemned * factor,
        )
