"""From the scores of words to the answers of pieces."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from model.baselines.recipe import Answer, Question
from model.encoding.tags import spans_of, spans_of_io
from model.encoding.words import Piece

Path = Callable[[Tensor], list[int]]
"""Picks a tag for every word from their log-probabilities, ``(w, t)``."""

_NO_EVIDENCE = -1e9


def io_answers(
    scores: Sequence[Tensor], pieces: Sequence[Piece], question: Question, path: Path | None = None
) -> list[Answer]:
    """Answers from IO scores.

    Args:
        scores: Of each piece, ``(w, 1 + labels)``; minus infinity where there is no evidence.
        pieces: The pieces.
        question: What is asked; a class that is not asked is never chosen.
        path: How tags are picked; by default the best of every word.
    """
    asked = [True, *(name in question.asked for name in question.fitted.names)]
    return [
        _answer(own, piece, question, asked, path, bio=False)
        for own, piece in zip(scores, pieces, strict=True)
    ]


def bio_answers(
    scores: Sequence[Tensor], pieces: Sequence[Piece], question: Question
) -> list[Answer]:
    """Answers from BIO scores, each ``(w, 1 + 2 labels)``; see :func:`io_answers`."""
    asked = [True]
    for name in question.fitted.names:
        asked += [name in question.asked] * 2
    return [
        _answer(own, piece, question, asked, None, bio=True)
        for own, piece in zip(scores, pieces, strict=True)
    ]


def _answer(
    scores: Tensor,
    piece: Piece,
    question: Question,
    asked: Sequence[bool],
    path: Path | None,
    *,
    bio: bool,
) -> Answer:
    # what is not asked has no chance, what the support does not know a very small one
    known = scores.clamp_min(_NO_EVIDENCE)  # (w, t)
    shares = known.masked_fill(~torch.tensor(asked), float("-inf")).log_softmax(-1)  # (w, t)
    tags = path(shares) if path is not None else shares.argmax(-1).tolist()
    chances = shares[range(len(tags)), tags].exp().tolist()
    build = spans_of if bio else spans_of_io
    return Answer(
        build(piece.words, tags, chances, question.fitted.names), min(chances, default=1.0)
    )
