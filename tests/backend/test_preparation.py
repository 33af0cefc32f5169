"""What a first start prepares: each method's base model, and what is said where one is missing."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from backend.launch.preparation import prepare
from backend.launch.steps import Steps
from backend.settings import Settings
from model.base.catalogue import ENTRIES
from model.errors import BaseModelError
from model.lanes import LANES, UnknownLaneError, lane_kind, queue_of
from model.methods import METHODS


def test_a_missing_encoder_hinders_only_who_uses_it(settings: Settings, tmp_path: Path) -> None:
    lacking = replace(settings, encoder=str(tmp_path / "nowhere"))
    out = io.StringIO()
    prepare(lacking, Steps(Console(file=out, width=200)))
    said = out.getvalue()
    assert f"done: Base model {settings.base}" in said
    assert "no complete base model in" in said
    assert "Projects that use the method label_aware cannot work until it is there." in said
    assert "done: Database" in said
    with pytest.raises(BaseModelError):
        prepare(replace(lacking, method="label_aware"), Steps(Console(file=out)))


def test_every_lane_has_a_method_and_a_base_model_for_it() -> None:
    for name, lane in LANES.items():
        assert lane.method == name
        assert name in METHODS
        assert ENTRIES[lane.base].method == name
    assert (queue_of("cllmfs"), queue_of("label_aware"), queue_of("tagger")) == (
        "slow",
        "fast",
        "slow",
    )
    with pytest.raises(UnknownLaneError, match="cllmfs, label_aware"):
        lane_kind("tagger")
