"""Adapters of source stages: which ones arms want, and how the missing ones are made."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from pathlib import Path

from backend.studies.arms import Arm
from backend.studies.study import ENCODER, Setting, StudyError
from model.base.catalogue import DEFAULT_BASE
from model.errors import AdapterError
from model.methods import FRESH, SHIPPED, adapter_files


class MissingSourceError(StudyError):
    """An adapter of a source stage is not there; the message names the command that makes it."""


def missing_sources(arms: Iterable[Arm], setting: Setting) -> list[str]:
    """The commands that make the adapters which arms start from and which are not there.

    Args:
        arms: The arms.
        setting: Where and with what.
    """
    wanted = {setting.start_of(arm): arm for arm in arms}
    return [
        _command(arm, start, setting)
        for start, arm in wanted.items()
        if start not in (SHIPPED, FRESH) and not _is_there(Path(start))
    ]


def require_sources(arms: Iterable[Arm], setting: Setting) -> None:
    """Refuse to begin where an adapter is missing.

    Raises:
        MissingSourceError: If one is not there.
    """
    commands = missing_sources(arms, setting)
    if commands:
        listed = "\n".join(f"  {command}" for command in commands)
        raise MissingSourceError(
            f"Adapters of {len(commands)} source stages are missing. Make them with:\n{listed}"
        )


def _command(arm: Arm, start: str, setting: Setting) -> str:
    method = "cllmfs" if arm.on_language_model else arm.method
    told = ["nerloop", "base", "train", "--method", method, "--out", start]
    base, default = setting.base_of(arm), DEFAULT_BASE if arm.on_language_model else ENCODER
    told += ["--split", arm.start] if arm.start else []
    told += ["--base", base] if base != default else []
    told += ["--home", str(setting.home)] if setting.home != Path(".nerloop") else []
    return shlex.join(told)


def _is_there(folder: Path) -> bool:
    try:
        adapter_files(folder)
    except AdapterError:
        return False
    return True
