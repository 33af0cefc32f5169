"""The trained weights are taken a share of the way back to where they started."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

TEXTS_READ, CHARACTERS_READ = 50, 20_000
"""The most texts, and characters of them, that the start is tried on."""

_DOUBTED = 10


def share_kept(f1: float, texts: int, trust: float) -> float:
    """How much of the start's weights a fit keeps: ``trust * f1 * min(n, 50) / (n + 10)``.

    The more of the annotations the start finds by itself, the less there is to learn from them. A
    handful of texts says little about that, and many teach better than any start; so the share
    rises with the number of texts up to 50 and falls behind it.

    Args:
        f1: Strict F1 of the start on the annotated texts, in [0, 1].
        texts: Number of annotated texts, n.
        trust: Factor, at least 0; the share is at most 1.
    """
    return min(1.0, trust * f1 * min(texts, TEXTS_READ) / (texts + _DOUBTED))


def interpolated(
    start: Mapping[str, Tensor], trained: Mapping[str, Tensor], kept: float
) -> dict[str, Tensor]:
    """``kept * start + (1 - kept) * trained`` for every matrix, float32.

    Weights between the start's and the trained ones often do better than either on texts that are
    unlike the few trained on (Wortsman et al., CVPR 2022, arXiv:2109.01903).

    Args:
        start: Matrices by name.
        trained: The same names and shapes; those of blocks that are not trained may be bfloat16.
        kept: Share in [0, 1].
    """
    if kept == 0:
        return dict(trained)
    return {
        name: tensor.float().lerp(start[name].float(), kept) for name, tensor in trained.items()
    }
