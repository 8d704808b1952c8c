"""The segmenting example in a short form, and its parts."""

import re

import numpy as np
import pytest
import torch
from torch.nn import functional as F

import tconv.torch
from examples import options
from examples.segment import figures
from examples.segment.__main__ import main
from examples.segment.network import FullyConvolutional, bilinear_weights, departure, upsampling
from examples.segment.scenes import BACKGROUND, CLASSES, SIZE, Scenes
from examples.segment.training import Segmenting, intersection_over_union

LAYERS = pytest.mark.parametrize("layer", options.LAYERS.values(), ids=options.LAYERS)


@pytest.fixture(scope="module")
def scenes():
    return Scenes.for_training()


@pytest.fixture(scope="module")
def quick(run):
    return run(main)


def test_table_of_both_layers(quick, rows):
    table = rows(quick[0], ["layers", "seconds an epoch", "first loss", "loss of epoch 1"])
    assert [row[0] for row in table] == ["tconv", "torch"]
    (_, seconds, first, loss), (_, torch_seconds, torch_first, torch_loss) = table
    assert float(seconds) > 0
    assert float(torch_seconds) > 0
    assert float(first) == pytest.approx(float(torch_first), rel=1e-5)
    assert float(loss) == pytest.approx(float(torch_loss), rel=1e-2)


def test_table_of_classes(quick, rows):
    table = rows(quick[0], ["class", "IoU"])
    assert [row[0] for row in table] == [*CLASSES, "mean", "any digit"]
    *scores, mean, _ = (float(row[1]) for row in table)
    assert mean == pytest.approx(np.mean(scores), abs=2e-3)


def test_table_of_kernels(quick, rows):
    table = rows(quick[0], ["level", "within classes", "across"])
    assert [row[0] for row in table] == ["6 to 12 cells", "12 to 24 cells", "24 to 48 cells", "48 to 96 cells"]
    assert all(float(cell) > 0 for row in table for cell in row[1:])


def test_pictures(quick):
    from PIL import Image

    for name, least in (("segment.jpg", 50_000), ("segment-kernels.png", 20_000)):
        path = quick[1] / name
        assert f"{path} written" in quick[0]
        assert least < path.stat().st_size < 300_000
        with Image.open(path) as picture:
            assert picture.width == 1300


def test_it_learns(quick, rows):
    first, last = map(float, re.search(r"loss (\S+) in the first, (\S+) in the last", quick[0]).groups())
    assert last < 0.5 * first
    scores = {name: float(score) for name, score in rows(quick[0], ["class", "IoU"])}
    # A digit is on one pixel of nine: said at random as often, "any digit" would come to 0.06.
    assert scores["any digit"] > 0.15
    assert scores["background"] > 0.85


def test_the_same_seed_gives_the_same_network(scenes):
    def losses(seed):
        return list(Segmenting(options.LAYERS["tconv"], scenes, epochs=1, batches=2, seed=seed).epoch())

    first = losses(4)
    torch.rand(3)
    assert losses(4) == first
    assert losses(5) != first


@LAYERS
def test_it_begins_as_bilinear_upsampling(layer):
    scores = torch.rand(2, 11, 6, 7)
    enlarged = upsampling(11, layer)(scores)
    wanted = F.interpolate(scores, scale_factor=2, mode="bilinear")
    torch.testing.assert_close(enlarged[..., 1:-1, 1:-1], wanted[..., 1:-1, 1:-1])


def test_departure_tells_within_from_across():
    weights = bilinear_weights(3)
    weights[1, 1] *= 2
    weights[0, 2] = 0.3 * bilinear_weights(1)[0, 0]
    within, across = departure(weights)
    assert within == pytest.approx(1 / 3**0.5)
    assert across == pytest.approx(0.3 / 3**0.5)


@LAYERS
def test_network(layer):
    torch.manual_seed(0)
    network = FullyConvolutional(11, layer)
    assert network(torch.rand(2, 3, 32, 48)).shape == (2, 11, 32, 48)
    assert sum(isinstance(part, layer) for part in network.modules()) == 4
    if layer is tconv.torch.nn.ConvTranspose2d:
        assert len(network.kernels) == 4


def test_scenes(scenes):
    pictures, classes = scenes.draw(np.random.default_rng(0), 8)
    assert pictures.shape == (8, 3, SIZE, SIZE)
    assert pictures.dtype == torch.float32
    assert pictures.min() >= 0
    assert pictures.max() <= 1
    assert classes.dtype == torch.int64
    assert set(classes.unique().tolist()) <= set(range(11))
    share = (classes == BACKGROUND).float().mean((1, 2))
    assert share.min() > 0.5
    assert share.max() < 1


def test_what_is_held_out_is_not_trained_on(scenes):
    held_out = Scenes.held_out()
    assert len(held_out.photographs) > 0
    assert not {photo.tobytes() for photo in held_out.photographs} & {photo.tobytes() for photo in scenes.photographs}
    for scale, digits in held_out.digits.items():
        seen = {image.tobytes() for image in scenes.digits[scale].images}
        assert len(digits.images) == 497
        assert not any(image.tobytes() in seen for image in digits.images)


def test_intersection_over_union_by_its_definition():
    rng = np.random.default_rng(2)
    truth, found = rng.integers(11, size=(2, 3, 8, 8))
    expected = [np.sum((truth == c) & (found == c)) / np.sum((truth == c) | (found == c)) for c in range(11)]
    scores = intersection_over_union(torch.from_numpy(found), torch.from_numpy(truth))
    assert scores.tolist() == pytest.approx(expected)


def test_tiles():
    tiled = figures.tiled(torch.arange(2 * 2 * 4 * 4.0).reshape(2, 2, 4, 4))
    assert tiled.shape == (9, 9)
    assert np.isnan(tiled[4]).all()
    assert tiled[0, 5] == 16
    assert tiled[5, 0] == 32
