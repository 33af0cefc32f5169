"""The home folder: where everything a start leaves behind has its place, and who may use it."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from backend.launch.errors import AlreadyRunningError, HomeError

HOME_VARIABLE = "NERLOOP_HOME"
DEFAULT_HOME = ".nerloop"


@dataclass(frozen=True, slots=True)
class Home:
    """The folders below ``NERLOOP_HOME``.

    Attributes:
        root: The home folder itself, absolute.
    """

    root: Path

    @classmethod
    def at(cls, path: str | Path) -> Home:
        """The home at a path, which is made absolute but not created."""
        return cls(Path(path).expanduser().absolute())

    @property
    def secrets(self) -> Path:
        """Tokens and passwords; readable by the owner only."""
        return self.root / "secrets"

    @property
    def logs(self) -> Path:
        """One log file per program."""
        return self.root / "logs"

    @property
    def run(self) -> Path:
        """Ports and locks of the running programs."""
        return self.root / "run"

    @property
    def redis(self) -> Path:
        """The embedded Redis: its configuration and its file."""
        return self.root / "redis"

    @property
    def label_studio(self) -> Path:
        """Label Studio's own environment and its data."""
        return self.root / "label-studio"

    def prepare(self) -> None:
        """Create the folders.

        Raises:
            HomeError: If a folder cannot be created or written to.
        """
        try:
            self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
            for folder in (self.secrets, self.logs, self.run, self.redis, self.label_studio):
                folder.mkdir(mode=0o700, exist_ok=True)
            self.secrets.chmod(0o700)
        except OSError as error:
            raise HomeError(
                f"The home folder {self.root} cannot be used ({error.strerror}). Make it writable "
                f"for you, or choose another one with --home FOLDER or {HOME_VARIABLE}."
            ) from error
        if not os.access(self.root, os.W_OK):
            raise HomeError(
                f"The home folder {self.root} is not writable. Make it writable for you, or "
                f"choose another one with --home FOLDER or {HOME_VARIABLE}."
            )

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the home for one start; the lock goes with the process, however it ends.

        Raises:
            AlreadyRunningError: If another process holds it.
        """
        path = self.run / "start.lock"
        with path.open("a+", encoding="utf-8") as handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                handle.seek(0)
                owner = handle.read().strip() or "unknown"
                raise AlreadyRunningError(
                    f"nerloop already runs in {self.root} (process {owner}). Stop it there with "
                    f"Ctrl-C or with `kill {owner}`, or use another folder with --home."
                ) from error
            handle.truncate(0)
            handle.write(str(os.getpid()))
            handle.flush()
            yield
            handle.truncate(0)
