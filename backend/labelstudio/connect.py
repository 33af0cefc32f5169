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
from model.registry import projects
from model.registry.session import Database

Open = Callable[[Connection], LabelStudioClient]


@dataclass(frozen=True, slots=True)
class Connected:
    """What came of connecting.

    Attributes:
        project_id: Row of the registry.
        title: The project's title in Label Studio.
        tasks: How many tasks it has.
        warnings: Sentences a person should read.
    """

    project_id: int
    title: str
    tasks: int
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
        open_client: Opens the client; tests put theirs in.

    Raises:
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
    save_connection(settings.secrets, row.id, connection)
    with database.begin() as session:
        projects.set_labels(session, row.id, project.label_config, labels, None)
        kept = row.pointer_wanted if pointer == row.pointer_wanted else None
        projects.set_pointer(session, row.id, seen=pointer, wanted=kept)
        projects.set_connected(session, row.id, client.url)
    return Connected(row.id, project.title, project.tasks, tuple(warnings))


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
