"""Who may see and decide what; forms that did not come from the session's own pages."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from starlette.requests import Request

from backend.errors import status_of
from backend.identity import (
    ADMIN_API,
    Caller,
    NotAllowedError,
    caller_of,
    check_csrf,
    may_decide,
    may_see,
    require_admin,
    seen_project,
    seen_projects,
)
from model.registry.errors import UnknownProjectError
from model.registry.session import Database
from model.registry.tables import Project

VIEWER, ADMIN = Caller("Vi", "viewer"), Caller("Ada", "admin")
VIEWER_OF_1, ADMIN_OF_1 = Caller("Vi1", "viewer", 1), Caller("Ada1", "admin", 1)
EVERYBODY = (ADMIN_API, ADMIN, VIEWER, ADMIN_OF_1, VIEWER_OF_1)


def asking(caller: Caller | None) -> Request:
    state = {} if caller is None else {"caller": caller}
    return Request({"type": "http", "headers": [], "state": state})


def outcome(caller: Caller, project_id: int | None) -> int:
    try:
        require_admin(caller, project_id)
    except (NotAllowedError, UnknownProjectError) as error:
        return status_of(error)
    return 200


@pytest.mark.parametrize(
    ("project_id", "statuses"),
    [
        # admin-api, admin, viewer, admin of 1, viewer of 1
        (1, [200, 200, 403, 200, 403]),
        (2, [200, 200, 403, 404, 404]),
        (None, [200, 200, 403, 403, 403]),
    ],
)
def test_viewers_get_403_and_strangers_404(project_id: int | None, statuses: list[int]) -> None:
    assert [outcome(caller, project_id) for caller in EVERYBODY] == statuses


def test_seeing_and_deciding_are_asked_without_an_error_too() -> None:
    assert [may_see(caller, 2) for caller in EVERYBODY] == [True, True, True, False, False]
    assert [may_decide(caller, 1) for caller in EVERYBODY] == [True, True, False, True, False]
    assert [may_decide(caller, 2) for caller in EVERYBODY] == [True, True, False, False, False]


def test_a_project_somebody_may_not_see_does_not_exist_for_them(
    database: Database, make_project: Callable[..., Project]
) -> None:
    one, two = make_project(71), make_project(72)
    only_one = Caller("Vi", "viewer", one.id)
    with database.read() as session:
        assert seen_project(session, only_one, 71).id == one.id
        assert seen_project(session, ADMIN, 72).id == two.id
        assert [row.id for row in seen_projects(session, only_one)] == [one.id]
        assert len(seen_projects(session, VIEWER)) == 2
        words = set()
        for number in (72, 73):
            with pytest.raises(UnknownProjectError) as refused:
                seen_project(session, only_one, number)
            words.add(str(refused.value).replace(str(number), "N"))
        for beyond in (-1, 2**31, 2**70):
            with pytest.raises(UnknownProjectError):
                seen_project(session, ADMIN, beyond)
    assert len(words) == 1


def test_without_a_caller_nothing_is_allowed() -> None:
    with pytest.raises(NotAllowedError):
        caller_of(asking(None))
    assert caller_of(asking(ADMIN)) is ADMIN


@pytest.mark.parametrize(
    ("caller", "form", "allowed"),
    [
        (Caller("Ada", "admin", None, "t" * 43), {"csrf": "t" * 43}, True),
        (Caller("Ada", "admin", None, "t" * 43), {"csrf": "t" * 42}, False),
        (Caller("Ada", "admin", None, "t" * 43), {"csrf": ""}, False),
        (Caller("Ada", "admin", None, "t" * 43), {"csrf": "\udc80ü"}, False),
        (Caller("Ada", "admin", None, "t" * 43), {}, False),
        (Caller("Ada", "admin", None, None), {}, False),
        (Caller("Ada", "admin", None, None), {"csrf": ""}, False),
        (Caller("Ada", "admin", None, ""), {"csrf": ""}, False),
    ],
)
def test_a_form_needs_the_token_of_its_session(
    caller: Caller, form: dict[str, str], allowed: bool
) -> None:
    if allowed:
        check_csrf(asking(caller), form)
        return
    with pytest.raises(NotAllowedError) as refused:
        check_csrf(asking(caller), form)
    assert status_of(refused.value) == 403
