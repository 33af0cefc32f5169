"""What every way to fetch a base model shares: progress, room on the disk, a disk's errors."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from model.errors import BaseModelError

OnProgress = Callable[[str, int, int], None]
"""Called with what is being done, the parts done and the parts in all."""

_GB = 1_000_000_000


def require_space(folder: Path, needed: int) -> None:
    """Check that a folder's disk has room before anything is written.

    Args:
        folder: An existing folder.
        needed: Bytes.

    Raises:
        BaseModelError: If there is less.
    """
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise BaseModelError(
            f"There is not enough space in {folder}: this base model needs {needed / _GB:.3g} GB "
            f"free, and {free / _GB:.3g} GB are."
        )


@contextmanager
def disk_errors(folder: Path) -> Iterator[None]:
    """Turn what the operating system says about writing a base model into an error of ours.

    Args:
        folder: Where the base model was to go.

    Raises:
        BaseModelError: For every ``OSError`` inside the block.
    """
    try:
        yield
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise BaseModelError(
                f"The disk of {folder.parent} is full: the base model could not be written."
            ) from error
        raise BaseModelError(f"The base model cannot be written to {folder}: {error}") from error
