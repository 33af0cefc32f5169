"""Where a figure was measured: version of the code, machine and memory."""

from __future__ import annotations

import os
import platform
import resource
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

_CPU_FILE = Path("/proc/cpuinfo")


def peak_rss_mb() -> float:
    """Highest resident memory of this process since its start, in 2**20 bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # bytes on macOS, 1024 bytes elsewhere
    return round(peak / (2**20 if sys.platform == "darwin" else 2**10), 1)


def code_version() -> str:
    """`git describe` of the checkout this code lies in, else the version of the distribution."""
    folder = Path(__file__).resolve().parents[2]
    if (folder / ".git").exists():
        try:
            told = subprocess.run(
                ["git", "-C", str(folder), "describe", "--always", "--dirty"],
                capture_output=True,
                text=True,
                timeout=10,
                check=True,
            )
            return told.stdout.strip()
        except (OSError, subprocess.SubprocessError):
            pass
    return _installed("nerloop") or "unknown"


def machine() -> dict[str, Any]:
    """Processor, cores this process may use, and versions of Python and torch."""
    affinity = getattr(os, "sched_getaffinity", None)
    return {
        "processor": _processor(),
        "cores": len(affinity(0)) if affinity else os.cpu_count(),
        "python": platform.python_version(),
        "torch": _installed("torch"),
    }


def threads_used() -> int:
    """CPU threads that torch uses in this process."""
    # here, for commands that only read figures do without torch
    import torch

    return torch.get_num_threads()


def _installed(distribution: str) -> str | None:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None


def _processor() -> str:
    try:
        for line in _CPU_FILE.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
