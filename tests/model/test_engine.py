from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

import pytest

from model.engine import Engine
from model.errors import AdapterError
from model.method import AdapterFiles, Fitted, NerMethod, Progress
from model.methods import MethodEntry, UnknownMethodError
from model.spans import AnnotatedText, Label, LabelSet, Prediction, Span

LABELS = LabelSet((Label("PER", "person"), Label("LOC", "place")))


class RecordingMethod:
    """Remembers which adapters are loaded; predicts nothing."""

    name = "recording"
    base_digest = "d" * 64

    def __init__(self) -> None:
        self.loaded: list[str] = []

    def config_json(self) -> dict[str, Any]:
        return {}

    def load(self, adapter: str, files: AdapterFiles) -> None:
        if not files:
            raise AdapterError("no files")
        self.loaded.append(adapter)

    def unload(self, adapter: str) -> None:
        self.loaded.remove(adapter)

    def predict(self, texts: Sequence[str], labels: LabelSet, *, adapter: str) -> list[Prediction]:
        return [Prediction((), 1.0) for _ in texts]

    def fit(
        self,
        support: Sequence[AnnotatedText],
        labels: LabelSet,
        *,
        start: AdapterFiles,
        seed: int,
        held_out: Sequence[AnnotatedText] = (),
        on_step: Callable[[Progress], None] | None = None,
    ) -> Fitted:
        return Fitted(start, {"seed": seed}, {})


def test_files_are_read_once_and_the_least_recently_used_adapter_goes_first() -> None:
    method = RecordingMethod()
    engine = Engine(method, limit=2)
    reads: list[str] = []

    def reader(name: str) -> Callable[[], AdapterFiles]:
        def read() -> AdapterFiles:
            reads.append(name)
            return {"file": b""}

        return read

    for name in ("a", "b", "a"):
        engine.ensure(name, reader(name))
    engine.predict(["x"], LABELS, adapter="b")
    engine.ensure("c", reader("c"))  # b was used after a, so a goes
    assert reads == ["a", "b", "c"]
    assert engine.adapters == ("b", "c")
    assert method.loaded == ["b", "c"]
    with pytest.raises(AdapterError):
        engine.predict(["x"], LABELS, adapter="a")


def test_an_adapter_that_cannot_be_loaded_is_tried_again() -> None:
    engine = Engine(RecordingMethod())
    with pytest.raises(AdapterError):
        engine.ensure("a", dict)
    engine.ensure("a", lambda: {"file": b""})
    assert engine.adapters == ("a",)


def test_opened_on_a_folder_it_fits_and_predicts(
    tiny_base: Path, tiny_adapter: AdapterFiles, tmp_path: Path
) -> None:
    engine = Engine.open(tmp_path, str(tiny_base), threads=None)
    text = "Anna Smith met Ben in Paris."
    support = [AnnotatedText(text, (Span(0, 10, "PER"), Span(15, 18, "PER"), Span(22, 27, "LOC")))]
    steps: list[Progress] = []
    fitted = engine.fit(support, LABELS, start=tiny_adapter, seed=3, on_step=steps.append)
    engine.ensure("fitted", lambda: fitted.files)
    (prediction,) = engine.predict([text], LABELS, adapter="fitted")
    assert engine.method_name == "cllmfs"
    assert len(engine.base_digest) == 64
    assert steps[-1].step == steps[-1].steps == fitted.report["steps"]
    assert steps[-1].loss < steps[0].loss
    assert 0.0 <= prediction.score <= 1.0


def test_a_method_is_opened_by_its_name_on_its_kind_of_base(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[tuple[str, Any]] = []

    def open_recording(base: Any, config: Any) -> NerMethod:
        opened.append((base, dict(config)))
        return RecordingMethod()

    entry = MethodEntry(
        open_recording, lambda digest: None, lambda home, name: cast("Any", f"{name} in {home}")
    )
    monkeypatch.setattr("model.methods.METHODS", {"recording": entry})
    engine = Engine.open(tmp_path, "enc", method="recording", threads=2)
    Engine.open(tmp_path, "enc", method="recording")
    assert engine.method_name == "recording"
    assert opened == [(f"enc in {tmp_path}", {"threads": 2}), (f"enc in {tmp_path}", {})]
    with pytest.raises(UnknownMethodError):
        Engine.open(tmp_path, "enc", method="cllmfs")
