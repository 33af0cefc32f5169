"""The few-shot baselines by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from model.base.load import LoadedBase
from model.baselines.container import Container, ContainerConfig
from model.baselines.fewshot import FewShotBaseline
from model.baselines.label_semantics import LabelSemantics, LabelSemanticsConfig
from model.baselines.nearest import NearestConfig, NNShot, StructShot, StructShotConfig
from model.baselines.proml import ProML, ProMLConfig
from model.baselines.prototypical import ProtoBert, ProtoBertConfig
from model.baselines.reading import Reader
from model.baselines.recipe import Recipe
from model.baselines.settings import BaselineConfig
from model.baselines.tadner import Tadner, TadnerConfig


@dataclass(frozen=True, slots=True)
class RecipeEntry:
    """A recipe with the class of its settings."""

    recipe: Callable[[Reader, Any], Recipe]
    config: type[BaselineConfig]


RECIPES: Final[Mapping[str, RecipeEntry]] = {
    "protobert": RecipeEntry(ProtoBert, ProtoBertConfig),
    "nnshot": RecipeEntry(NNShot, NearestConfig),
    "structshot": RecipeEntry(StructShot, StructShotConfig),
    "container": RecipeEntry(Container, ContainerConfig),
    "proml": RecipeEntry(ProML, ProMLConfig),
    "tadner": RecipeEntry(Tadner, TadnerConfig),
    "label_semantics": RecipeEntry(LabelSemantics, LabelSemanticsConfig),
}


def open_baseline(
    name: str, base: LoadedBase, config: Mapping[str, Any] | None = None
) -> FewShotBaseline:
    """Put a baseline on an encoder.

    Args:
        name: One of :data:`RECIPES`.
        base: The encoder; the baseline becomes its only user.
        config: Settings that differ from the defaults.

    Raises:
        BaselineConfigError: If it does not know a setting, or one lies outside its range.
    """
    entry = RECIPES[name]
    return FewShotBaseline(base, entry.recipe, entry.config.from_json(dict(config or {})))
