"""One generator from its first epoch to its last: what it writes at some moments, and how checkered that is."""

from __future__ import annotations

from dataclasses import dataclass, field

from torch import Tensor

from examples import turns
from examples.generate.measures import high_frequencies
from examples.generate.network import Generator
from examples.generate.training import Imitating, samples

#: The samples that are followed come from the same noise at all times, whatever the seed of the training.
FOLLOWED_SEED, FOLLOWED = 7, 20


@dataclass(slots=True)
class History:
    """What was seen of a generator while it was trained."""

    kernel: int
    network: Generator
    losses: list[float] = field(default_factory=list)  #: of each epoch
    written: dict[int, Tensor] = field(default_factory=dict)  #: after so many epochs, (10 * FOLLOWED, 32, 32)
    checkered: list[float] = field(default_factory=list)  #: the share of high frequencies after 0, 1, ... epochs


def moments(epochs: int) -> list[int]:
    """After how many epochs samples are kept.

    >>> moments(60)
    [0, 4, 8, 12, 20, 60]
    """
    return sorted({*(number for number in (0, 4, 8, 12, 20) if number < epochs), epochs})


def follow(kernel: int, training: Imitating, epochs: int) -> History:
    """Train a generator and watch it."""
    history, kept = History(kernel, training.network), moments(epochs)

    def look(epoch: int, loss: float = 0.0) -> None:
        images, _ = samples(training.network, FOLLOWED, FOLLOWED_SEED)
        history.checkered.append(high_frequencies(images))
        if epoch in kept:
            history.written[epoch] = images

    look(0)
    history.losses = turns.train(training, epochs, f"generate, kernel {kernel}", look)
    return history
