"""The methods by name: how each is put on a base model, and which adapter it starts from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol, runtime_checkable

from model.base.encoder import load_encoder
from model.base.load import LoadedBase, load_base
from model.errors import AdapterError, NerLoopError
from model.method import AdapterFiles, Fitted, NerMethod

SHIPPED: Final = "shipped"
FRESH: Final = "none"
ADAPTER_FILES: Final = ("adapter_model.safetensors", "adapter_config.json", "nerloop.json")
FURTHER_FILES: Final = ("heads.safetensors", "support.safetensors")
_FRESH_SEED: Final = 0


class UnknownMethodError(NerLoopError):
    """There is no method of that name."""


@dataclass(frozen=True, slots=True)
class MethodEntry:
    """How a method is opened.

    Attributes:
        open: Puts it on a base model with the settings given; the others keep their defaults.
        shipped: Folder of the adapter that ships for a base model's digest, or None.
        load: Loads a base model of the kind the method needs, by home folder and name.
    """

    open: Callable[[LoadedBase, Mapping[str, Any]], NerMethod]
    shipped: Callable[[str], Path | None]
    load: Callable[[Path, str], LoadedBase] = load_base


@runtime_checkable
class FreshStarter(Protocol):
    """A method that can start from an adapter that changes nothing yet."""

    def fresh_adapter(self, seed: int) -> Fitted:
        """An adapter that changes nothing yet."""


def open_method(name: str, base: LoadedBase, config: Mapping[str, Any] | None = None) -> NerMethod:
    """Put a method on a base model.

    Args:
        name: One of :data:`METHODS`.
        base: The base model; the method becomes its only user.
        config: Settings that differ from the method's defaults.

    Raises:
        UnknownMethodError: If there is no method of that name.
        ConfigError: If the method does not know a setting, or it lies outside its range.
    """
    return method_entry(name).open(base, config or {})


def method_entry(name: str) -> MethodEntry:
    """How a method is opened.

    Raises:
        UnknownMethodError: If there is no method of that name.
    """
    if name not in METHODS:
        raise UnknownMethodError(
            f"There is no method called {name!r}. Known: {', '.join(sorted(METHODS))}."
        )
    return METHODS[name]


def load_base_for(name: str, home: Path, base: str) -> LoadedBase:
    """Load a base model of the kind a method needs.

    Args:
        name: One of :data:`METHODS`.
        home: The folder with nerloop's state.
        base: Catalogue name, or a folder.

    Raises:
        UnknownMethodError: If there is no method of that name.
        BaseModelError: If the base model cannot be used, or is of another kind.
    """
    return method_entry(name).load(home, base)


def start_adapter(method: NerMethod, source: str = SHIPPED) -> AdapterFiles:
    """The files of the adapter a fit starts from.

    Args:
        method: The method on its base model.
        source: ``shipped``, ``none`` for one that changes nothing yet, or a folder.

    Raises:
        AdapterError: If there is no such adapter, or files are missing.
    """
    if source == FRESH:
        if not isinstance(method, FreshStarter):
            raise AdapterError(f"The method {method.name} cannot start without an adapter.")
        return method.fresh_adapter(_FRESH_SEED).files
    folder = Path(source)
    if source == SHIPPED:
        found = method_entry(method.name).shipped(method.base_digest)
        if found is None:
            raise AdapterError(
                "No adapter ships for this base model. Name one with --source-adapter FOLDER, or "
                "start without with --source-adapter none."
            )
        folder = found
    return adapter_files(folder)


def adapter_files(folder: Path) -> AdapterFiles:
    """The files of an adapter in a folder.

    Raises:
        AdapterError: If files are missing.
    """
    missing = [name for name in ADAPTER_FILES if not (folder / name).is_file()]
    if missing:
        raise AdapterError(f"The adapter in {folder} lacks {', '.join(missing)}.")
    present = [name for name in (*ADAPTER_FILES, *FURTHER_FILES) if (folder / name).is_file()]
    return {name: (folder / name).read_bytes() for name in present}


def _cllmfs(base: LoadedBase, config: Mapping[str, Any]) -> NerMethod:
    from model.cllmfs.config import CllmfsConfig
    from model.cllmfs.method import Cllmfs

    return Cllmfs(base, CllmfsConfig.from_json({**CllmfsConfig().to_json(), **config}))


def _cllmfs_adapter(base_digest: str) -> Path | None:
    from model.cllmfs.shipped import shipped_adapter

    return shipped_adapter(base_digest)


def _label_aware(base: LoadedBase, config: Mapping[str, Any]) -> NerMethod:
    from model.label_aware.config import LabelAwareConfig
    from model.label_aware.method import LabelAware

    return LabelAware(base, LabelAwareConfig.from_json(dict(config)))


def _label_aware_adapter(base_digest: str) -> Path | None:
    from model.label_aware.shipped import shipped_adapter

    return shipped_adapter(base_digest)


def _tagger(base: LoadedBase, config: Mapping[str, Any]) -> NerMethod:
    from model.baselines.schedule import TaggerConfig
    from model.baselines.tagger import Tagger

    return Tagger(base, TaggerConfig.from_json(dict(config)))


def _few_shot(name: str) -> MethodEntry:
    def opened(base: LoadedBase, config: Mapping[str, Any]) -> NerMethod:
        from model.baselines.recipes import open_baseline

        return open_baseline(name, base, config)

    return MethodEntry(opened, _no_adapter, load_encoder)


def _no_adapter(_base_digest: str) -> None:
    return None


METHODS: Final[Mapping[str, MethodEntry]] = {
    "cllmfs": MethodEntry(_cllmfs, _cllmfs_adapter),
    "label_aware": MethodEntry(_label_aware, _label_aware_adapter, load_encoder),
    "tagger": MethodEntry(_tagger, _no_adapter, load_encoder),
    "protobert": _few_shot("protobert"),
    "nnshot": _few_shot("nnshot"),
    "structshot": _few_shot("structshot"),
    "container": _few_shot("container"),
    "proml": _few_shot("proml"),
    "tadner": _few_shot("tadner"),
    "label_semantics": _few_shot("label_semantics"),
}
