"""A version as a plain adapter folder that peft loads, with its manifest and a model card."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from backend.model_card import CARD, card, peft_loads
from model.errors import NerLoopError
from model.registry import versions
from model.registry.artifacts import MANIFEST, ArtifactStore, manifest_of
from model.registry.lineage import lineage
from model.registry.loading import read_version
from model.registry.session import Database


class ExportError(NerLoopError):
    """The folder to export into is not empty or cannot be written."""


@dataclass(frozen=True, slots=True)
class ExportReport:
    """What an export wrote.

    Attributes:
        folder: Where.
        name: The version as Label Studio calls it.
        digest: Digest of the adapter's manifest, verified on the bytes that were written.
        files: Names of the files, sorted.
        bytes: Size of all of them.
        peft: Whether peft alone can use the folder.
    """

    folder: Path
    name: str
    digest: str
    files: tuple[str, ...]
    bytes: int
    peft: bool


def export_version(
    database: Database, store: ArtifactStore, project_id: int, number: int, folder: Path
) -> ExportReport:
    """Write a version's files, their manifest and a model card into a new or empty folder.

    Args:
        database: The registry.
        store: Where adapters are.
        project_id: The project.
        number: The version.
        folder: Made if it is missing.

    Raises:
        ExportError: If the folder is not empty or cannot be written.
        UnknownVersionError: If there is no such version.
        ArtifactError: If the version's files are damaged or condemned.
    """
    with database.read() as session:
        view = versions.version(session, project_id, number)
        origin = lineage(session, project_id, number)
    files = read_version(database, store, view.id)
    whole = {**files, MANIFEST: manifest_of(files), CARD: card(view, origin, files).encode()}
    _write(folder, whole)
    return ExportReport(
        folder=folder,
        name=view.name,
        digest=view.artifact_digest,
        files=tuple(sorted(whole)),
        bytes=sum(len(content) for content in whole.values()),
        peft=peft_loads(view.method),
    )


def _write(folder: Path, files: dict[str, bytes]) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise ExportError(
                f"{folder} is not empty, and an export replaces nothing. Name a new folder."
            )
    except OSError as error:
        raise ExportError(f"{folder} cannot be used: {error.strerror or error}.") from error
    try:
        for name, content in files.items():
            (folder / name).write_bytes(content)
    except OSError as error:
        for name in files:  # half an adapter is worse than none
            (folder / name).unlink(missing_ok=True)
        raise ExportError(
            f"The export to {folder} broke off ({error.strerror or error}); nothing was left there."
        ) from error
