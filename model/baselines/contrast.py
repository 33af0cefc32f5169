"""Losses of the baselines that pull tokens of one class together."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F


def container_loss(distances: Tensor, classes: Tensor, *, anchor_outside: bool = True) -> Tensor:
    """The loss of CONTaiNER (Das et al., ACL 2022).

    ``mean_i [ log2 sum_{j != i} e^{-d_ij} - log2 sum_{p in P(i)} e^{-d_ip} + log2 |P(i)| ]`` with
    P(i) the other tokens of the class of i. A token whose class occurs once is no anchor.

    Args:
        distances: Distance of every pair of tokens, ``(n, n)``.
        classes: Class of each token, ``(n,)``; 0 is O.
        anchor_outside: Whether O tokens are anchors too.

    Returns:
        The mean over the anchors, in bits; 0 where there is none.
    """
    others = ~torch.eye(len(classes), dtype=torch.bool)  # (n, n)
    same = (classes[:, None] == classes) & others  # (n, n)
    anchors = same.any(1) & (classes.ge(0) if anchor_outside else classes.ne(0))  # (n,)
    missed = _missed(distances, same, others, anchors) + same[anchors].sum(1).log()  # (a,)
    return missed.sum() / max(1, len(missed)) / math.log(2)


def share_loss(
    distances: Tensor, classes: Tensor, support: Tensor, *, among_themselves: bool = False
) -> Tensor:
    """The loss of ProML (Chen et al., arXiv:2211.04337).

    Minus the logarithm of the share that the own class has in the sum of ``e^{-d}``.

    Args:
        distances: Distance of every query token to every support token, ``(q, s)``.
        classes: Class of each query token, ``(q,)``.
        support: Class of each support token, ``(s,)``.
        among_themselves: The query tokens are the support tokens: none may find itself.

    Returns:
        The mean over the query tokens whose class the support has, in nats; 0 where there is none.
    """
    allowed = torch.ones(distances.shape, dtype=torch.bool)  # (q, s)
    if among_themselves:
        allowed.fill_diagonal_(False)
    same = (classes[:, None] == support) & allowed  # (q, s)
    missed = _missed(distances, same, allowed, same.any(1))  # (k,)
    return missed.sum() / max(1, len(missed))


def pair_loss(words: Tensor, labels: Tensor, classes: Tensor, temperature: float) -> Tensor:
    """The type-aware loss of TadNER (Li et al., arXiv:2302.06397).

    Entity token i speaks as [its label; its word] and is heard as [its word; its label]. The
    products of all pairs, every column scaled to length 1 and divided by the temperature, are the
    logits by which each token must find the tokens of its type.

    Args:
        words: Vectors of the entity tokens, ``(n, d)``.
        labels: Vector of each token's label name, ``(n, d)``.
        classes: Type of each token, ``(n,)``.
        temperature: The divisor, above 0.

    Returns:
        The sum over the tokens of the mean, over all n, of minus the log-shares of their own type.
    """
    spoken = torch.cat((labels, words), dim=1)  # (n, 2d)
    heard = torch.cat((words, labels), dim=1)  # (n, 2d)
    logits = F.normalize(spoken @ heard.T, dim=0) / temperature  # (n, n)
    same = classes[:, None] == classes  # (n, n)
    return -(logits.log_softmax(1) * same).sum() / max(1, len(words))


def _missed(distances: Tensor, same: Tensor, allowed: Tensor, anchors: Tensor) -> Tensor:
    # minus the log-share of the same class among what is allowed, of each anchor: (a,)
    near = -distances[anchors]  # (a, s)
    every = near.masked_fill(~allowed[anchors], float("-inf")).logsumexp(1)  # (a,)
    own = near.masked_fill(~same[anchors], float("-inf")).logsumexp(1)  # (a,)
    return every - own
