"""Random layers, plain and quantized, of every operator set, in every form: exactly what ONNX Runtime makes of them.

Axes of 1, kernels smaller than strides, dilation above the stride, uneven pads, output paddings and groups are among
them. Small whole numbers and scales that are powers of 2 make sums exact.
"""

from __future__ import annotations

from random import Random

import numpy as np
import pytest

onnx = pytest.importorskip("onnx", exc_type=ModuleNotFoundError)
pytest.importorskip("onnxruntime", exc_type=ModuleNotFoundError)
from graph_models import model, node, same_results, up, value, whole  # noqa: E402

from tconv.onnx import VARIANTS, rewrite  # noqa: E402

#: How weights are said, and the first operator set that can.
KINDS = {"plain": 7, "one scale": 10, "a scale a channel": 13}


def random_model(seed):
    """A model of one layer that has a result, and an array for it."""
    pick, rng = Random(seed), np.random.default_rng(seed)
    kind = pick.choice(list(KINDS))
    opset = pick.choice([version for version in (7, 8, 9, 10, 13, 17, 21) if version >= KINDS[kind]])
    ndim, group = pick.randint(1, 3), pick.choice((1, 1, 2))
    cin, per_group = group * pick.randint(1, 2), pick.randint(1, 2)
    kernel, strides, dilations, sizes = ([pick.randint(1, most) for _ in range(ndim)] for most in (4, 4, 2, 3))
    longest = [(n - 1) * s + d * (k - 1) + 1 for n, s, d, k in zip(sizes, strides, dilations, kernel, strict=True)]
    lows, highs = ([pick.randint(0, (length - 1) // 2) for length in longest] for _ in range(2))
    added = [pick.randrange(s) for s in strides]
    layer = {"strides": strides, "dilations": dilations, "pads": lows + highs, "output_padding": added, "group": group}
    nodes, weights = _weights(kind, (cin, per_group, *kernel), rng)
    if pick.random() < 0.5:
        weights["b"] = whole(rng, per_group * group)
    nodes.append(up(["x", "w", *(["b"] if "b" in weights else [])], **layer))
    x = value("x", ["N", cin, *(f"size{i}" for i in range(ndim))])
    made = model(nodes, [x], [value("y", [None] * (ndim + 2))], weights, opset, 3 if opset < 9 else 8)
    if opset < 9:
        made.graph.input.extend(value(name, list(array.shape)) for name, array in weights.items())
    return made, whole(rng, 2, cin, *sizes)


def _weights(kind, shape, rng):
    if kind == "plain":
        return [], {"w": whole(rng, *shape)}
    scales = () if kind == "one scale" else shape[1]
    dtype = rng.choice([np.int8, np.uint8])
    arrays = {
        "q": rng.integers(0, 9, shape).astype(dtype),
        "s": np.asarray(2.0 ** rng.integers(-2, 2, scales), np.float32),
        "z": np.asarray(rng.integers(0, 4, scales)).astype(dtype),
    }
    axis = {} if kind == "one scale" else {"axis": 1}
    return [node("DequantizeLinear", ["q", "s", "z"], "w", **axis)], arrays


@pytest.mark.parametrize("seed", range(80))
def test_a_random_layer(seed):
    made, x = random_model(seed)
    changed = []
    for variant in VARIANTS:
        rewriting = rewrite(made, variant=variant)
        if rewriting.changed:
            changed.append(variant)
            same_results(made, rewriting.model, {"x": x})
    assert "one_conv" in changed or "positions that no tap reaches" in rewrite(made).layers[0].reason
