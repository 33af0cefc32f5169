"""How near token vectors are to the annotated tokens of a support set, class by class."""

from __future__ import annotations

import torch
from torch import Tensor

from model.encoding.gaussian import squared_distances


def neighbour_scores(
    queries: Tensor, memory: Tensor, classes: Tensor, count: int, *, nearest: int = 1
) -> Tensor:
    """Score of each class: minus the squared distance to its nearest tokens, the mean of them.

    With one neighbour this is the score of NNShot (Yang and Katiyar, EMNLP 2020); where the memory
    is one prototype per class, it is that of prototypical networks.

    Args:
        queries: Token vectors, ``(q, d)``.
        memory: Vectors of the support, ``(s, d)``.
        classes: Class of each of them, ``(s,)``.
        count: Number of classes.
        nearest: How many vectors of a class count; fewer where the class has fewer.

    Returns:
        Scores, ``(q, count)``; minus infinity for a class without a vector.
    """
    distances = squared_distances(queries, memory)  # (q, s)
    columns = []
    for number in range(count):
        own = distances[:, classes == number]  # (q, m)
        closest = own.topk(min(nearest, own.shape[1]), dim=1, largest=False).values
        far = queries.new_full((len(queries),), float("-inf"))
        columns.append(-closest.mean(1) if own.shape[1] else far)  # (q,)
    return torch.stack(columns, dim=1)  # (q, count)


def class_means(vectors: Tensor, classes: Tensor) -> tuple[Tensor, Tensor]:
    """The mean vector of each class, its prototype (Snell et al., NeurIPS 2017, equation 1).

    Args:
        vectors: Token vectors, ``(s, d)``.
        classes: Class of each, ``(s,)``.

    Returns:
        Means, ``(c, d)``, and their classes in ascending order, ``(c,)``.
    """
    present = sorted(set(classes.tolist()))
    means = [vectors[classes == number].mean(0) for number in present]
    return torch.stack(means), torch.tensor(present, dtype=torch.long)
