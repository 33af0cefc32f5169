"""Recorded traffic of Label Studio 1.23.2, by the beginning of a file's name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[1] / "backend" / "captures"


def capture(name: str) -> Any:
    """One recorded exchange."""
    (path,) = FOLDER.glob(f"{name}_*.json")
    return json.loads(path.read_text("utf-8"))


def bodies(kind: str) -> dict[str, Any]:
    """All bodies Label Studio sent to ``/<kind>``, by file name and place."""
    found = {}
    for path in sorted(FOLDER.glob("[0-9]*.json")):
        for place, call in enumerate(json.loads(path.read_text("utf-8"))["requests_to_backend"]):
            if call["method"] == "POST" and call["path"].endswith(f"/{kind}"):
                found[f"{path.stem}-{place}"] = call["body"]
    return found
