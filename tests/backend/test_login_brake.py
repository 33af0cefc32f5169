"""What slows guessing down, on a clock that is told the time."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from backend.login import FREE_BY_ADDRESS, FREE_BY_NAME, LoginBrake


class Clock:
    """Seconds that pass when told."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def guesses(brake: LoginBrake, clock: Clock, seconds: float, next_name: Callable[[], str]) -> int:
    """How many attempts somebody gets who tries every second, from one address."""
    end, tried = clock.now + seconds, 0
    while clock.now < end:
        tried += brake.attempt(next_name(), "10.0.0.1") <= 0
        clock.now += 1
    return tried


def test_waits_double_up_to_a_limit_and_are_forgotten(clock: Clock) -> None:
    """With 5 free attempts, the next ones wait 1, 2, 4, … and at most 300 seconds."""
    brake = LoginBrake(clock)
    waits = []
    for _ in range(16):
        wait = brake.attempt("Ada", "10.0.0.1")
        clock.now += max(wait, 0)
        if wait > 0:
            assert brake.attempt("ada ", "10.0.0.1") <= 0
        waits.append(round(wait))
    assert waits == [0] * 5 + [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]
    clock.now += 3_601
    assert brake.attempt("Ada", "10.0.0.1") <= 0


def test_a_day_of_guessing_gives_few_attempts_for_a_name_and_for_an_address(clock: Clock) -> None:
    assert guesses(LoginBrake(clock), clock, 86_400, lambda: "Ada") < 310
    names = (f"name{number}" for number in range(10**6))
    assert guesses(LoginBrake(clock), clock, 86_400, lambda: next(names)) < 330


def test_a_thousand_attempts_at_the_same_moment_are_not_a_thousand_guesses(clock: Clock) -> None:
    brake = LoginBrake(clock)
    tried = sum(brake.attempt("Ada", f"10.0.{n // 250}.{n % 250}") <= 0 for n in range(1000))
    assert tried == FREE_BY_NAME
    tried = sum(brake.attempt(f"name{n}", "10.9.9.9") <= 0 for n in range(1000))
    assert tried == FREE_BY_ADDRESS


def test_who_was_let_in_from_here_is_not_locked_out_from_elsewhere(clock: Clock) -> None:
    brake = LoginBrake(clock)
    assert brake.attempt("Ada", "home") <= 0
    brake.forgive("Ada", "home")
    for _ in range(50):
        brake.attempt("Ada", "stranger")
    assert brake.attempt("Ada", "stranger") > 0
    assert brake.attempt("Ada", "home") <= 0
    assert brake.attempt("Ada", "new place") > 0


def test_success_does_not_wash_an_address_clean(clock: Clock) -> None:
    """Somebody with an own account guesses others': every success takes back one attempt only."""
    brake = LoginBrake(clock)
    tried = 0
    for number in range(200):
        tried += brake.attempt(f"victim{number}", "10.0.0.1") <= 0
        if brake.attempt("mallory", "10.0.0.1") <= 0:
            brake.forgive("mallory", "10.0.0.1")
    assert tried <= FREE_BY_ADDRESS
