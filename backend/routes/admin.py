"""The admin API under ``/admin/api``, put together, and its own OpenAPI."""

from __future__ import annotations

from fastapi import APIRouter, Depends
from fastapi.openapi.utils import get_openapi
from fastapi.security import HTTPBearer
from starlette.requests import Request
from starlette.responses import Response

from backend.errors import Json
from backend.routes import admin_moves, admin_projects, admin_runs, admin_versions

ABOUT = (
    "Adapter versions of few-shot entity recognition: look at them, compare them, promote one, "
    "roll back. Reasons are required and kept in the audit."
)

# the gatekeeper has looked at the token before any of this; here it is only described
bearer = HTTPBearer(
    auto_error=False,
    scheme_name="bearer",
    description="NERLOOP_ADMIN_TOKEN, or a person's token from `nerloop admin token add`.",
)
router = APIRouter(prefix="/admin/api", dependencies=[Depends(bearer)])
for module in (admin_projects, admin_versions, admin_runs, admin_moves):
    router.include_router(module.router)


@router.get("/openapi.json", include_in_schema=False)
async def openapi(request: Request) -> Response:
    """What this API takes and answers, for tools."""
    return Json(
        get_openapi(
            title="nerloop admin",
            version=request.app.version,
            description=ABOUT,
            routes=router.routes,
        )
    )
