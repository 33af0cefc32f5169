"""The pages people open under ``/admin``: projects, versions, comparisons, shadow scores."""

from __future__ import annotations

from functools import partial
from importlib.resources import files
from typing import Annotated, Any

from fastapi import APIRouter, Query
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from backend.errors import RequestError
from backend.identity import caller_of, may_decide, seen_projects
from backend.pages.comparison import compare_page
from backend.pages.heading import POLICIES, heading
from backend.pages.overview import ProjectCard, card, worst_first
from backend.pages.project import project_page
from backend.pages.rendering import HOME, page
from backend.pages.shadows import curves, streams
from backend.pages.version import version_page
from backend.plots import shadow_plot
from backend.routes.admin_access import bounded, of_project
from backend.routes.page_moves import new_request_id
from backend.services import services
from model.registry import shadow
from model.registry.base import utc_now
from model.registry.session import Session
from model.registry.tables import Project

router = APIRouter(prefix=HOME, include_in_schema=False)

Number = Annotated[int | None, Query(ge=0, lt=2**31)]
Told = Annotated[str, Query(max_length=20)]

STATIC = {"style.css": "text/css", "live.js": "text/javascript", "icon.svg": "image/svg+xml"}
"""Every file that is served as it is, by name; nothing else can be asked for."""

SVG = "image/svg+xml"
KINDS = ("fixed", "broken", "other")
TOLD = {
    "policy": "The policy was set.",
    "asked": "A training run was asked for; it begins within seconds.",
    "paused": "Training by itself is switched off.",
    "resumed": "Training by itself is switched on.",
    "pinned": "This version is pinned: its files are kept.",
    "unpinned": "This version is no longer pinned.",
    "archived": "This version is archived.",
}
"""What a page says after a form was taken."""


async def shown(request: Request, template: str, **values: Any) -> Response:
    """Render a page outside the event loop: a long table takes a while."""
    return await run_in_threadpool(partial(page, request, template, **values))


@router.get("/static/{name}")
async def static(name: str) -> Response:
    """A style sheet, a script or an icon of these pages."""
    if name not in STATIC:
        raise RequestError(404, "There is no such file.")
    content = files("backend").joinpath("static", name).read_bytes()
    return Response(content, media_type=STATIC[name])


@router.get("")
async def show_projects(request: Request) -> Response:
    """Every project the caller may see, with its health at a glance."""
    caller = caller_of(request)

    def read() -> list[ProjectCard]:
        now = utc_now()
        with services(request).database.read() as session:
            return [card(session, row, now) for row in seen_projects(session, caller)]

    cards = worst_first(await run_in_threadpool(read))
    troubled = sum(not item.is_well for item in cards)
    return await shown(request, "projects.html", cards=cards, troubled=troubled)


@router.get("/projects/{project:int}")
async def show_project(
    request: Request, project: int, moved: Number = None, told: Told = ""
) -> Response:
    """A project: what waits, what the gate says, every version."""
    caller = caller_of(request)
    view = await of_project(
        request,
        project,
        lambda session, row: project_page(session, row, may_decide(caller, row.id), utc_now()),
    )
    return await shown(
        request,
        "project.html",
        head=view.head,
        view=view,
        moved=moved,
        told=TOLD.get(told, ""),
        policies=POLICIES,
        request_id=new_request_id(),
    )


@router.get("/projects/{project:int}/versions/{number:int}")
async def show_version(request: Request, project: int, number: int, told: Told = "") -> Response:
    """A version with everything that is known of it."""
    caller = caller_of(request)
    view = await of_project(
        request,
        project,
        lambda session, row: version_page(
            session, row, bounded(number), may_decide(caller, row.id)
        ),
    )
    return await shown(
        request,
        "version.html",
        head=view.head,
        view=view,
        told=TOLD.get(told, ""),
        request_id=new_request_id(),
    )


@router.get("/projects/{project:int}/compare")
async def show_comparison(
    request: Request,
    project: int,
    first: Number = None,
    second: Number = None,
    kind: Told = "",
) -> Response:
    """Two versions side by side; without numbers the served one and the candidate."""
    caller = caller_of(request)
    wanted = kind if kind in KINDS else ""
    view = await of_project(
        request,
        project,
        lambda session, row: compare_page(
            session, row, first, second, wanted, may_decide(caller, row.id)
        ),
    )
    return await shown(request, "compare.html", head=view.head, view=view)


@router.get("/projects/{project:int}/shadow")
async def show_shadow(request: Request, project: int) -> Response:
    """Shadow scores in their three streams."""
    caller = caller_of(request)

    def read(session: Session, row: Project) -> dict[str, Any]:
        return {
            "head": heading(session, row, may_decide(caller, row.id)),
            "streams": streams(shadow.series(session, row.id)),
        }

    return await shown(request, "shadow.html", **await of_project(request, project, read))


@router.get("/projects/{project:int}/shadow/{stream}.svg")
async def shadow_picture(
    request: Request, project: int, stream: str, narrow: bool = False
) -> Response:
    """The plot of one stream."""
    if stream not in shadow.STREAMS:
        raise RequestError(404, "There is no such stream.")
    found = await of_project(request, project, lambda session, row: shadow.series(session, row.id))
    drawn = await run_in_threadpool(partial(shadow_plot, curves(found, stream), narrow=narrow))
    return Response(drawn, media_type=SVG)
