from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from model.base import memory
from model.base.load import load_base
from model.base.memory import free_bytes
from model.cllmfs import training
from model.cllmfs.config import CllmfsConfig
from model.cllmfs.fitting import StepRoom, room_for_steps
from model.cllmfs.method import Cllmfs
from model.method import AdapterFiles
from model.spans import AnnotatedText, Label, LabelSet, Span

NETWORK = SimpleNamespace(hidden_size=4, intermediate_size=10, num_hidden_layers=2)
WANTED = StepRoom(1536, False)


@pytest.mark.parametrize(
    ("free", "longest", "room"),
    [
        (None, 50, WANTED),
        (1_000_000, 50, WANTED),
        # 0.8 * 57,000 / 456 = 100 tokens
        (57_000, 50, StepRoom(100, False)),
        # the longest row does not fit whole: 0.8 * 57,000 / (2 * 4 * 2 + 228) = 186
        (57_000, 101, StepRoom(186, True)),
        (0, 50, StepRoom(1, True)),
    ],
)
def test_parts_by_free_memory(free: int | None, longest: int, room: StepRoom) -> None:
    """A block keeps 2 * (18 * 4 + 4.2 * 10) = 228 bytes of a token, two of them 456."""
    assert room_for_steps(NETWORK, 2, free, longest, WANTED) == room


def test_checkpointing_that_is_wanted_stays() -> None:
    assert room_for_steps(NETWORK, 2, 1_000_000, 50, StepRoom(64, True)) == StepRoom(64, True)


def test_a_control_group_bounds_what_is_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """1 MiB is available; the group has 4,096 - 1,096 bytes left."""
    (tmp_path / "meminfo").write_text("MemTotal: 9 kB\nMemAvailable:    1024 kB\n")
    monkeypatch.setattr(memory, "_MACHINE", tmp_path / "meminfo")
    monkeypatch.setattr(memory, "_GROUP", tmp_path)
    assert free_bytes(torch.device("cpu")) == 1024 * 1024
    (tmp_path / "memory.max").write_text("4096\n")
    (tmp_path / "memory.current").write_text("1096\n")
    assert free_bytes(torch.device("cpu")) == 3000
    (tmp_path / "memory.max").write_text("max\n")
    assert free_bytes(torch.device("cpu")) == 1024 * 1024
    (tmp_path / "meminfo").unlink()
    assert free_bytes(torch.device("cpu")) is None


def test_a_fit_in_little_memory_learns_the_same(
    tiny_base: Path, tiny_adapter: AdapterFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    def losses(free: int | None) -> float:
        monkeypatch.setattr(training, "free_bytes", lambda device: free)
        config = CllmfsConfig(min_steps=3, max_steps=3, threads=1)
        method = Cllmfs(load_base(tiny_base, str(tiny_base)), config)
        fitted = method.fit(
            [AnnotatedText("we met Ben in Oslo", (Span(7, 10, "PER"),))] * 4,
            LabelSet((Label("PER", "person"),)),
            start=tiny_adapter,
            seed=1,
        )
        return float(fitted.report["loss"])

    parts: list[StepRoom] = []

    def noted(
        network: object, number_bytes: int, free: int | None, longest: int, wanted: StepRoom
    ) -> StepRoom:
        parts.append(room_for_steps(network, number_bytes, free, longest, wanted))
        return parts[-1]

    monkeypatch.setattr(training, "room_for_steps", noted)
    assert losses(300_000) == pytest.approx(losses(None), rel=1e-3)
    assert parts[0].tokens < parts[1].tokens == CllmfsConfig().batch_tokens
