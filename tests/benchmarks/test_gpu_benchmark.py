from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks"


def started(*options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(FOLDER / "gpu.py"), *options],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ, "CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1"},
    )


@pytest.fixture(scope="module")
def smoke(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], str]:
    """Figures and output of one run on the tiny shape."""
    out = tmp_path_factory.mktemp("gpu") / "figures.json"
    done = started("--smoke", "--out", str(out))
    assert done.returncode == 0, done.stderr
    figures: dict[str, Any] = json.loads(out.read_text(encoding="utf-8"))
    return figures, done.stdout


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(FOLDER))
    return importlib.import_module("gpu_network")


def test_fractions_are_counted_products_over_time_over_rate(
    smoke: tuple[dict[str, Any], str],
) -> None:
    """Forward 2 FLOP per weight and token; training as much again, backward to the inputs."""
    figures, _ = smoke
    weights = 3 * (4 * 64 * 64 + 3 * 64 * 160)
    assert figures["block_parameters"] == weights
    rate = figures["ceiling_flops_per_second"]
    for row in figures["half_precision"]["training"]:
        assert row["tokens_per_second"] == pytest.approx(
            row["tokens_per_step"] / row["seconds_per_step"]
        )
        assert row["fraction_of_ceiling"] * rate == pytest.approx(
            4 * weights * row["tokens_per_second"]
        )
    for row in figures["half_precision"]["prediction"]:
        assert row["fraction_of_ceiling"] * rate == pytest.approx(
            2 * weights * row["tokens_per_text"] * row["texts_per_second"]
        )


def test_every_way_is_measured(smoke: tuple[dict[str, Any], str]) -> None:
    figures, output = smoke
    training = figures["half_precision"]["training"]
    assert [row["checkpointing"] for row in training] == [False, True, False, True]
    assert training[0]["tokens_per_step"] == training[1]["tokens_per_step"]
    assert training[2]["texts_per_step"] > training[0]["texts_per_step"]
    answered, empty = figures["half_precision"]["prediction"]
    assert empty["spans_found"] == 0
    assert answered["tokens_per_text"] >= empty["tokens_per_text"] > 20
    assert all(row["peak_bytes"] > 1e8 for row in (*training, answered, empty))
    assert figures["four_bits"] == {"skipped": "4-bit weights need a GPU"}
    for row in (*training, answered, empty):
        assert f"| {row['name']} |" in output


def test_without_a_gpu_it_says_so_and_names_the_way_out() -> None:
    done = started()
    assert done.returncode == 2
    assert "no GPU" in done.stderr
    assert "--smoke" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_shape_is_that_of_llama_2_7b(network: Any) -> None:
    """32 * (4 * 4096^2 + 3 * 4096 * 11008) = 6,476,005,376 of its 6,738,415,616 parameters."""
    shape = network.LLAMA_2_7B
    inside = network.block_parameters(SimpleNamespace(**shape))
    assert inside == 6_476_005_376
    norms = (2 * shape["num_hidden_layers"] + 1) * shape["hidden_size"]
    outside = 2 * shape["vocab_size"] * shape["hidden_size"] + norms
    assert inside + outside == 6_738_415_616


def test_the_invented_texts_are_annotated_exactly(network: Any) -> None:
    texts = network.invented(50, seed=3)
    assert texts == network.invented(50, seed=3)
    names = {*network.FIRST, *network.PLACES, *network.FIRMS}
    spans = [
        (item.text[span.start : span.end], span.label) for item in texts for span in item.spans
    ]
    assert {label for _, label in spans} == {"PERSON", "PLACE", "COMPANY"}
    for words, label in spans:
        assert (words.split()[0] if label == "PERSON" else words) in names
