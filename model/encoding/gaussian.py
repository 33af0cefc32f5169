"""Tokens as diagonal Gaussians, and distances between them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

_LEAST = 1e-14


@dataclass(frozen=True, slots=True)
class Gaussians:
    """Some diagonal Gaussians.

    Attributes:
        means: Shape ``(n, d)``.
        variances: Above zero. Shape ``(n, d)``.
    """

    means: Tensor
    variances: Tensor

    def __getitem__(self, rows: Tensor | slice) -> Gaussians:
        """Those of some rows."""
        return Gaussians(self.means[rows], self.variances[rows])


class GaussianHead(nn.Module):
    """Hidden states as Gaussians: ``mu = W h' + b``, ``sigma = ELU(V h' + c) + 1 + 1e-14``.

    ``h'`` is ``ReLU(dropout(h))``; ``sigma`` serves as the diagonal of the covariance (Das et al.,
    CONTaiNER, ACL 2022, section 4.1).

    Args:
        width: Size of a hidden state.
        size: Dimensions of the Gaussians.
        dropout: Share of the hidden state that is dropped in training, in [0, 1).
    """

    def __init__(self, width: int, size: int = 128, dropout: float = 0.1) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.mean = nn.Linear(width, size)
        self.variance = nn.Linear(width, size)

    def forward(self, states: Tensor) -> Gaussians:
        """The Gaussians of states. Shape ``(n, width)`` gives ``(n, size)``."""
        states = F.relu(self.dropout(states))
        return Gaussians(self.mean(states), F.elu(self.variance(states)) + 1 + _LEAST)

    def __call__(self, states: Tensor) -> Gaussians:
        """The Gaussians of states; see :meth:`forward`."""
        found: Gaussians = super().__call__(states)
        return found


def kl_divergences(first: Gaussians, second: Gaussians) -> Tensor:
    """``KL(i || j)`` of every pair, in nats. Shape ``(n, m)``.

    ``1/2 [ sum v_i / v_j + sum (m_i - m_j)^2 / v_j - D - sum log(v_i / v_j) ]``.
    """
    inverse = 1 / second.variances  # (m, d)
    spread = first.variances @ inverse.T  # (n, m)
    apart = (
        first.means.square() @ inverse.T
        - 2 * first.means @ (second.means * inverse).T
        + (second.means.square() * inverse).sum(-1)
    )  # (n, m)
    logs = first.variances.log().sum(-1)[:, None] - second.variances.log().sum(-1)  # (n, m)
    return (spread + apart - first.means.shape[-1] - logs) / 2


def symmetrised_kl(first: Gaussians, second: Gaussians) -> Tensor:
    """Mean of ``KL(i || j)`` and ``KL(j || i)`` of every pair, in nats. Shape ``(n, m)``."""
    return (kl_divergences(first, second) + kl_divergences(second, first).T) / 2


def squared_distances(first: Tensor, second: Tensor) -> Tensor:
    """Squared Euclidean distance of every pair of rows. Shape ``(n, m)``, at least 0."""
    apart = (
        first.square().sum(-1)[:, None] - 2 * first @ second.T + second.square().sum(-1)
    )  # (n, m)
    return torch.clamp_min(apart, 0)
