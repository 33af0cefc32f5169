"""Who is calling an admin route, and what that person may see and do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hmac import compare_digest
from typing import Literal

from starlette.requests import Request

from backend.errors import RequestError
from model.registry import projects
from model.registry.errors import UnknownProjectError
from model.registry.session import Session
from model.registry.tables import Project

Role = Literal["viewer", "admin"]
CSRF_FIELD = "csrf"
"""Name of the hidden field that every form of a page sends."""


class NotAllowedError(RequestError):
    """This person may not do that."""

    def __init__(self, message: str, fix: str = "") -> None:
        super().__init__(403, message, fix)


@dataclass(frozen=True, slots=True)
class Caller:
    """Somebody the gatekeeper let in.

    Attributes:
        name: What the audit keeps as actor.
        role: ``viewer`` looks, ``admin`` decides.
        project_id: The only project (its row) this person may see; None means all.
        csrf: What the forms of this person's session must send back; None for API tokens.
    """

    name: str
    role: Role
    project_id: int | None = None
    csrf: str | None = None


ADMIN_API = Caller("admin-api", "admin")
"""Whoever holds the token of the host."""


def caller_of(request: Request) -> Caller:
    """The caller of a route under ``/admin``, as the gatekeeper noted it.

    Raises:
        NotAllowedError: If nobody was recognised, which the gatekeeper lets happen nowhere else
            than on the login page and its files.
    """
    caller = getattr(request.state, "caller", None)
    if not isinstance(caller, Caller):
        raise NotAllowedError("Nobody is logged in.", "Log in at /admin/login.")
    return caller


def may_see(caller: Caller, project_id: int) -> bool:
    """Whether this person may know of the project (its row's id) at all."""
    return caller.project_id is None or caller.project_id == project_id


def may_decide(caller: Caller, project_id: int) -> bool:
    """Whether this person may promote, roll back, train and mark in the project."""
    return caller.role == "admin" and may_see(caller, project_id)


def seen_project(session: Session, caller: Caller, ls_id: int) -> Project:
    """The project of this number in Label Studio, if the caller may see it.

    Args:
        session: An open session.
        caller: Who asks.
        ls_id: The number as it came, of any size.

    Raises:
        UnknownProjectError: If there is none, in the same words as if it is somebody else's.
    """
    number = ls_id if 0 <= ls_id < 2**31 else -1  # no column holds more
    return projects.by_label_studio(session, number, only=caller.project_id)


def seen_projects(session: Session, caller: Caller) -> list[Project]:
    """Every project the caller may see and its number leads to, oldest first."""
    seen = [row for row in projects.every(session) if may_see(caller, row.id)]
    return projects.reachable(seen)


def require_admin(caller: Caller, project_id: int | None) -> None:
    """Let only those go on who may decide in a project, or everywhere if it is None.

    Raises:
        UnknownProjectError: If the caller may not even see the project.
        NotAllowedError: If the caller may only look.
    """
    if project_id is not None and not may_see(caller, project_id):
        raise UnknownProjectError
    if caller.role != "admin" or (project_id is None and caller.project_id is not None):
        raise NotAllowedError(
            f"{caller.name} may look here but not decide.",
            "Ask an admin, or see `nerloop admin list`.",
        )


def check_csrf(request: Request, form: Mapping[str, str]) -> None:
    """Refuse a form that did not come from a page of this session.

    Args:
        request: The request the form came with.
        form: Its fields; see :func:`backend.forms.read_form`.

    Raises:
        NotAllowedError: If the field is missing, wrong, or the caller has no session.
    """
    wanted = caller_of(request).csrf or ""
    given = form.get(CSRF_FIELD, "")
    right = compare_digest(given.encode("utf-8", "replace"), wanted.encode())
    if not wanted or not right:
        raise NotAllowedError(
            "This form is too old or did not come from these pages; nothing was changed.",
            "Load the page again and repeat it.",
        )
