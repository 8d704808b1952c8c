"""The generating example in a short form, and its parts."""

import numpy as np
import pytest
import torch

from examples import options
from examples.digits import digits
from examples.generate import measures
from examples.generate.__main__ import main
from examples.generate.history import moments
from examples.generate.network import NOISE, Generator, last_geometry
from examples.generate.training import Imitating, samples

LAYERS = pytest.mark.parametrize("layer", options.LAYERS.values(), ids=options.LAYERS)
KERNELS = pytest.mark.parametrize("kernel", [3, 4])


@pytest.fixture(scope="module")
def real():
    return digits(4)


@pytest.fixture(scope="module")
def quick(run):
    return run(main)


def test_table_of_both_layers(quick, rows):
    table = rows(quick[0], ["kernel", "layers", "seconds an epoch", "first loss", "loss of epoch 1"])
    assert [row[:2] for row in table] == [["4", "tconv"], ["4", "torch"], ["3", "tconv"], ["3", "torch"]]
    assert all(float(row[2]) > 0 for row in table)
    for ours, theirs in (table[:2], table[2:]):
        assert float(ours[3]) == pytest.approx(float(theirs[3]), rel=1e-5)
        assert float(ours[4]) == pytest.approx(float(theirs[4]), rel=1e-2)


def test_they_learn_to_write(quick, rows):
    header = ["digits", "first loss", "last loss", "read right", "to nearest", "checkered"]
    (*generators, real) = rows(quick[0], header)
    assert [row[0] for row in generators] == ["kernel 4", "kernel 3"]
    for _, first, last, share, nearest, checkered in generators:
        assert float(last) < 0.3 * float(first)
        assert float(share.rstrip("%")) > 40  # ten digits: 10 % by chance
        assert float(nearest) > 0.05
        assert float(checkered.rstrip("%")) > float(real[-1].rstrip("%"))
    assert float(real[1].rstrip("%")) > 95


def test_table_of_phases(quick, rows):
    table = rows(quick[0], ["kernel", "mean square", "coverage"])
    assert [row[0] for row in table] == ["4", "3"]
    assert [row[-4:] for row in table] == [["1.00"] * 4, ["0.25", "0.50", "0.50", "1.00"]]


def test_pictures(quick):
    from PIL import Image

    for name, least, width in (("generate.png", 50_000, 1410), ("checkerboard.png", 30_000, 1300)):
        path = quick[1] / name
        assert f"{path} written" in quick[0]
        assert least < path.stat().st_size < 300_000
        with Image.open(path) as picture:
            assert picture.width == width


def test_the_same_seed_gives_the_same_generator(real):
    def losses(seed):
        training = Imitating(4, options.LAYERS["tconv"], real, epochs=1, pool=16, seed=seed)
        return [loss for loss, _ in zip(training.epoch(), range(3), strict=False)]

    first = losses(4)
    torch.rand(3)
    assert losses(4) == first
    assert losses(5) != first


@LAYERS
@KERNELS
def test_generator(layer, kernel):
    network = Generator(kernel, layer)
    images = network(torch.randn(3, NOISE), torch.tensor([0, 5, 9]))
    assert images.shape == (3, 1, 32, 32)
    assert images.min() > 0
    assert images.max() < 1
    assert sum(isinstance(part, layer) for part in network.modules()) == 3


def test_noise_of_the_nearest_sample(real):
    training = Imitating(4, options.LAYERS["torch"], real, epochs=1, pool=12, seed=0)
    state = training.random.get_state()
    noise = training._noise_of_nearest()
    training.random.set_state(state)
    pools = [torch.randn(12, NOISE, generator=training.random) for _ in range(10)]
    for number in range(0, 1300, 97):
        digit = int(real.labels[number])
        with torch.no_grad():
            written = training.network(pools[digit], torch.full((12,), digit))[:, 0].numpy()
        nearest = ((written - real.images[number]) ** 2).sum((1, 2)).argmin()
        assert torch.equal(noise[number], pools[digit][nearest])


def test_samples_ask_for_each_digit_in_turn(real):
    network = Imitating(4, options.LAYERS["tconv"], real, epochs=1, pool=1, seed=0).network
    images, wanted = samples(network, 2, 3)
    assert images.shape == (20, 32, 32)
    assert wanted.tolist() == [*range(10)] * 2
    assert torch.equal(samples(network, 2, 3)[0], images)
    assert not torch.equal(samples(network, 2, 4)[0], images)


@KERNELS
def test_random_weights_show_the_coverage(kernel):
    squares, coverage = measures.untrained_by_phase(kernel)
    torch.testing.assert_close(squares, coverage.float(), atol=0.06, rtol=0)
    assert bool((coverage == 1).all()) == last_geometry(kernel).is_even


def test_an_untrained_generator_of_kernel_3_is_more_checkered(real):
    def checkered(kernel):
        nets = [Imitating(kernel, options.LAYERS["tconv"], real, epochs=1, pool=1, seed=s).network for s in range(3)]
        return np.mean([measures.high_frequencies(samples(net, 5, 0)[0]) for net in nets])

    assert checkered(3) > checkered(4) > 0.1
    assert measures.high_frequencies(torch.from_numpy(real.images)) < 0.005


def test_digits_are_enlarged_and_parted(real):
    held_out = digits(4, held_out=True)
    assert real.images.shape == (1300, 32, 32)
    assert held_out.images.shape == (497, 32, 32)
    assert real.images.min() == 0
    assert real.images.max() == 1
    from sklearn.datasets import load_digits

    shades = load_digits().images / 16
    cells = np.concatenate([real.images, held_out.images]).reshape(1797, 8, 4, 8, 4).mean((2, 4))
    assert np.abs(cells - shades).mean() < 0.05


def test_moments():
    assert moments(1) == [0, 1]
    assert moments(8) == [0, 4, 8]
