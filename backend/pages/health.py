"""How a project fares, in short notices with what to do about each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from model.registry.tables import Project

Level = Literal["bad", "wait", "info"]


@dataclass(frozen=True, slots=True)
class Notice:
    """One thing to know.

    Attributes:
        level: ``bad`` stops the loop, ``wait`` wants a look, ``info`` only tells.
        word: The same for people who see no colours, in one or two words.
        message: What is the matter.
        fix: What to do; may be empty.
    """

    level: Level
    word: str
    message: str
    fix: str = ""


def has_drifted(row: Project) -> bool:
    """Whether Label Studio points at another version than the one nerloop set."""
    return row.pointer_wanted is not None and row.pointer_seen != row.pointer_wanted


def unread(row: Project) -> int:
    """Events that no pass has looked into yet."""
    return max(0, row.dirty_seq - row.clean_seq)


def notices(row: Project, prediction_error: str | None) -> tuple[Notice, ...]:
    """What an admin should know of a project, the worst first.

    Args:
        row: The project.
        prediction_error: Why the served version's predictions could not be made, if so.
    """
    return tuple(_troubles(row, prediction_error) + _remarks(row))


def _troubles(row: Project, prediction_error: str | None) -> list[Notice]:
    found = []
    if row.gone_at is not None:
        found.append(
            Notice("bad", "gone", "It no longer exists in Label Studio.", "Its versions stay.")
        )
    if row.connection_error is not None:
        found.append(
            Notice("bad", "connection", row.connection_error, "It is tried again by itself.")
        )
    if row.config_error is not None:
        found.append(
            Notice("bad", "configuration", row.config_error, "Change the labeling interface there.")
        )
    if prediction_error is not None:
        found.append(
            Notice("bad", "predictions", prediction_error, "It is tried again every ten minutes.")
        )
    return found


def _remarks(row: Project) -> list[Notice]:
    found = []
    if not row.connected and row.gone_at is None:
        fix = f"Run: nerloop connect --project {row.ls_id}"
        found.append(Notice("wait", "not connected", "Nothing is read or pushed here.", fix))
    if has_drifted(row):
        found.append(
            Notice(
                "wait",
                "drift",
                f"Label Studio shows {row.pointer_seen or 'no version'}, "
                f"not {row.pointer_wanted}: somebody chose another one there.",
                "Choose it again in Label Studio, or promote a version here.",
            )
        )
    if row.paused:
        found.append(Notice("info", "paused", "Training by itself is switched off."))
    waiting = unread(row)
    if waiting:
        changes = "change waits" if waiting == 1 else "changes wait"
        found.append(Notice("info", "unread", f"{waiting} {changes} to be read."))
    return found
