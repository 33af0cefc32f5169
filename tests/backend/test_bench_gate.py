"""The study of the gate: its documents are what they claim to be, its page tells its figures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from backend.cli.application import build
from backend.studies import gate_trials
from backend.studies.gate_documents import DrawnDocuments, RealDocuments, recall_for
from backend.studies.gate_page import exact_interval, gate_page
from backend.studies.gate_trials import Plan, two_looks_cell
from model.evaluation.bootstrap import mean_f1
from model.evaluation.report import Header, Report
from model.evaluation.runs import Run


def test_drawn_versions_are_as_good_as_they_claim() -> None:
    documents = DrawnDocuments(20_000, np.random.default_rng(2))
    for wanted in (0.7, 0.75):
        counts = documents.answers(wanted).sum(axis=0)[None]
        assert mean_f1(counts) == pytest.approx(wanted, abs=0.01)
        assert counts[0, :, 2].mean() == pytest.approx(2.5, abs=0.05)


def test_two_versions_err_alike_but_not_the_same() -> None:
    documents = DrawnDocuments(4000, np.random.default_rng(2))
    one, other = (documents.answers(0.7).sum(axis=0) for _ in range(2))
    missed = [side[:, 2] - side[:, 0] for side in (one, other)]
    assert 0.4 < np.corrcoef(missed[0], missed[1])[0, 1] < 0.95


def test_the_recall_that_gives_an_f1() -> None:
    """r = 0.7: 1.75 correct, 1.75 + 0.375 + 0.35 predicted, 2.5 gold: F1 = 3.5 / 4.975."""
    assert recall_for(3.5 / 4.975) == pytest.approx(0.7)


def run(support: str, per_text: list[Any]) -> Run:
    return Run(
        *(support, support, 5, len(per_text), 0.5, 0.5, 0.5, 0.5, 0.5, 0, {}),
        *(1.0, 1.0, 9.0, 1, "a", tuple(per_text), "s"),
    )


def report(per_text: list[Any]) -> Report:
    header = Header("m", "b", "s", "t", ("A",), {"oracle_types": False}, {}, "d", {"labels": "l"})
    return Report(header, (run("0", per_text),))


def test_swapped_answers_belong_to_the_same_sentence() -> None:
    first, second = [(1, 1, 1)] * 30, [(0, 2, 1)] * 30
    real = RealDocuments(report(first), report(second))
    assert real.sentences == 30
    drawn = real.draw(20, np.random.default_rng(1))
    both = np.stack([drawn.first[0], drawn.second[0]])  # (2, 20, 3)
    assert both.sum(axis=0).tolist() == [[1, 3, 2]] * 20
    assert 3 < drawn.first[0, :, 0].sum() < 17


def test_a_second_look_is_counted_in_the_end() -> None:
    found = two_looks_cell(25, 0.1, 12, seed=1)
    assert found.gates == 12
    assert found.promoted_in_the_end is not None
    assert found.verdicts["PROMOTE"] + 2 < found.promoted_in_the_end <= 12


def test_exact_intervals() -> None:
    """0 of 10: upper end 1 - 0.025^(1/10) = 0.3085. 5 of 10: 0.1871 to 0.8129 (published)."""
    assert exact_interval(0, 10) == pytest.approx((0.0, 0.3085), abs=1e-4)
    assert exact_interval(5, 10) == pytest.approx((0.1871, 0.8129), abs=1e-4)
    assert exact_interval(10, 10)[1] == 1.0


def test_large_cells_have_fewer_gates() -> None:
    plan = Plan(gates=1000)
    assert [plan.gates_at(size) for size in (25, 200, 500, 2000)] == [1000, 1000, 400, 100]


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, few in {
        "SIZES": (25,),
        "GAIN_SIZES": (25,),
        "TWO_LOOK_SIZES": (25,),
        "PROJECT_LOOKS": 1,
    }.items():
        monkeypatch.setattr(gate_trials, name, few)


@pytest.mark.usefixtures("quick")
def test_the_command_writes_page_and_figures(tmp_path: Path) -> None:
    page = tmp_path / "gate.md"
    words = ["bench", "gate", "--gates", "4", "--projects", "1", "--page", str(page)]
    done = CliRunner().invoke(build(), words)
    assert done.exit_code == 0, done.output
    value = json.loads((tmp_path / "gate.json").read_text(encoding="utf-8"))
    assert sum(value["equal"][0]["verdicts"].values()) == 4
    assert [row["gain"] for row in value["gains"]] == [0.05, 0.1]
    assert page.read_text(encoding="utf-8") == gate_page(value)
    assert "nerloop bench gate --gates 4 --projects 1 --seed 1 --page PAGE" in gate_page(value)
    assert "| 25 | 4 |" in gate_page(value)


def test_one_file_of_results_is_no_pair(tmp_path: Path) -> None:
    found = CliRunner().invoke(build(), ["bench", "gate", "--results", str(tmp_path / "a.json")])
    assert found.exit_code != 0
    assert "give --results twice" in str(found.exception)
