"""A ``LabelStudioMLBase`` subclass that runs under label-studio-ml 1.0.9 and 2.x."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from backend.plugin.bridge import shared_bridge

if TYPE_CHECKING:
    # label-studio-ml lives in an environment of its own, where no type checker runs
    class LabelStudioMLBase:
        """Stands for the base class of either version."""

        def __init__(self, *args: Any, **kwargs: Any) -> None: ...
else:
    from label_studio_ml.model import LabelStudioMLBase


class NerloopBackend(LabelStudioMLBase):
    """Predicts with the served adapter version and passes events on to nerloop's loop.

    1.0.9 makes it with ``(label_config, train_output, **kwargs)``, 2.x with
    ``(project_id, label_config)``; so nothing here depends on positions.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)

    def setup(self) -> None:
        """Called by 2.x only: tell it which version is served."""
        version = shared_bridge().version(self._project_uid())
        keep = getattr(self, "set", None)
        if version is not None and callable(keep):
            keep("model_version", version)

    def predict(
        self,
        tasks: Sequence[Mapping[str, Any]],
        context: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> list[dict[str, Any]]:
        """One prediction per task, in order, each with its ``model_version``."""
        del kwargs
        bridge = shared_bridge()
        return bridge.predict(
            tasks,
            uid=bridge.uid(tasks, self._project_uid()),
            label_config=getattr(self, "label_config", None),
            context=context,
        )

    def fit(
        self, *args: Any, event: str | None = None, data: Any = None, **kwargs: Any
    ) -> dict[str, Any]:
        """Record what happened; the courier reads the annotations and decides about training.

        2.x passes event and data by position, 1.0.9 by name with an empty list of tasks first.
        """
        del kwargs
        if event is None and len(args) > 1 and isinstance(args[0], str):
            event, data = args[0], args[1]
        if event is not None and isinstance(data, Mapping):
            shared_bridge().notify(event, data)
        return {}

    def _project_uid(self) -> str:
        return str(getattr(self, "project_id", "") or "")
