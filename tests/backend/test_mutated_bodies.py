"""Recorded bodies with one place replaced by anything JSON can say: never a 5xx."""

from __future__ import annotations

import copy
import json
import random
from typing import Any

import pytest
from fastapi.testclient import TestClient

from recorded import bodies

ODD: list[Any] = [
    None,
    True,
    0,
    -1,
    2**31,
    2**63,
    10**400,
    1.5,
    1e308,
    "",
    "x",
    "\x00",
    "\ud800",
    "２",
    "../../etc/passwd",
    "A" * 70_000,
    "<View>",
    "<!DOCTYPE v [<!ENTITY e 'x'>]><View>&e;</View>",
    "9999-99-99T99:99:99Z",
    [],
    {},
    [[]],
    [None],
    [{}],
    {"": ""},
    {"id": {}},
    {"id": 1, "created_at": "0001-01-01T00:00:00+23:59"},
]
CASES = 250


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path]
    if isinstance(value, dict):
        for key, item in value.items():
            found += places(item, (*path, key))
    if isinstance(value, list):
        for index, item in enumerate(value):
            found += places(item, (*path, index))
    return found


def mutated(value: Any, path: tuple[Any, ...], odd: Any) -> Any:
    if not path:
        return odd
    changed = copy.deepcopy(value)
    inner = changed
    for key in path[:-1]:
        inner = inner[key]
    if isinstance(inner, dict) and odd == "x":
        del inner[path[-1]]
    else:
        inner[path[-1]] = odd
    return changed


@pytest.mark.parametrize("kind", ["setup", "predict", "webhook"])
def test_no_mutation_of_a_recorded_body_ends_as_5xx(client: TestClient, kind: str) -> None:
    rng = random.Random(f"mutations of {kind}")
    recorded = list(bodies(kind).values())
    statuses = set()
    for _ in range(CASES):
        body = rng.choice(recorded)
        # the outer places decide most, so half of the cases are there
        all_places = places(body)
        outer = [path for path in all_places if len(path) <= 2]
        path = rng.choice(outer if rng.random() < 0.5 else all_places)
        odd = rng.choice(ODD)
        answer = client.post(f"/{kind}", content=json.dumps(mutated(body, path, odd)))
        assert answer.status_code < 500, (path, odd, answer.text)
        assert "Traceback" not in answer.text
        statuses.add(answer.status_code)
        if kind == "predict" and answer.status_code == 200:
            assert all(item["model_version"] for item in answer.json()["results"])
    assert len(statuses) >= 2  # some pass and some are refused
