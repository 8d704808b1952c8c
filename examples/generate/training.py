"""How the generator learns: every real digit pulls the sample that is nearest to it.

Implicit maximum likelihood estimation, after K. Li and J. Malik (arXiv:1809.09087). In each epoch the generator first
writes a pool of samples of every digit. Then for each real digit the noise of its nearest sample is kept, and gradient
descent brings what the generator makes of this noise closer to the real one. No digit is left without a sample, so
none is forgotten, and there is no adversary to balance.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from examples.digits import Digits
from examples.generate.network import NOISE, Generator

BATCH = 65  # of 1300 real digits
RATE = 3e-3


class Imitating:
    """A generator in training, seeded: the same numbers give the same generator."""

    def __init__(
        self, kernel: int, layer: type[nn.ConvTranspose2d], real: Digits, *, epochs: int, pool: int, seed: int
    ) -> None:
        torch.manual_seed(seed)
        self.network = Generator(kernel, layer)
        self.images, self.labels = torch.from_numpy(real.images[:, None]), torch.from_numpy(real.labels)
        self.pool = pool
        self.random = torch.Generator().manual_seed(seed)
        self.optimizer = torch.optim.Adam(self.network.parameters(), RATE)
        steps = epochs * -(-len(self.images) // BATCH)
        self.schedule = torch.optim.lr_scheduler.OneCycleLR(self.optimizer, RATE, total_steps=steps)

    def epoch(self) -> Iterator[float]:
        """Train for an epoch, a batch each time the next loss is asked for."""
        noise = self._noise_of_nearest()
        for batch in torch.randperm(len(self.images), generator=self.random).split(BATCH):
            loss = (self.network(noise[batch], self.labels[batch]) - self.images[batch]).square().mean()
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            self.schedule.step()
            yield loss.item()

    @torch.no_grad()
    def _noise_of_nearest(self) -> Tensor:
        """For each real digit, the noise of the nearest of `pool` samples of this digit."""
        noise = torch.empty(len(self.images), NOISE)
        for digit in range(10):
            drawn = torch.randn(self.pool, NOISE, generator=self.random)
            samples = self.network(drawn, torch.full((self.pool,), digit))
            of_digit = self.labels == digit
            distances = torch.cdist(self.images[of_digit].flatten(1), samples.flatten(1))
            noise[of_digit] = drawn[distances.argmin(1)]
        return noise


@torch.no_grad()
def samples(network: Generator, count: int, seed: int) -> tuple[Tensor, Tensor]:
    """So many of each digit, digit by digit in turns: images (10 * count, 32, 32), and which digits were wanted."""
    noise = torch.randn(10 * count, NOISE, generator=torch.Generator().manual_seed(seed))
    wanted = torch.arange(10).repeat(count)
    return network(noise, wanted)[:, 0], wanted
