"""A base model is downloaded from the Hugging Face hub: one commit, only what is needed."""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from model.base.catalogue import HubSource
from model.base.digest import INDEX_FILE, WEIGHTS_FILE, file_digest, weight_map
from model.base.disk import OnProgress, require_space
from model.base.load import COMPANION_FILES
from model.errors import BaseModelError

_SPARE_SPACE = 200_000_000
_COMMIT = re.compile(r"[0-9a-f]{40}")
_LISTING_LIMIT_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class _Listing:
    commit: str
    sizes: dict[str, int]
    digests: dict[str, str]


def download_from_hub(source: HubSource, folder: Path, told: OnProgress) -> tuple[str, list[str]]:
    """Download configuration, tokenizer and weights, sharded or not.

    Files that are already in the folder from an interrupted download are not downloaded again, and
    a half-finished one goes on where it stopped. Every weights file is checked against the SHA-256
    that the hub states for it.

    Args:
        source: The repository.
        folder: An existing folder that outlives a failure.
        told: Told the bytes of the files done and the bytes in all.

    Returns:
        The commit that was taken, and the names of the files that belong to it.

    Raises:
        BaseModelError: If there is no network, no room or no access, or the repository lacks a
            file or serves a damaged one.
    """
    from huggingface_hub import hf_hub_download

    listing = _listed(source)
    names = _wanted(source, listing, folder)
    missing = sum(listing.sizes[name] for name in names if not (folder / name).is_file())
    require_space(folder, missing + _SPARE_SPACE)
    total = sum(listing.sizes[name] for name in names)
    done = 0
    for name in names:
        told(f"download {source}", done, total)
        with _errors_of_the_hub(source):
            hf_hub_download(source.repository, name, revision=listing.commit, local_dir=folder)
        _require_whole(folder / name, listing)
        done += listing.sizes[name]
    told(f"download {source}", total, total)
    return listing.commit, names


def _listed(source: HubSource) -> _Listing:
    from huggingface_hub import model_info

    with _errors_of_the_hub(source):
        info = model_info(
            source.repository,
            revision=source.revision,
            files_metadata=True,
            timeout=_LISTING_LIMIT_SECONDS,
        )
    if info.sha is None or not _COMMIT.fullmatch(info.sha):
        raise BaseModelError("the hub names no commit, so nothing could be recorded.")
    files: list[Any] = list(info.siblings or ())
    return _Listing(
        info.sha,
        {file.rfilename: int(file.size or 0) for file in files},
        {file.rfilename: str(file.lfs.sha256) for file in files if file.lfs is not None},
    )


def _wanted(source: HubSource, listing: _Listing, folder: Path) -> list[str]:
    """The files to fetch; fetches the index of a sharded model to learn its shards."""
    from huggingface_hub import hf_hub_download

    if WEIGHTS_FILE in listing.sizes:
        names = [*COMPANION_FILES, WEIGHTS_FILE]
    elif INDEX_FILE in listing.sizes:
        with _errors_of_the_hub(source):
            hf_hub_download(
                source.repository, INDEX_FILE, revision=listing.commit, local_dir=folder
            )
        names = [*COMPANION_FILES, INDEX_FILE, *sorted(set(weight_map(folder).values()))]
    else:
        raise BaseModelError(f"the repository holds no {WEIGHTS_FILE} and no {INDEX_FILE}.")
    absent = [name for name in names if name not in listing.sizes]
    if absent:
        raise BaseModelError(f"the repository lacks {', '.join(absent)}.")
    return names


def _require_whole(file: Path, listing: _Listing) -> None:
    expected = listing.digests.get(file.name)
    if expected is not None and file_digest(file) != expected:
        file.unlink()
        raise BaseModelError(
            f"{file.name} did not arrive with the SHA-256 that the hub states. Fetch again."
        )


@contextmanager
def _errors_of_the_hub(source: HubSource) -> Iterator[None]:
    from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError

    try:
        yield
    except (GatedRepoError, RepositoryNotFoundError) as error:
        if source.gated or isinstance(error, GatedRepoError):
            raise BaseModelError(
                f"the repository is gated. Accept its licence at {source.page}, make a token with "
                "read access at https://huggingface.co/settings/tokens, set HF_TOKEN to it and "
                "fetch again; the owner may take a while to grant access."
            ) from error
        raise BaseModelError(f"the hub knows no public repository {source.repository}.") from error
    except Exception as error:
        # Of many libraries: no network, refused, unknown revision.
        if isinstance(error, OSError) and error.errno == errno.ENOSPC:
            raise
        raise BaseModelError(
            f"the hub could not be read ({type(error).__name__}). Check the network and fetch "
            "again; what was downloaded is kept."
        ) from error
