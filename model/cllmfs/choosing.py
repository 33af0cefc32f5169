"""The next token of many answers at once, among those their automata allow."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from model.cllmfs.decoding import AnswerAutomaton

_PLACES_AT_ONCE = 4096


class Chooser:
    """Takes the best allowed token, or draws one.

    Args:
        weight: Weight of the output layer. Shape ``(v, d)``.
        none: First token of the answer ``none``.
        sampling: Temperature of the draw; 0 takes the best token. Draws come from one fixed stream
            per chooser, so equal calls give equal answers.
        top_k: Most tokens that compete in a draw; 0 means all allowed ones.
        absence_threshold: Probability of ``none`` from which on it is taken at the start of an
            answer, and below which it is not; None treats it like any other token.
    """

    def __init__(
        self,
        weight: Tensor,
        none: int,
        *,
        sampling: float = 0.0,
        top_k: int = 0,
        absence_threshold: float | None = None,
    ) -> None:
        self._weight = weight
        self._none = none
        self._sampling, self._top_k = sampling, top_k
        self._threshold = absence_threshold
        self._generator = torch.Generator().manual_seed(0)

    @property
    def steady(self) -> bool:
        """Whether a choice does not depend on the choices before."""
        return self._sampling == 0

    def choose(
        self, automata: Sequence[AnswerAutomaton], states: Tensor
    ) -> list[tuple[int, float]]:
        """One token for every automaton, with its log-probability among the allowed ones.

        Args:
            automata: At least one; each has two options or more.
            states: The states the tokens are predicted from. Shape ``(n, d)``.
        """
        chosen: list[tuple[int, float]] = [(0, 0.0)] * len(automata)
        options = [automaton.options() for automaton in automata]
        bounded = [number for number, allowed in enumerate(options) if allowed is not None]
        # Answers with similarly many options share a product, so that little is filled up.
        bounded.sort(key=lambda number: len(options[number] or ()))
        first = 0
        while first < len(bounded):
            last = first + 1
            while last < len(bounded) and (last + 1 - first) * len(
                options[bounded[last]] or ()
            ) <= max(_PLACES_AT_ONCE, len(options[bounded[first]] or ())):
                last += 1
            part = bounded[first:last]
            self._among(part, automata, [options[n] or () for n in part], states, chosen)
            first = last
        for number, allowed in enumerate(options):
            if allowed is None:
                logits = (states[number] @ self._weight.T).float().cpu()
                scores = torch.log_softmax(logits, dim=0)  # (v,)
                best = self._pick(scores, automata[number], None)
                chosen[number] = (best, float(scores[best]))
        return chosen

    def _among(
        self,
        numbers: Sequence[int],
        automata: Sequence[AnswerAutomaton],
        options: Sequence[tuple[int, ...]],
        states: Tensor,
        chosen: list[tuple[int, float]],
    ) -> None:
        width = max(map(len, options))
        # Only the allowed tokens compete, so only their rows of the output layer are needed.
        index = torch.tensor([(*own, *[own[0]] * (width - len(own))) for own in options])
        present = torch.tensor([[k < len(own) for k in range(width)] for own in options])
        rows = self._weight[index.to(self._weight.device)].float()  # (n, k, d)
        wanted = states[list(numbers)].float().unsqueeze(2)  # (n, d, 1)
        logits = torch.bmm(rows, wanted).squeeze(2).cpu()  # (n, k)
        scores = torch.log_softmax(logits.masked_fill(~present, float("-inf")), dim=1)
        for place, number in enumerate(numbers):
            own = options[place]
            pick = self._pick(scores[place, : len(own)], automata[number], own)
            chosen[number] = (own[pick], float(scores[place, pick]))

    def _pick(
        self, scores: Tensor, automaton: AnswerAutomaton, allowed: tuple[int, ...] | None
    ) -> int:
        if self._threshold is not None and automaton.starting and allowed is not None:
            place = allowed.index(self._none) if self._none in allowed else None
            if place is not None:
                if float(scores[place].exp()) >= self._threshold:
                    return place
                scores = scores.clone()
                scores[place] = float("-inf")
        if self._sampling == 0:
            return int(scores.argmax())
        shares = scores / self._sampling
        if 0 < self._top_k < len(shares):
            lowest = torch.topk(shares, self._top_k).values[-1]
            shares = shares.masked_fill(shares < lowest, float("-inf"))
        drawn = torch.multinomial(torch.softmax(shares, dim=0), 1, generator=self._generator)
        return int(drawn)
