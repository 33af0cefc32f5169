"""The reference pages name every command and every route of the admin API, and none else."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer.main
from fastapi.openapi.utils import get_openapi

from api_cases import Operation, operations
from backend.cli.application import build
from backend.routes import admin
from backend.routes.admin_access import REFUSALS, REFUSED_DECISIONS

PAGES = Path(__file__).parents[2] / "docs" / "reference"


def commands(group: Any, name: str) -> Iterator[str]:
    """Every command with its full name, a group that does something by itself too."""
    for word, command in group.commands.items():
        full = f"{name} {word}"
        if hasattr(command, "commands"):
            if command.invoke_without_command:
                yield full
            yield from commands(command, full)
        else:
            yield full


def first_cells(page: str, start: str) -> list[str]:
    text = (PAGES / page).read_text(encoding="utf-8")
    return re.findall(rf"^\| `({start}[^`]*)`", text, re.MULTILINE)


def test_the_page_lists_every_command() -> None:
    listed = [re.sub(r"( [A-Z]+)+$", "", cell) for cell in first_cells("cli.md", "nerloop")]
    assert len(listed) == len(set(listed))
    assert set(listed) == set(commands(typer.main.get_command(build()), "nerloop"))


def routes() -> list[Operation]:
    document = get_openapi(title="x", version="1", routes=admin.router.routes)
    return list(operations(document))


def test_the_page_lists_every_route_with_its_fields() -> None:
    text = (PAGES / "rest.md").read_text(encoding="utf-8")
    lines = {
        match[1]: match[2] for match in re.finditer(r"^\| `([A-Z]+ /[^`]*)` \| (.*)$", text, re.M)
    }
    found = {f"{r.method.upper()} {r.path.removeprefix('/admin/api')}": r for r in routes()}
    assert set(lines) == set(found)
    for name, route in found.items():
        asked = [p["name"] for p in route.described["parameters"]] if "{" in name else []
        fields = [word for word in asked if "{" + word + "}" not in name and word.islower()]
        if "requestBody" in route.described:
            schema = route.described["requestBody"]["content"]["application/json"]["schema"]
            fields += [
                word if word in schema["required"] else f"{word}?" for word in schema["properties"]
            ]
        cell = lines[name].partition("|")[0]
        written = {word + mark for word, mark in re.findall(r"`(\w+)`(\??)", cell)}
        assert written == set(fields), name


def test_the_page_explains_every_refusal() -> None:
    text = (PAGES / "rest.md").read_text(encoding="utf-8")
    statuses = re.findall(r"^\| ([\d, ]+) \|", text, re.MULTILINE)
    explained = {int(status) for cell in statuses for status in cell.split(", ")}
    assert explained == {int(status) for status in REFUSALS | REFUSED_DECISIONS}
