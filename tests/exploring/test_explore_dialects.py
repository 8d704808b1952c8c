"""Dialects in the page's script: the words, the parameters and the code of `tconv.conventions`, to the letter."""

from __future__ import annotations

import json
from random import Random
from typing import Any

import problems
import pytest
from port import ask, record

from tconv import Axis, Geometry
from tconv.conventions import DIALECTS, Layer
from tconv.conventions.registry import USUAL

CliRunner = pytest.importorskip("typer.testing", exc_type=ModuleNotFoundError).CliRunner
app = pytest.importorskip("tconv.cli.app", exc_type=ModuleNotFoundError).app

NDIMS = (1, 1, 2, 2, 2, 3, 4)
CHANNELS = ("in_channels", "out_channels")


def random_layer(seed: int) -> tuple[Geometry, dict[str, Any]]:
    """Channels that the groups divide, or that are not said."""
    rng = Random(seed)
    geometry = problems.geometry(rng.choice, NDIMS)
    if rng.random() < 0.3:  # all axes alike, as most layers are
        geometry = Geometry(geometry.axes[:1] * geometry.ndim)
    groups = rng.choice((1, 1, 2, 3))
    said: dict[str, Any] = {name: rng.choice((None, groups, 2 * groups, 64 * groups)) for name in CHANNELS}
    said |= {"groups": groups, "bias": rng.random() < 0.5}
    return geometry, {name: entry for name, entry in said.items() if entry is not None or rng.random() < 0.5}


def expected(geometry: Geometry, said: dict[str, Any]) -> list[dict[str, Any]]:
    layer = Layer(geometry, **said)
    return [{"name": name, "title": dialect.title, **_written(dialect, layer)} for name, dialect in DIALECTS.items()]


def _written(dialect: Any, layer: Layer) -> dict[str, Any]:
    try:
        saying = dialect.write(layer)
    except ValueError as refusal:
        return {"refusal": str(refusal).removeprefix(f"{dialect.name}.write: ")}
    fields = ("exact", "parameters", "kernel", "crop", "pad", "notes", "code")
    return {**{name: getattr(saying, name) for name in fields}, "pasted": str(saying)}


def test_every_dialect_says_what_it_says_in_python():
    layers = [random_layer(seed) for seed in range(1500)]
    for (geometry, said), got in zip(layers, _asked(layers), strict=True):
        # As text, so that the order of the parameters is the same too.
        for one, other in zip(got, expected(geometry, said), strict=True):
            assert json.dumps(one) == json.dumps(other), (geometry, said)


def test_sizes_of_any_length_are_exact():
    rng = Random(5)
    window = {"stride": 2**20, "padding": ((2**21, 7), (0, -3)), "dilation": 3}
    layers: list[tuple[Geometry, dict[str, Any]]] = [(Geometry.conv_transpose(2**20, (5, 9), **window), {})]
    for _ in range(50):
        axes = [Axis(rng.randrange(1, 10**6), rng.randrange(1, 10**5), rng.randrange(1, 10**5)) for _ in range(2)]
        layers.append((Geometry(axes), {"in_channels": 10**9, "out_channels": 1}))
    for (geometry, said), got in zip(layers, _asked(layers), strict=True):
        assert json.dumps(got) == json.dumps(expected(geometry, said))


@pytest.mark.parametrize(
    "said",
    [
        {"in_channels": 3, "groups": 2},
        {"in_channels": 4, "out_channels": 3, "groups": 2},
        {"groups": 0},
        {"in_channels": 0},
        {"in_channels": -1, "groups": 3},
    ],
)
def test_channels_are_refused_in_the_same_words(said):
    geometry = Geometry.conv_transpose(4, 3)
    with pytest.raises(ValueError) as refusal:
        Layer(geometry, **said)
    assert _asked([(geometry, said)]) == [{"error": str(refusal.value).removeprefix("Layer: ")}]


def test_what_is_pasted_is_what_the_command_prints():
    geometry = Geometry.conv_transpose((4, 5), (3, 4), stride=2, padding=((0, 1), (1, 0)), dilation=(1, 2))
    options = ["--coarse", "4x5", "--kernel", "3x4", "--stride", "2", "--padding", "0:1x1:0", "--dilation", "1x2"]
    options += ["--in-channels", "4", "--groups", "2", "--only", "code"]
    (sayings,) = _asked([(geometry, {"in_channels": 4, "groups": 2})])
    printed = CliRunner().invoke(app, ["explain", *options]).output
    assert [saying["name"] for saying in sayings[: len(USUAL)]] == list(USUAL)
    for saying in sayings[: len(USUAL)]:
        assert f"\nIn {saying['title']}\n{saying['pasted']}\n" in printed


def _asked(layers: list[tuple[Geometry, dict[str, Any]]]) -> list[Any]:
    return ask(["dialects", record(geometry), said] for geometry, said in layers)
