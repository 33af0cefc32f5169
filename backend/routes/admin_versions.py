"""Adapter versions by REST: scores, verdicts, comparison, lineage, soundness, marks."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from backend.identity import Caller
from backend.routes import admin_views as views
from backend.routes.admin_access import (
    REFUSALS,
    REFUSED_DECISIONS,
    answer,
    bounded,
    decided,
    of_project,
)
from backend.routes.admin_answers import (
    ErrorAnswer,
    MarkAnswer,
    SoundAnswer,
    VersionAnswer,
    VersionLine,
)
from backend.routes.admin_requests import (
    DecisionRequest,
    IdempotencyKey,
    PinRequest,
    decision_of,
    described,
)
from backend.services import services
from model.registry import comparing, lineage, marks, verdicts, verifying, versions
from model.registry.artifacts import ArtifactStore
from model.registry.comparing import VersionComparison
from model.registry.errors import ArtifactError
from model.registry.lineage import Lineage
from model.registry.session import Session
from model.registry.tables import Project
from model.registry.verdicts import VerdictView

router = APIRouter(tags=["versions"])
Number = Annotated[int, Query(ge=0, lt=2**31, description="A version's number, from 0.")]
TWO_ALIKE: dict[int | str, dict[str, Any]] = {
    400: {"model": ErrorAnswer, "description": "Both are the same version."}
}


@router.get(
    "/projects/{project:int}/versions", response_model=list[VersionLine], responses=REFUSALS
)
async def list_versions(request: Request, project: int) -> Response:
    """All versions of a project, oldest first, each with its newest verdict."""
    return answer(list[VersionLine], await of_project(request, project, views.version_lines))


@router.get(
    "/projects/{project:int}/versions/{number:int}",
    response_model=VersionAnswer,
    responses=REFUSALS,
)
async def show_version(request: Request, project: int, number: int) -> Response:
    """One version with its configuration, figures and all verdicts on it."""
    found = await of_project(
        request,
        project,
        lambda session, row: views.version_in_full(session, row, bounded(number)),
    )
    return answer(VersionAnswer, found)


@router.get(
    "/projects/{project:int}/versions/{number:int}/lineage",
    response_model=Lineage,
    responses=REFUSALS,
)
async def show_lineage(request: Request, project: int, number: int) -> Response:
    """Every annotation revision a version was made from, and whether it still stands."""
    found = await of_project(
        request, project, lambda session, row: lineage.lineage(session, row.id, bounded(number))
    )
    return answer(Lineage, found)


@router.get(
    "/projects/{project:int}/versions/{number:int}/verify",
    response_model=SoundAnswer,
    responses=REFUSALS,
)
async def verify(request: Request, project: int, number: int) -> Response:
    """Hash the version's files now and compare them with its digest."""
    view = await of_project(
        request, project, lambda session, row: versions.row(session, row.id, bounded(number))
    )
    digest = view.artifact_digest

    def check() -> SoundAnswer:
        store = ArtifactStore(services(request).settings.artifacts)
        try:
            verifying.verify(store, digest)
        except ArtifactError as error:
            return SoundAnswer(number=number, digest=digest, sound=False, error=str(error))
        return SoundAnswer(number=number, digest=digest, sound=True)

    return answer(SoundAnswer, await run_in_threadpool(check))


@router.get(
    "/projects/{project:int}/verdicts", response_model=list[VerdictView], responses=REFUSALS
)
async def list_verdicts(request: Request, project: int) -> Response:
    """Everything the gate said in this project, newest first."""
    found = await of_project(
        request, project, lambda session, row: verdicts.of_project(session, row.id)
    )
    return answer(list[VerdictView], found)


@router.get(
    "/projects/{project:int}/compare",
    response_model=VersionComparison,
    responses=REFUSALS | TWO_ALIKE,
)
async def compare(request: Request, project: int, first: Number, second: Number) -> Response:
    """Two versions: scores by label, texts whose predictions changed, what they learnt from."""
    found = await of_project(
        request,
        project,
        lambda session, row: comparing.compare(session, row.id, first, second),
    )
    return answer(VersionComparison, found)


@router.post(
    "/projects/{project:int}/versions/{number:int}/pin",
    response_model=MarkAnswer,
    responses=REFUSED_DECISIONS,
    openapi_extra=described(PinRequest),
)
async def pin(request: Request, project: int, number: int, key: IdempotencyKey = None) -> Response:
    """Keep a version's files whatever comes after it, or with ``pinned: false`` stop to."""
    wanted = await decision_of(request, PinRequest, key)
    store = ArtifactStore(services(request).settings.artifacts)

    def change(session: Session, row: Project, caller: Caller) -> MarkAnswer:
        found = marks.pin(
            session,
            row.id,
            bounded(number),
            wanted.pinned,
            actor=caller.name,
            reason=wanted.reason,
            request_id=wanted.request_id,
            dry_run=wanted.dry_run,
            store=store,
        )
        return views.mark(row.ls_id, number, found, dry_run=wanted.dry_run)

    return answer(MarkAnswer, await decided(request, project, change))


@router.post(
    "/projects/{project:int}/versions/{number:int}/archive",
    response_model=MarkAnswer,
    responses=REFUSED_DECISIONS,
    openapi_extra=described(DecisionRequest),
)
async def archive(
    request: Request, project: int, number: int, key: IdempotencyKey = None
) -> Response:
    """Put a version out of the way; a person can still promote it."""
    wanted = await decision_of(request, DecisionRequest, key)

    def change(session: Session, row: Project, caller: Caller) -> MarkAnswer:
        found = marks.archive(
            session,
            row.id,
            bounded(number),
            actor=caller.name,
            reason=wanted.reason,
            request_id=wanted.request_id,
            dry_run=wanted.dry_run,
        )
        return views.mark(row.ls_id, number, found, dry_run=wanted.dry_run)

    return answer(MarkAnswer, await decided(request, project, change))
