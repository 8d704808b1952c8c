"""Lines to paste, from every dialect to every other, executed on plain arrays as a reader would."""

from __future__ import annotations

import numpy as np
import pytest
from dialect_cases import arrays, wanted
from pasted import of_source, result

from tconv import Geometry
from tconv.conventions import DIALECTS, Layer, convert

#: Said by all, in part with a crop; odd kernels, unlike axes and ends, one channel, groups.
LAYERS = {
    "even": Layer(Geometry.conv_transpose((5, 4), 4, stride=2, padding=1), 3, 2, bias=True),
    "same": Layer(Geometry.conv_transpose((3, 4), (5, 3), stride=2, padding="same"), 2, 3, bias=True),
    "full": Layer(Geometry.conv_transpose((1, 4), (2, 3), stride=(3, 2)), 1, 1),
    "groups": Layer(Geometry.conv_transpose((3, 2), (4, 2), stride=2, padding=(1, 0)), 4, 6, 2, bias=True),
}
#: Every way there is.
PAIRS = [(source, target) for source in DIALECTS for target in DIALECTS]


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize(("source", "target"), PAIRS)
def test_every_pasted_line_runs_on_plain_arrays(source, target, name):
    layer = LAYERS[name]
    said = DIALECTS[source].write(layer)
    if not said.exact:
        pytest.skip(f"{source} cannot say this layer alone")
    g = layer.geometry
    saying = convert(
        said.parameters, source=source, target=target, kernel=said.kernel, coarse=g.coarse,
        in_channels=layer.in_channels, out_channels=layer.out_channels, bias=layer.bias,
    )  # fmt: skip
    x, w, b = arrays(layer)
    names = of_source(source, layer, w) | ({"b": b} if layer.bias else {})
    channels = DIALECTS[source if target == "tconv" else target].channels
    np.testing.assert_array_equal(result(target, saying.code, x, names, channels), wanted(layer))
