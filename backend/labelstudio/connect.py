"""Connect a Label Studio project to nerloop, and take the connection down again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from backend.enrolment import Enrolment
from backend.labelstudio.attachment import attach, detach
from backend.labelstudio.client import LabelStudioClient
from backend.labelstudio.errors import UnsupportedConfigError
from backend.labelstudio.label_config import labels_of
from backend.labelstudio.tokens import Connection, forget_connection, save_connection
from backend.settings import Settings
from model.registry import aliases, projects, switching
from model.registry.session import Database
from model.registry.tables import Project

Open = Callable[[Connection], LabelStudioClient]


@dataclass(frozen=True, slots=True)
class Connected:
    """What came of connecting.

    Attributes:
        project_id: Row of the registry.
        title: The project's title in Label Studio.
        tasks: How many tasks it has.
        method: What it trains with.
        warnings: Sentences a person should read.
    """

    project_id: int
    title: str
    tasks: int
    method: str
    warnings: tuple[str, ...] = ()


def open_client(connection: Connection) -> LabelStudioClient:
    """A client of the real network."""
    return LabelStudioClient(connection.url, connection.token)


def connect(
    connection: Connection,
    ls_id: int,
    *,
    backend_url: str,
    settings: Settings,
    database: Database,
    enrolment: Enrolment,
    method: str | None = None,
    held_out: float | None = None,
    open_client: Open = open_client,
) -> Connected:
    """Make a project use nerloop; doing it again repairs what is missing.

    Registers the project with its held-out share, adds the ML backend (which must be running) and
    its webhook with credentials, sets the order of tasks, keeps the token, wakes the courier.

    Args:
        connection: Label Studio's address and a token of a user who may change the project.
        ls_id: The project's number.
        backend_url: nerloop's address as Label Studio sees it.
        settings: For the folder of secrets and the backend's credentials.
        database: The registry.
        enrolment: Registers the project.
        method: What the project trains with from now on; None leaves that as it is, for a new one
            the configured method.
        held_out: Share of tasks a new project keeps aside for the gate; None for the usual one.
        open_client: Opens the client; tests put theirs in.

    Raises:
        UnknownLaneError: If no project can use the method.
        BaseModelError: If its base model was not fetched yet.
        AdapterError: If no base adapter of it is there.
        UnsupportedConfigError: If the labeling config has no span control on a plain text.
        BackendUrlRefusedError: If Label Studio refuses the address, or makes no webhook for it.
        LabelStudioError: If it is unreachable, refuses the token or does not know the project.
    """
    backend_url = backend_url.rstrip("/")
    with open_client(connection) as client:
        project = client.project(ls_id)
        labels, problem = labels_of(project.label_config)
        if problem is not None:
            raise UnsupportedConfigError(problem)
        # before Label Studio asks /setup: only here the number of tasks is known
        row = enrolment.enrol(
            project.uid,
            client.url,
            title=project.title,
            config=project.label_config,
            tasks=project.tasks,
            method=method,
            held_out=held_out,
        )
        warnings = attach(client, project, backend_url, settings.basic_auth)
        client.update_project(
            ls_id,
            {
                "sampling": "Uncertainty sampling",
                "min_annotations_to_start_training": 0,
                "show_collab_predictions": True,
            },
        )
        pointer = client.project(ls_id).pointer
    # last, so that a project Label Studio would not connect keeps its method
    told = _changed(database, enrolment, row, method)
    save_connection(settings.secrets, row.id, connection)
    with database.begin() as session:
        projects.set_labels(session, row.id, project.label_config, labels, None)
        kept = row.pointer_wanted if pointer == row.pointer_wanted else None
        projects.set_pointer(session, row.id, seen=pointer, wanted=kept)
        projects.set_connected(session, row.id, client.url)
    with database.read() as session:
        used = projects.by_id(session, row.id).method
    return Connected(row.id, project.title, project.tasks, used, (*told, *warnings))


def _changed(
    database: Database, enrolment: Enrolment, row: Project, method: str | None
) -> tuple[str, ...]:
    if method is None:
        return ()
    adapter = enrolment.base_adapter(method)
    with database.begin() as session:
        added = switching.use_method(session, row.id, adapter)
        base = added or switching.base_version(session, row.id, method, adapter.base_digest)
        served = aliases.served(session, row.id)
    if method == row.method:
        if added is None:
            return ()
        return (
            f"The project trains on {added.base_name} from now on: version {added.number} is its "
            f"base adapter. Version {served.name} is served until you promote another.",
        )
    return (
        f"The project used {row.method} and trains with {method} from now on. Version "
        f"{served.name} is served until you promote another; {base.number} is the base adapter "
        f"of {method}.",
    )


def disconnect(
    connection: Connection,
    ls_id: int,
    *,
    backend_url: str | None,
    settings: Settings,
    database: Database,
    open_client: Open = open_client,
) -> None:
    """Take nerloop out of a project: backend, webhooks, token. Annotations and versions stay.

    Args:
        connection: As for :func:`connect`.
        ls_id: The project's number.
        backend_url: nerloop's address as Label Studio sees it; None takes all backends of our name.
        settings: For the folder of secrets.
        database: The registry.
        open_client: Opens the client; tests put theirs in.
    """
    with database.read() as session:
        row = projects.by_label_studio(session, ls_id)
    with open_client(connection) as client:
        detach(client, ls_id, backend_url)
    with database.begin() as session:
        projects.set_connected(session, row.id, None)
    forget_connection(settings.secrets, row.id)
