from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
import torch

from model.base.side_by_side import share_count, side_by_side


@pytest.fixture(autouse=True)
def four_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(4)
    yield
    torch.set_num_threads(before)


def test_lanes_are_as_many_as_threads_or_pieces() -> None:
    cpu = torch.device("cpu")
    assert [share_count(cpu, most) for most in (0, 1, 3, 9)] == [1, 1, 3, 4]
    assert share_count(torch.device("cuda"), 9) == 1


def test_work_runs_at_the_same_time_and_results_keep_their_order() -> None:
    """Each piece waits for the other, so one after another would never end."""
    meeting = threading.Barrier(2, timeout=20)

    def piece(number: int) -> tuple[int, int]:
        meeting.wait()
        return number, torch.get_num_threads()

    # four threads for two shares
    assert side_by_side([lambda: piece(1), lambda: piece(2)]) == [(1, 2), (2, 2)]
    assert torch.get_num_threads() == 4


def test_threads_born_meanwhile_start_with_all_threads() -> None:
    def piece() -> list[int]:
        seen: list[int] = []
        other = threading.Thread(target=lambda: seen.append(torch.get_num_threads()))
        other.start()
        other.join()
        return [torch.get_num_threads(), *seen]

    assert side_by_side([piece, piece]) == [[2, 4], [2, 4]]


def test_several_callers_take_turns() -> None:
    """Both find all threads and leave them, whatever the order."""
    found: list[list[int]] = []

    def call() -> None:
        torch.set_num_threads(4)
        found.append(side_by_side([torch.get_num_threads, torch.get_num_threads]))
        found.append([torch.get_num_threads()])

    callers = [threading.Thread(target=call) for _ in range(3)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert sorted(found) == [[2, 2]] * 3 + [[4]] * 3


def test_one_piece_keeps_all_threads_and_its_thread() -> None:
    here = threading.get_ident()
    assert side_by_side([lambda: (torch.get_num_threads(), threading.get_ident())]) == [(4, here)]


def test_a_failure_reaches_the_caller_when_all_have_ended() -> None:
    ended = threading.Event()

    def failing() -> None:
        raise MemoryError

    def slow() -> None:
        threading.Event().wait(0.05)
        ended.set()

    with pytest.raises(MemoryError):
        side_by_side([failing, slow])
    assert ended.is_set()
    assert torch.get_num_threads() == 4
