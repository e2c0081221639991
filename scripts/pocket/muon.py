"""An optimizer for matrices that learns from fewer samples than Adam: momentum, made orthogonal.

Muon: Jordan et al. 2024, https://kellerjordan.github.io/posts/muon. It is scaled so that Adam's learning rates and
weight decay fit it, too: Liu et al. 2025, arXiv 2502.16982.
"""

from __future__ import annotations

from collections import defaultdict
from concurrent.futures import Executor
from typing import Any

import torch

from scripts.pocket.budget import quick_dtype

MOMENTUM = 0.95
FACTORS = (3.4445, -4.7750, 2.0315)  # of the quintic iteration, from the page above
ITERATIONS = 5
ADAMS_STEP = 0.2  # root mean square of Adam's usual step, in learning rates


class Muon(torch.optim.Optimizer):
    """For weights of two and more dimensions; what follows the first dimension counts as columns."""

    def __init__(self, weights: list[torch.nn.Parameter], rate: float, weight_decay: float, workers: Executor) -> None:
        super().__init__(weights, {"lr": rate, "weight_decay": weight_decay})
        self._workers = workers

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # noqa: ARG002 - torch's signature
        """Take one step; matrices of one shape are worked on together."""
        for group in self.param_groups:
            alike: dict[torch.Size, list[torch.nn.Parameter]] = defaultdict(list)
            for weight in group["params"]:
                alike[weight.shape].append(weight)
            jobs = [(weights, group["lr"], group["weight_decay"]) for weights in alike.values()]
            list(self._workers.map(self._move, jobs))

    @torch.no_grad()
    def _move(self, job: tuple[list[torch.nn.Parameter], float, float]) -> None:
        weights, rate, weight_decay = job
        wanted = torch.stack([self._with_momentum(weight).flatten(1) for weight in weights])
        length = ADAMS_STEP * max(wanted.shape[1:]) ** 0.5
        for weight, direction in zip(weights, orthogonal(wanted), strict=True):
            weight.mul_(1 - rate * weight_decay)
            weight.add_(direction.view(weight.shape), alpha=-rate * length)

    def _with_momentum(self, weight: torch.nn.Parameter) -> torch.Tensor:
        gradient = weight.grad
        if gradient is None:
            raise ValueError("A weight without a gradient was given to the optimizer.")
        state = self.state[weight]
        if "momentum" not in state:
            state["momentum"] = torch.zeros_like(weight)
        state["momentum"].lerp_(gradient, 1 - MOMENTUM)
        return gradient.lerp(state["momentum"], MOMENTUM)


def orthogonal(matrices: torch.Tensor) -> torch.Tensor:
    """Return matrices [n, rows, columns] with singular values near 1, otherwise alike."""
    tall = matrices.shape[1] > matrices.shape[2]
    made = (matrices.mT if tall else matrices).to(quick_dtype())
    made = made / (made.norm(dim=(1, 2), keepdim=True) + 1e-7)
    first, second, third = FACTORS
    for _ in range(ITERATIONS):
        square = made @ made.mT
        made = first * made + (second * square + third * square @ square) @ made
    return (made.mT if tall else made).to(matrices.dtype)
