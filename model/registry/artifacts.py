"""The artifact store: adapter folders under the digest of their manifest, verified when read."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import time
import uuid
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from model.registry.errors import ArtifactError

LEGAL: Final = frozenset(
    {
        "adapter_model.safetensors",
        "adapter_config.json",
        "nerloop.json",
        "heads.safetensors",
        "support.safetensors",
    }
)
REQUIRED: Final = frozenset({"adapter_model.safetensors", "adapter_config.json", "nerloop.json"})
MANIFEST: Final = "manifest.json"
_DIGEST = re.compile(r"[0-9a-f]{64}")


def writer(run_id: int, fence: int) -> str:
    """What the holder of a run calls itself where it writes."""
    return f"run{run_id}-fence{fence}"


class ArtifactStore:
    """Immutable adapter folders on a local or shared file system.

    Args:
        root: Folder of the store; made with mode 0700 on the first write.
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    def put(self, files: Mapping[str, bytes], *, owner: str = "import") -> str:
        """Write an adapter: aside, synced, renamed; the same content is written once.

        Args:
            files: The adapter's files by name.
            owner: Who writes, for the name of the folder aside, for example ``run12-fence3``.

        Returns:
            The digest of its manifest.

        Raises:
            ArtifactError: If a file is not legal or one is missing.
            OSError: If the file system refuses.
        """
        _check_names(files.keys())
        manifest = manifest_of(files)
        digest = hashlib.sha256(manifest).hexdigest()
        target = self._folder(digest)
        if target.exists():
            self.read(digest)
            return digest
        self._root.mkdir(parents=True, exist_ok=True, mode=0o700)
        aside = self._root / f"partial-{owner}-{uuid.uuid4().hex}"
        try:
            aside.mkdir(mode=0o700)
            for name, content in {**files, MANIFEST: manifest}.items():
                _write(aside / name, content)
            _sync_folder(aside)
            target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            _rename(aside, target)
            for folder in (target.parent, target.parent.parent, self._root, self._root.parent):
                _sync_folder(folder)  # a folder just made is an entry of its own parent
        finally:
            shutil.rmtree(aside, ignore_errors=True)
        return digest

    def read(self, digest: str) -> dict[str, bytes]:
        """The files of an adapter, read once and verified: what is returned is what was checked.

        Raises:
            ArtifactError: If it is missing, damaged or holds anything foreign.
        """
        folder = self._folder(digest)
        try:
            manifest = (folder / MANIFEST).read_bytes()
            if hashlib.sha256(manifest).hexdigest() != digest:
                raise ArtifactError(f"The manifest of adapter {digest[:12]} was changed.")
            listed = json.loads(manifest)["files"]
            _check_names(entry["name"] for entry in listed)
            present = {item.name for item in folder.iterdir()}
            if present != {entry["name"] for entry in listed} | {MANIFEST}:
                raise ArtifactError(f"Adapter {digest[:12]} holds other files than its manifest.")
            files = {entry["name"]: (folder / entry["name"]).read_bytes() for entry in listed}
        except OSError as error:
            raise ArtifactError(
                f"Adapter {digest[:12]} cannot be read: {error.strerror or error}."
            ) from error
        if manifest_of(files) != manifest:
            raise ArtifactError(f"A file of adapter {digest[:12]} is damaged.")
        return files

    def exists(self, digest: str) -> bool:
        """Whether a folder of that digest is there (unverified)."""
        return self._folder(digest).is_dir()

    def import_folder(self, folder: Path) -> str:
        """Take in an adapter folder; cards and licences beside the weights stay behind.

        Raises:
            ArtifactError: If files are missing.
        """
        try:
            files = {p.name: p.read_bytes() for p in folder.iterdir() if p.name in LEGAL}
        except OSError as error:
            raise ArtifactError(
                f"The adapter folder {folder} cannot be read: {error.strerror or error}."
            ) from error
        return self.put(files)

    @contextmanager
    def removing(self, digest: str) -> Iterator[None]:
        """Take an adapter away, for good if what is done inside succeeds.

        It is gone at one instant, so nobody ever meets half of it.
        """
        folder, aside = self._folder(digest), self._root / f"partial-removed-{uuid.uuid4().hex}"
        try:
            os.utime(folder)  # its age aside begins now: no sweeper takes it before the commit
            folder.rename(aside)
        except FileNotFoundError:  # an earlier removal got as far as here
            yield
            return
        try:
            yield
        except BaseException:
            aside.rename(folder)
            raise
        shutil.rmtree(aside, ignore_errors=True)

    def collect_partials(self, older_than: float, living: Collection[str] = ()) -> int:
        """Delete folders aside that are old and whose writer is dead.

        Args:
            older_than: Age in seconds.
            living: Writers whose folders stay whatever their age, as ``owner`` of :meth:`put`.

        Returns:
            How many were deleted.
        """
        now, count = time.time(), 0
        for folder in self._root.glob("partial-*"):
            try:
                age = now - folder.stat().st_mtime
            except FileNotFoundError:  # another sweeper was quicker
                continue
            owner = folder.name.removeprefix("partial-").rpartition("-")[0]
            if age > older_than and owner not in living:
                shutil.rmtree(folder, ignore_errors=True)
                count += 1
        return count

    def _folder(self, digest: str) -> Path:
        if not _DIGEST.fullmatch(digest):
            raise ArtifactError("An adapter's address is a SHA-256 digest and nothing else.")
        return self._root / "sha256" / digest[:2] / digest


def _check_names(names: Iterable[str]) -> None:
    given = set(names)
    if given - LEGAL:
        raise ArtifactError(f"Not allowed in an adapter: {', '.join(sorted(given - LEGAL))}.")
    if REQUIRED - given:
        raise ArtifactError(f"The adapter lacks {', '.join(sorted(REQUIRED - given))}.")


def manifest_of(files: Mapping[str, bytes]) -> bytes:
    """The manifest of an adapter: name, size, SHA-256 of each file; its digest is the address."""
    entries = [
        {"name": name, "size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        for name, content in sorted(files.items())
    ]
    return json.dumps({"files": entries}, sort_keys=True).encode()


def _write(path: Path, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as out:
        out.write(content)
        out.flush()
        os.fsync(out.fileno())


def _rename(source: Path, target: Path) -> None:
    try:
        source.rename(target)
    except OSError:
        if not target.exists():  # otherwise somebody else published the same content first
            raise


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
