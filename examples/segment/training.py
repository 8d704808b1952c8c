"""How the network is trained and how it is judged: cross-entropy of every pixel, intersection over union."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from examples.segment.network import FullyConvolutional
from examples.segment.scenes import CLASSES, Scenes

BATCH = 16
RATE = 1e-2


class Segmenting:
    """A network in training, seeded: the same numbers give the same network."""

    def __init__(
        self, layer: type[nn.ConvTranspose2d], scenes: Scenes, *, epochs: int, batches: int, seed: int
    ) -> None:
        torch.manual_seed(seed)
        self.network = FullyConvolutional(len(CLASSES), layer)
        self.scenes, self.batches = scenes, batches
        self.rng = np.random.default_rng(seed)
        self.optimizer = torch.optim.AdamW(self.network.parameters(), RATE, weight_decay=1e-3)
        # The rate rises for the first 30 % and falls to nothing; training that stops early would not be as good.
        self.schedule = torch.optim.lr_scheduler.OneCycleLR(self.optimizer, RATE, total_steps=epochs * batches)

    def epoch(self) -> Iterator[float]:
        """Train for an epoch of new scenes, a batch each time the next loss is asked for."""
        self.network.train()
        for _ in range(self.batches):
            pictures, classes = self.scenes.draw(self.rng, BATCH)
            loss = F.cross_entropy(self.network(pictures), classes)
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            self.schedule.step()
            yield loss.item()


@torch.no_grad()
def predict(network: nn.Module, pictures: Tensor) -> Tensor:
    """The class of every pixel, (N, rows, columns)."""
    network.eval()
    return torch.cat([network(batch).argmax(1) for batch in pictures.split(BATCH)])


def intersection_over_union(predicted: Tensor, truth: Tensor) -> Tensor:
    """Of each class: the pixels that are and were said to be it, over those that are or were said to be it.

    >>> truth = torch.tensor([[0, 0, 10, 10]])
    >>> intersection_over_union(torch.tensor([[0, 10, 10, 10]]), truth)[[0, 10]]
    tensor([0.5000, 0.6667])
    """
    count = len(CLASSES)
    pairs = torch.bincount((truth * count + predicted).flatten(), minlength=count**2).reshape(count, count)
    both = pairs.diag()
    return both / (pairs.sum(0) + pairs.sum(1) - both)
