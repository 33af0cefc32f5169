"""Cases for an HTTP API made from its OpenAPI: requests as described, and requests beside it."""

from __future__ import annotations

import string
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from hypothesis import strategies as st

KNOWN = {"project": (1, 1, 1, 2, 3), "number": (0, 1, 2, 3, 4, 5), "run": (1, 2, 7)}
"""Ids that exist in the seeded registry, so that most requests reach something."""

NAMED = KNOWN | {
    "first": KNOWN["number"],
    "second": KNOWN["number"],
    "to": KNOWN["number"],
    "expected_revision": (4, 5, 6),
}
"""The same by the name of a parameter or field, and revisions the alias passes through."""

WORDS = ("better on places", "because", "größer\n\tals <b>vorher</b>")
ODD: tuple[Any, ...] = (
    None,
    True,
    -1,
    2**31,
    2**70,
    1.5,
    "",
    "1",
    "\x00",
    "\ud800",
    "../../etc/passwd",
    "<script>alert(1)</script>",
    "A" * 5000,
    [],
    {},
    [1],
)
BODIES: tuple[bytes, ...] = (
    b"",
    b"{",
    b"null",
    b"[]",
    b"\xff\xfe",
    b'{"reason": NaN}',
    b"[" * 5000,
    b'{"reason": "\\ud800"}',
)
HEADERS = ("", "a b", "x" * 200, "click-1", "ü".encode().decode("latin-1"))


@dataclass(frozen=True, slots=True)
class Operation:
    """One route of an OpenAPI document."""

    method: str
    path: str
    described: Mapping[str, Any] = field(repr=False)

    def answers(self) -> Mapping[str, Any]:
        """Status -> how the answer is described."""
        found: Mapping[str, Any] = self.described["responses"]
        return found


@dataclass(frozen=True)
class Case:
    """A request to send.

    Attributes:
        operation: The route meant.
        path: Its path, filled in.
        query: Its query, as pairs.
        headers: Its headers.
        body: Its body, as bytes or as a value; None sends none.
    """

    operation: Operation
    path: str
    query: tuple[tuple[str, str], ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Any = None


def operations(openapi: Mapping[str, Any]) -> Iterator[Operation]:
    """All routes of a document."""
    for path, methods in openapi["paths"].items():
        for method, described in methods.items():
            yield Operation(method, path, described)


@st.composite
def cases(draw: st.DrawFn, found: tuple[Operation, ...]) -> Case:
    """A request to one of the routes, mostly as it is described."""
    operation = draw(st.sampled_from(found))
    path, query, headers = operation.path, [], {}
    for parameter in operation.described.get("parameters", ()):
        name, place = parameter["name"], parameter["in"]
        value = _text(_parameter(draw, parameter["schema"], name))
        if place == "path":
            # an empty id would be another path
            path = path.replace("{" + name + "}", quote(value, safe="") or "x")
        elif parameter["required"] or draw(st.integers(0, 3)) == 0:
            if place == "query":
                query.append((name, value))
            else:
                keys = _value(parameter["schema"]["anyOf"][0], name)
                headers[name] = _mostly(draw, keys, st.sampled_from(HEADERS))
    body = _body(draw, operation) if "requestBody" in operation.described else None
    return Case(operation, path, tuple(query), headers, body)


def _parameter(draw: st.DrawFn, schema: Mapping[str, Any], name: str) -> Any:
    odd = st.sampled_from([item for item in ODD if isinstance(item, int | str | float)])
    usual = st.sampled_from(NAMED[name]) if name in NAMED else _value(schema, name)
    return _mostly(draw, usual, _value(schema, name), odd)


def _text(value: Any) -> str:
    return str(value).encode("utf-8", "replace").decode()


def _body(draw: st.DrawFn, operation: Operation) -> Any:
    schema = operation.described["requestBody"]["content"]["application/json"]["schema"]
    usual = _value(schema, "")
    return _mostly(draw, usual, usual.flatmap(_spoilt), st.sampled_from(BODIES))


def _mostly(draw: st.DrawFn, usual: st.SearchStrategy[Any], *seldom: st.SearchStrategy[Any]) -> Any:
    """Nine times in ten as usual: a request with several odd parts only shows the first of them."""
    roll = draw(st.integers(0, 10 * len(seldom) - 1))
    return draw(seldom[roll] if roll < len(seldom) else usual)


def _spoilt(value: dict[str, Any]) -> st.SearchStrategy[Any]:
    """The same body with one field missing, odd or unheard of."""
    names = st.sampled_from([*value, "force"])
    return st.tuples(names, st.sampled_from([*ODD, "missing"])).map(
        lambda pair: _changed(value, *pair)
    )


def _changed(value: dict[str, Any], name: str, odd: Any) -> dict[str, Any]:
    changed = {key: item for key, item in value.items() if key != name}
    return changed if odd == "missing" else changed | {name: odd}


def _value(schema: Mapping[str, Any], name: str) -> st.SearchStrategy[Any]:
    """Values that a schema allows; as many kinds of it as the admin API uses."""
    if name in NAMED and schema.get("type") == "integer":
        return st.sampled_from((*NAMED[name], 0, 2**31 - 1))
    for key, made in (("enum", st.sampled_from), ("const", st.just)):
        if key in schema:
            return made(schema[key])
    if "anyOf" in schema:
        return st.one_of(*(_value(one, name) for one in schema["anyOf"]))
    return _of_type(schema, name)


def _of_type(schema: Mapping[str, Any], name: str) -> st.SearchStrategy[Any]:
    kind = schema.get("type")
    if kind == "null":
        return st.none()
    if kind == "boolean":
        return st.booleans()
    if kind == "integer":
        high = schema.get("maximum", schema.get("exclusiveMaximum", 2**31) - 1)
        return st.integers(schema.get("minimum", 0), high)
    if kind == "string" and "pattern" in schema:
        letters = string.ascii_letters + string.digits + "_.:-"
        return st.one_of(st.sampled_from(("click-1", "click-2")), st.text(letters, min_size=3))
    if kind == "string":
        free = st.text(min_size=schema.get("minLength", 0), max_size=60)
        return st.one_of(st.sampled_from(WORDS), st.sampled_from(WORDS[:2]), free)
    if kind == "object":
        return _object(schema)
    raise NotImplementedError(f"{name}: {schema}")


def _object(schema: Mapping[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    required = set(schema.get("required", ()))
    values = {name: _value(one, name) for name, one in schema["properties"].items()}
    return st.fixed_dictionaries(
        {name: made for name, made in values.items() if name in required},
        optional={name: made for name, made in values.items() if name not in required},
    )
