"""The REST client understands what Label Studio 1.23.2 was recorded to answer."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from backend.labelstudio.client import LabelStudioClient
from backend.labelstudio.errors import (
    LabelStudioAnswerError,
    LabelStudioNotFoundError,
    LabelStudioRefusedError,
    LabelStudioUnreachableError,
    PushError,
)
from backend.secret_values import Secret
from fake_label_studio import FakeLabelStudio
from recorded import capture

LEGACY, PERSONAL = Secret("0123456789abcdef"), Secret("eyJhbGci.eyJ0b2tl.signature")
Handler = Callable[[httpx.Request], httpx.Response]


def client(handler: Handler, token: Secret = LEGACY) -> LabelStudioClient:
    return LabelStudioClient("http://ls/sub/", token, transport=httpx.MockTransport(handler))


def recorded(number: str, asked: list[httpx.Request] | None = None) -> LabelStudioClient:
    """A client whose every call gets the recorded answer."""
    answer = capture(number)["label_studio_answer"]

    def say(request: httpx.Request) -> httpx.Response:
        if asked is not None:
            asked.append(request)
        return httpx.Response(answer["status"], json=answer["body"])

    return client(say)


def test_changed_tasks_with_their_annotations() -> None:
    asked: list[httpx.Request] = []
    (page,) = recorded("c01", asked).changed_tasks(2, "2026-11-20T08:06:22.506812Z")
    first = page[0]
    assert (first.id, first.data) == (8, {"text": "Grace Hopper joined the Navy and later IBM."})
    assert first.created_at.endswith("Z")
    assert [a["id"] for a in first.annotations] == [3]
    params = asked[0].url.params
    assert asked[0].url.path == "/sub/api/tasks"
    query = json.loads(params["query"])["filters"]["items"][0]
    assert query == {
        "filter": "filter:tasks:updated_at",
        "operator": "greater",
        "type": "Datetime",
        "value": "2026-11-20T08:06:22.506812Z",
    }


def test_the_recorded_query_is_the_one_we_send() -> None:
    """Field names and filters are compared with what was recorded to work."""
    sent = httpx.URL("http://x" + capture("c01")["request"]["path"]).params
    asked: list[httpx.Request] = []
    list(
        recorded("c01", asked).changed_tasks(
            2, json.loads(sent["query"])["filters"]["items"][0]["value"]
        )
    )
    ours = asked[0].url.params
    assert json.loads(ours["query"]) == json.loads(sent["query"])
    assert (ours["project"], ours["page"], ours["fields"]) == ("2", "1", "all")


def test_ids_project_versions_webhooks_and_backends() -> None:
    page = recorded("c02").task_ids(2)
    assert page.total == 3
    assert {task_id for task_id, _ in page.keys} == {7, 8, 9}
    project = recorded("c04").project(1)
    assert (project.id, project.pointer, project.tasks) == (1, "1.2", 6)
    assert project.uid == "1.1795161978"
    assert project.annotations == 1
    assert recorded("c11").stored_versions(1) == {"x", "1.1", "1.2"}
    (hook,) = recorded("c12").webhooks(1)
    assert (hook.url, hook.is_active) == ("http://127.0.0.1:9090/webhook", True)
    recorded("c13").update_webhook(1, {"headers": {}})


def test_a_push_that_drops_rows_is_an_error() -> None:
    rows: list[dict[str, Any]] = [{"task": 1, "result": [], "score": 0.5, "model_version": "x"}]
    with pytest.raises(PushError, match="1 of 2"):
        recorded("c05").push(1, rows * 2)
    with pytest.raises(LabelStudioAnswerError, match="999999"):
        recorded("c06").push(1, rows)
    with pytest.raises(PushError, match="0 of 1"):
        recorded("c07").push(1, rows)
    with pytest.raises(LabelStudioAnswerError, match="500"):
        recorded("c08").push(1, rows)


def test_a_push_goes_out_in_parts_of_500() -> None:
    sizes: list[int] = []

    def count(request: httpx.Request) -> httpx.Response:
        sizes.append(len(json.loads(request.content)))
        return httpx.Response(201, json={"created": sizes[-1]})

    client(count).push(1, [{"task": n} for n in range(1203)])
    assert sizes == [500, 500, 203]


def test_versions_that_only_look_alike_are_told_apart() -> None:
    """The filter compares parts of "2.1,2.10": 2.10 also contains 2.1."""
    fake = FakeLabelStudio()
    for number in (1, 2):
        fake.add_task(number, "Ada")
    fake.rows = [{"task": 1, "model_version": "1.1"}, {"task": 2, "model_version": "1.10"}]
    found = LabelStudioClient("http://ls", Secret(fake.token), transport=fake.transport())
    assert found.tasks_with(1, "1.1") == {1}
    assert found.tasks_with(1, "1.10") == {2}


def test_a_refused_pointer_and_a_missing_project() -> None:
    with pytest.raises(LabelStudioAnswerError, match="doesn't exist"):
        recorded("c09").set_pointer(1, "never-pushed")
    with pytest.raises(LabelStudioNotFoundError):
        recorded("c14").project(999999)


def test_every_401_says_what_to_do() -> None:
    with pytest.raises(LabelStudioRefusedError, match="Copy it again"):
        recorded("c15").project(1)
    with pytest.raises(LabelStudioRefusedError, match="legacy tokens are switched off"):
        recorded("c20").project(1)


def test_a_personal_token_is_exchanged_and_renewed() -> None:
    refreshed: list[str] = []
    seen: list[str] = []

    def server(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/sub/api/token/refresh/":
            assert "authorization" not in request.headers
            refreshed.append(json.loads(request.content)["refresh"])
            return httpx.Response(200, json={"access": f"access-{len(refreshed)}"})
        seen.append(request.headers["authorization"])
        if len(seen) == 2:  # expired meanwhile
            return httpx.Response(401, json={"detail": "expired"})
        return httpx.Response(200, json=capture("c04")["label_studio_answer"]["body"])

    connected = client(server, PERSONAL)
    for _ in range(3):
        connected.project(1)
    assert refreshed == [PERSONAL.reveal()] * 2
    assert seen == ["Bearer access-1", "Bearer access-1", "Bearer access-2", "Bearer access-2"]


@pytest.mark.parametrize("answer", ["c19", "html", "list"])
def test_a_personal_token_that_is_refused_says_so(answer: str) -> None:
    def server(request: httpx.Request) -> httpx.Response:
        if answer == "c19":
            recorded_answer = capture("c19")["label_studio_answer"]
            return httpx.Response(recorded_answer["status"], json=recorded_answer["body"])
        return httpx.Response(200, content=b"<html>" if answer == "html" else b"[]")

    with pytest.raises(LabelStudioRefusedError, match="personal access token") as caught:
        client(server, PERSONAL).project(1)
    assert PERSONAL.reveal() not in str(caught.value)


def test_nobody_there_too_slow_or_somebody_else() -> None:
    def gone(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused", request=request)

    def slow(request: httpx.Request) -> httpx.Response:
        raise httpx.ReadTimeout("slow", request=request)

    with pytest.raises(LabelStudioUnreachableError, match="cannot be reached"):
        client(gone).project(1)
    with pytest.raises(LabelStudioUnreachableError, match="in time"):
        client(slow).project(1)
    with pytest.raises(LabelStudioAnswerError, match="no JSON"):
        client(lambda _: httpx.Response(200, content=b"<html>")).project(1)
    with pytest.raises(LabelStudioAnswerError, match="no JSON object"):
        client(lambda _: httpx.Response(200, json=[])).project(1)


def test_a_redirect_is_not_followed_with_the_token() -> None:
    asked: list[str] = []

    def redirect(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.host)
        return httpx.Response(302, headers={"Location": "http://169.254.169.254/"})

    with pytest.raises(LabelStudioAnswerError, match="redirects"):
        client(redirect).project(1)
    assert asked == ["ls"]
