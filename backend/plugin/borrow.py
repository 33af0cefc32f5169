"""Lets the plugin's environment use the packages of nerloop's own, torch above all.

A second copy of torch and transformers would cost a gigabyte and minutes. A ``.pth`` file that
calls ``site.addsitedir`` appends the other environment's packages *after* this one's, so the web
stack installed here wins, and processes that environment's own ``.pth`` files too.
"""

from __future__ import annotations

import sys
import sysconfig
from pathlib import Path


def borrow(other: Path, into: Path) -> Path:
    """Write the ``.pth`` file.

    Args:
        other: The virtual environment to borrow from.
        into: The site-packages folder of this one.

    Returns:
        The file written.

    Raises:
        SystemExit: If the other environment has no site-packages folder.
    """
    found = sorted(other.absolute().glob("lib/python3*/site-packages"))
    if not found:
        raise SystemExit(f"{other} is no virtual environment; run `make install` first.")
    link = into / "nerloop_borrowed.pth"
    link.write_text(f"import site; site.addsitedir({str(found[-1])!r})\n", encoding="utf-8")
    return link


if __name__ == "__main__":
    borrow(Path(sys.argv[1]), Path(sysconfig.get_path("purelib")))
