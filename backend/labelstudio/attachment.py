"""Our ML backend and its webhook inside a Label Studio project: exactly one of each."""

from __future__ import annotations

import base64

from backend.labelstudio.answers import LsBackend, LsProject
from backend.labelstudio.client import LabelStudioClient
from backend.labelstudio.errors import (
    BackendUrlRefusedError,
    LabelStudioAnswerError,
    LabelStudioRefusedError,
)
from backend.settings import BasicAuth

TITLE = "nerloop"
"""Title of our ML backend; a pointer that equals it means "ask live"."""


def attach(
    client: LabelStudioClient, project: LsProject, url: str, basic: BasicAuth | None
) -> list[str]:
    """Add or repair our backend and its webhook.

    Returns:
        Sentences a person should read.

    Raises:
        BackendUrlRefusedError: If Label Studio refuses the address, or makes no webhook for it.
    """
    _ensure_backend(client, project, url, basic)
    backends = client.backends(project.id)
    warnings = _ensure_webhook(client, project, url, basic, backends)
    if backends and backends[0].url.rstrip("/") != url:
        warnings.append(
            f"The project has another ML backend before ours, {backends[0].title!r}, and Label "
            "Studio asks only the first one. Remove it under Settings > Model."
        )
    return warnings


def detach(client: LabelStudioClient, ls_id: int, url: str | None) -> None:
    """Remove our backend (any of our title for None) and its webhook, which would stay behind."""
    ours = [
        item
        for item in client.backends(ls_id)
        if (item.title == TITLE if url is None else item.url.rstrip("/") == url.rstrip("/"))
    ]
    addresses = {f"{item.url.rstrip('/')}/webhook" for item in ours}
    for item in ours:
        client.delete_backend(item.id)
    for hook in client.webhooks(ls_id):
        if hook.url in addresses:
            client.delete_webhook(hook.id)


def _ensure_backend(
    client: LabelStudioClient, project: LsProject, url: str, basic: BasicAuth | None
) -> None:
    fields: dict[str, object] = {"url": url, "project": project.id, "title": TITLE}
    if basic is not None:
        fields |= {
            "auth_method": "BASIC_AUTH",
            "basic_auth_user": basic.user,
            "basic_auth_pass": basic.password.reveal(),
        }
    ours = [item for item in client.backends(project.id) if item.title == TITLE or item.url == url]
    try:
        if not ours:
            client.create_backend(fields)
        for item in ours[:1]:
            client.update_backend(item.id, fields)
    except LabelStudioRefusedError as error:
        if "reserved network" not in str(error) and "resolves to" not in str(error):
            raise
        # with only one of the two switches off the backend was made, but never its webhook
        made = any(item.url == url for item in client.backends(project.id))
        raise BackendUrlRefusedError(_switches(url, webhook_only=made)) from error
    except LabelStudioAnswerError as error:
        raise BackendUrlRefusedError(
            f"Label Studio could not use the backend at {url}. Does it run, does Label Studio "
            f"reach it under this address, and does it know its user and password? {error}"
        ) from error
    for item in ours[1:]:  # a second one would never predict, but send every event twice
        client.delete_backend(item.id)


def _ensure_webhook(
    client: LabelStudioClient,
    project: LsProject,
    url: str,
    basic: BasicAuth | None,
    backends: list[LsBackend],
) -> list[str]:
    """Exactly one active webhook that points here, with the backend's credentials."""
    address, warnings = f"{url}/webhook", []
    headers: dict[str, str] = {}
    if basic is not None:
        pair = f"{basic.user}:{basic.password.reveal()}".encode()
        headers["Authorization"] = f"Basic {base64.b64encode(pair).decode()}"
    hooks = client.webhooks(project.id)
    if not any(hook.url == address for hook in hooks):
        try:
            client.create_webhook(
                {
                    "project": project.id,
                    "url": address,
                    "send_payload": True,
                    "send_for_all_actions": True,
                    "is_active": True,
                }
            )
        except (LabelStudioRefusedError, LabelStudioAnswerError) as error:
            raise BackendUrlRefusedError(_switches(url, webhook_only=True)) from error
        hooks = client.webhooks(project.id)
    here = [hook for hook in hooks if hook.url == address]
    if not here:
        raise BackendUrlRefusedError(_switches(url, webhook_only=True))
    client.update_webhook(here[0].id, {"headers": headers, "is_active": True, "send_payload": True})
    for hook in here[1:]:
        client.delete_webhook(hook.id)
    known = {f"{item.url.rstrip('/')}/webhook" for item in backends} | {address}
    for hook in hooks:
        if hook.url.endswith("/webhook") and hook.url not in known:
            warnings.append(
                f"The project has another webhook, to {hook.url}, that belongs to no ML backend. "
                "If it is an old address of nerloop, delete it under Settings > Webhooks."
            )
    return warnings


def _switches(url: str, *, webhook_only: bool) -> str:
    if webhook_only:
        return (
            f"Label Studio made no webhook for {url}, so no annotation would ever be reported: it "
            "refuses addresses in private networks. Start Label Studio with "
            "SSRF_PROTECTION_ENABLED=false (besides ML_BLOCK_LOCAL_IP=false), or give nerloop a "
            "public name."
        )
    return (
        f"Label Studio refuses the address {url} because it lies in a private network. Start Label "
        "Studio with ML_BLOCK_LOCAL_IP=false and SSRF_PROTECTION_ENABLED=false, or give nerloop a "
        "public name."
    )
