"""The admin API keeps to its own OpenAPI, whatever is sent: no 5xx, no answer it does not describe.

The requests are made from the description itself; most are as described, the others beside it.
Each one may change the registry, so later ones meet what earlier ones left.
"""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, Phase, given, settings
from jsonschema import Draft202012Validator

from admin_registry import seed
from api_cases import Case, Operation, cases, operations
from model.registry.session import Database

HEADERS = {"Authorization": "Bearer adm1n-t0ken-of-the-tests"}


@pytest.fixture
def admin(client: TestClient) -> TestClient:
    """The app; the caller may do everything."""
    client.headers.update(HEADERS)
    return client


def described(admin: TestClient) -> dict[str, Any]:
    answer = admin.get("/admin/api/openapi.json")
    assert answer.status_code == 200
    found: dict[str, Any] = answer.json()
    return found


def schema_of(openapi: dict[str, Any], operation: Operation, status: int) -> Any:
    """The answer's schema with what it refers to; None if the status is not described."""
    answer = operation.answers().get(str(status))
    if answer is None:
        return None
    schema = answer["content"]["application/json"]["schema"]
    return schema | {"components": openapi["components"]}


def send(admin: TestClient, case: Case) -> Any:
    content = case.body if isinstance(case.body, bytes) else None
    if case.body is not None and content is None:
        content = json.dumps(case.body).encode()
    headers = {name.encode(): value.encode("latin-1") for name, value in case.headers.items()}
    return admin.request(
        case.operation.method.upper(),
        case.path,
        params=list(case.query),
        content=content,
        headers=headers,
    )


def check(openapi: dict[str, Any], case: Case, answer: Any) -> None:
    assert answer.status_code < 500, (case, answer.text)
    schema = schema_of(openapi, case.operation, answer.status_code)
    assert schema is not None, (case, answer.status_code, answer.text)
    assert answer.headers["content-type"] == "application/json"
    Draft202012Validator(schema).validate(answer.json())


@pytest.mark.parametrize(
    "number", [500, pytest.param(10_000, marks=[pytest.mark.soak, pytest.mark.timeout(3600)])]
)
def test_no_generated_request_ends_as_5xx_or_beside_its_description(
    admin: TestClient, registry: Database, number: int
) -> None:
    seed(registry)
    openapi = described(admin)
    found = tuple(operations(openapi))
    statuses: Counter[int] = Counter()
    reached: set[tuple[str, str]] = set()

    @settings(
        max_examples=number,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(cases(found))
    def run(case: Case) -> None:
        answer = send(admin, case)
        check(openapi, case, answer)
        statuses[answer.status_code] += 1
        if answer.status_code < 300:
            reached.add((case.operation.method, case.operation.path))

    run()
    assert statuses.total() >= number
    assert statuses[200] > number / 4  # most requests are meant to succeed, or nothing is tested
    assert {200, 202, 400, 404, 409, 422} <= set(statuses)
    assert reached == {(item.method, item.path) for item in found}


def test_every_route_is_described_with_its_refusals_and_its_token(admin: TestClient) -> None:
    openapi = described(admin)
    assert openapi["components"]["securitySchemes"]["bearer"]["scheme"] == "bearer"
    for item in operations(openapi):
        where = f"{item.method} {item.path}"
        assert item.described["description"], where
        assert item.described["security"] == [{"bearer": []}], where
        wanted = {"401", "404", "422", "503"}
        if item.method == "post":
            wanted |= {"400", "403", "409", "413"}
        assert wanted <= set(item.answers()), where
        for status in item.answers():
            schema = item.answers()[status]["content"]["application/json"]["schema"]
            refusal = str(schema.get("$ref", "")).endswith(("ErrorAnswer", "ConflictAnswer"))
            assert refusal == (int(status) >= 400), (where, status)


@pytest.mark.parametrize("header", [None, "Bearer x", "Basic YTpi", "Bearer ", "x"])
def test_without_a_valid_token_every_route_says_401(admin: TestClient, header: str | None) -> None:
    openapi = described(admin)
    admin.headers.pop("Authorization")
    for item in operations(openapi):
        path = item.path.format(project=1, number=1, run=1)
        case = Case(item, path, headers={"Authorization": header} if header else {}, body={})
        answer = send(admin, case)
        assert answer.status_code == 401, path
        check(openapi, case, answer)
