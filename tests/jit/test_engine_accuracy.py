"""The public layers are as accurate as PyTorch's."""

from functools import partial

import numpy as np
import pytest
from public_layers import problem, reduced
from registry import needs_kernels
from running import arrays, compute, in_layout, is_gradient, out_of_layout

from tconv.bench.layers import public
from tconv.problem import OPERATIONS

torch = pytest.importorskip("torch", exc_type=ModuleNotFoundError)

#: The largest error against float64 is at most so many times PyTorch's, whose library adds sums of few terms for some
#: layers. Measured: 0.2 to 4.1 on these layers, 1.5 in the middle.
FACTOR = 5


@needs_kernels
@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("name", public())
def test_accuracy_is_near_that_of_pytorch(name, operation):
    layer = reduced(public()[name])
    rng, theirs = np.random.default_rng(0), {**layer.keywords}
    given = problem(layer, operation)
    x, w = (rng.standard_normal(a.shape, dtype=np.float32) for a in arrays(given)[:2])
    if operation == "conv":
        del theirs["output_padding"]
    if is_gradient(given):
        by_torch = partial(gradient_by, layer)
    else:
        by_torch = partial(getattr(torch.nn.functional, f"{operation}{layer.ndim}d"), **theirs)
    with torch.no_grad():
        tensors = torch.from_numpy(x), torch.from_numpy(w)
        exact = by_torch(*(t.double() for t in tensors)).numpy()
        error = np.abs(by_torch(*tensors).numpy() - exact).max()
    for layout in ("channels_first", "channels_last"):
        last = layout == "channels_last"
        factor = in_layout(w, last) if is_gradient(given) else w
        result = compute(given, in_layout(x, last), factor, layout=layout, method="jit")
        assert np.abs(out_of_layout(given, result, last) - exact).max() <= FACTOR * error


def gradient_by(layer, fine, coarse):
    """PyTorch's own gradient of a transposed convolution by its weights."""
    window = [list(layer.each(name)) for name in ("stride", "padding", "dilation")]
    window += [True, list(layer.each("output_padding")), layer.groups, (False, True, False)]
    w = torch.empty(layer.w_shape, dtype=fine.dtype)
    return torch.ops.aten.convolution_backward(fine, coarse, w, None, *window)[1]
