"""The one way from a version to the bytes that are parsed: not condemned, verified, read once."""

from __future__ import annotations

from model.registry.artifacts import ArtifactStore
from model.registry.errors import ArtifactError, CondemnedError
from model.registry.marks import refuse_condemned
from model.registry.session import Database
from model.registry.tables_versions import AdapterVersion


def read_version(database: Database, store: ArtifactStore, version_id: int) -> dict[str, bytes]:
    """The files of a version that may still be loaded, as they were published.

    Args:
        database: The registry.
        store: Where adapters are.
        version_id: Row of the version.

    Raises:
        ArtifactError: If the version is condemned, or its files are missing or damaged.
    """
    with database.read() as session:
        version = session.get_one(AdapterVersion, version_id)
        try:
            refuse_condemned(session, version)
        except CondemnedError as error:
            raise ArtifactError(str(error)) from error
    return store.read(version.artifact_digest)
