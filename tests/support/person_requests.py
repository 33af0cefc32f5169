"""Requests as a person's script or browser sends them, with everything that they need."""

from __future__ import annotations

import json
from urllib.parse import urlencode

from admin_people import Ask, add_person, begin_session, new_token
from backend.auth import COOKIE
from model.registry.session import Database

BODIES = {
    "promote": {"number": 1, "reason": "mine"},
    "rollback": {"to": 0, "reason": "mine"},
    "pin": {"pinned": True, "reason": "mine"},
    "policy": {"policy": "auto", "reason": "mine"},
    "train": None,
}
FORMS = {
    "promote": {"number": "1", "revision": "4"},
    "rollback": {"number": "0", "revision": "4"},
    "policy": {"policy": "auto"},
    "training": {"wish": "pause"},
    "mark": {"wish": "pin"},
}


def fields_of(path: str) -> dict[str, str]:
    """What a page's form sends besides its token."""
    return {"reason": "mine"} | FORMS.get(path.rpartition("/")[2], {})


class Person:
    """Somebody with a token and a session, who may see the first project only."""

    def __init__(self, database: Database, name: str, role: str, project_id: int) -> None:
        add_person(database, name, role, project_id)
        session = begin_session(database, name)
        self.name, self.csrf = name, session.csrf
        self.bearer = (b"authorization", f"Bearer {new_token(database, name)}".encode())
        self.cookie = (b"cookie", f"{COOKIE}={session.cookie}".encode())

    def ask(self, method: str, path: str, query: str = "") -> Ask:
        """The request as this person's script or browser sends it, with all that it needs."""
        action = path.rpartition("/")[2]
        if path.startswith("/admin/api"):
            body = BODIES.get(action, {"reason": "mine"})
            raw = b"" if method == "GET" or body is None else json.dumps(body).encode()
            return Ask(method, path, query, (self.bearer,), raw)
        kind = (b"content-type", b"application/x-www-form-urlencoded")
        form = urlencode(fields_of(path) | {"csrf": self.csrf}).encode()
        return Ask(method, path, query, (self.cookie, kind), form if method == "POST" else b"")
