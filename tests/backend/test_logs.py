"""No credential gets through into a log line or a traceback."""

from __future__ import annotations

import base64
import io
import logging

import pytest

from backend.logs import FORMAT, CleanFormatter, blotted

PAIR = base64.b64encode(b"label-studio:horse-17-battery").decode()


@pytest.mark.parametrize(
    "line",
    [
        f"header Authorization: Basic {PAIR}",
        "Authorization: Token 0123456789abcdef0123456789abcdef01234567",
        "got eyJhbGciOiJIUzI1NiJ9.eyJ0b2tlbl90eXBlIjoicmVmcmVzaCJ9.c2lnbmF0dXJl from it",
        "redis://:horse-17-battery@127.0.0.1:6379/0",
        "postgresql://nerloop:horse-17-battery@db/nerloop",
    ],
)
def test_what_looks_like_a_credential_is_blotted_out(line: str) -> None:
    cleaned = blotted(line)
    assert "***" in cleaned
    for secret in ("horse-17", PAIR, "0123456789abcdef0123", "eyJ0b2tlbl90eXBl"):
        assert secret not in cleaned


def test_ordinary_lines_stay_as_they_are() -> None:
    line = "Project 2: 40 predictions pushed to http://ls:8080/api/token/refresh/ basic token"
    assert blotted(line) == line


def test_tracebacks_are_cleaned_too() -> None:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(CleanFormatter(FORMAT))
    log = logging.Logger("test")
    log.addHandler(handler)
    try:
        raise ValueError("redis://:horse-17@h/0")
    except ValueError:
        log.exception("failed at %s", "redis://:horse-17@h/0")
    assert "horse" not in stream.getvalue()
    assert "ValueError" in stream.getvalue()
