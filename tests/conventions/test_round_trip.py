"""One trained layer on its way through the frameworks: PyTorch, Keras, ONNX, JAX and back, with identical results.

Its parameters go from dialect to dialect, its weights from file to file. They are rounded to multiples of 1/256 after
training, as quantised layers are, so that float32 sums are exact and every framework has to give the same numbers.
Keras has a place of its own below, for TensorFlow is not always there; elsewhere its documentation computes: the
result of a transposed convolution is the gradient of the convolution with the same kernel, strides and padding.
"""

from __future__ import annotations

import os
import warnings
from itertools import pairwise

import numpy as np
import pytest

onnx = pytest.importorskip("onnx", exc_type=ModuleNotFoundError)
ort = pytest.importorskip("onnxruntime", exc_type=ModuleNotFoundError)
jax = pytest.importorskip("jax", exc_type=ModuleNotFoundError)
torch = pytest.importorskip("torch", exc_type=ModuleNotFoundError)

import tconv  # noqa: E402
from tconv.conventions import weight_files  # noqa: E402

WAY = ("torch", "keras", "onnx", "jax", "torch")
FILES = ("start.safetensors", "keras.npz", "onnx.npz", "jax.safetensors", "end.safetensors")


def trained(kernel, stride, padding):
    """A layer that has learned to enlarge smooth pictures a little, and its parameters."""
    torch.manual_seed(0)
    layer = torch.nn.ConvTranspose2d(6, 4, kernel, stride, padding)
    optimizer = torch.optim.Adam(layer.parameters(), 0.05)
    x = torch.randn(2, 6, 5, 7)
    wanted = torch.nn.functional.interpolate(x, scale_factor=stride)[:, :4]
    losses = []
    for _ in range(20):
        optimizer.zero_grad()
        loss = torch.nn.functional.mse_loss(layer(x), wanted)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.8 * losses[0]
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.copy_((parameter * 256).round() / 256)
    return layer, {"in_channels": 6, "out_channels": 4, "kernel_size": kernel, "stride": stride, "padding": padding}


def by_torch(parameters, w, b, x):
    layer = torch.nn.ConvTranspose2d(**parameters)
    layer.load_state_dict({"weight": torch.tensor(w), "bias": torch.tensor(b)})
    return layer(torch.tensor(x)).detach().numpy()


def by_keras(parameters, kernel, b, x):
    import keras

    layer = keras.layers.Conv2DTranspose(**parameters)
    layer.build((None, None, None, x.shape[1]))
    layer.set_weights([kernel, b])
    return np.moveaxis(np.asarray(layer(np.moveaxis(x, 1, -1))), -1, 1)


def by_keras_documentation(parameters, kernel, b, x):
    """The gradient of Conv2D, whose kernel is (*kernel, its input channels, its output channels)."""
    numbers = ("NHWC", "HWIO", "NHWC")
    strides, padding = parameters["strides"], parameters["padding"].upper()
    assert parameters["output_padding"] is None
    longer = [0 if padding == "SAME" else k - s for k, s in zip(kernel.shape, strides, strict=False)]
    fine = [n * s + more for n, s, more in zip(x.shape[2:], strides, longer, strict=True)]
    x = np.moveaxis(x, 1, -1)

    def conv(y):
        return jax.lax.conv_general_dilated(y, kernel, strides, padding, dimension_numbers=numbers)

    _, gradient = jax.vjp(conv, np.zeros((len(x), *fine, parameters["filters"]), np.float32))
    return np.moveaxis(np.asarray(gradient(x)[0]) + b, -1, 1)


def by_onnx(parameters, w, b, x):
    said = {name: value for name, value in parameters.items() if value is not None}
    node = onnx.helper.make_node("ConvTranspose", ["x", "w", "b"], ["y"], **said)
    tensors = [onnx.numpy_helper.from_array(array, name) for name, array in (("w", w), ("b", b))]
    values = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [None] * 4) for name in "xy"]
    graph = onnx.helper.make_graph([node], "layer", values[:1], values[1:], tensors)
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8)
    return ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"]).run(None, {"x": x})[0]


def by_jax(parameters, kernel, b, x):
    y = jax.lax.conv_transpose(np.moveaxis(x, 1, -1), kernel, **parameters)
    return np.moveaxis(np.asarray(y) + b, -1, 1)


def carried(folder, layer, parameters, by_keras):
    """The layer in each framework in turn: its results, and the weights in the end."""
    x = np.random.default_rng(0).integers(-16, 17, (2, 6, 5, 7)).astype(np.float32) / 8
    state = {name: value.numpy() for name, value in layer.state_dict().items()}
    weight_files.write(folder / FILES[0], weight_files.Contents(state))
    results = [by_torch(parameters, state["weight"], state["bias"], x)]
    kernel = parameters["kernel_size"]
    compute = {"keras": by_keras, "onnx": by_onnx, "jax": by_jax, "torch": by_torch}
    for i, (source, target) in enumerate(pairwise(WAY)):
        said = tconv.convert(
            parameters, source=source, target=target, kernel=kernel, ndim=2, in_channels=6, out_channels=4, bias=True
        )
        assert said.exact
        parameters = dict(said.parameters)
        done = tconv.convert_weights(folder / FILES[i], folder / FILES[i + 1], source=source, target=target)
        assert {array.name: array.is_weights for array in done.arrays} == {"weight": True, "bias": False}
        arrays = weight_files.read(folder / FILES[i + 1]).arrays
        results.append(compute[target](parameters, arrays["weight"], arrays["bias"], x))
    return results, arrays


def check(folder, by_keras, kernel, stride, padding):
    layer, parameters = trained(kernel, stride, padding)
    results, arrays = carried(folder, layer, parameters, by_keras)
    assert len(results) == len(WAY)
    assert np.abs(results[0]).max() > 1
    for result in results[1:]:
        np.testing.assert_array_equal(result, results[0])
    for name, value in layer.state_dict().items():
        np.testing.assert_array_equal(arrays[name], value.numpy())


LAYERS = pytest.mark.parametrize(("kernel", "stride", "padding"), [(4, 2, 1), (2, 2, 0), (5, 1, 2), (6, 4, 1)])


@LAYERS
def test_there_and_back_by_the_documentation_of_keras(tmp_path, kernel, stride, padding):
    check(tmp_path, by_keras_documentation, kernel, stride, padding)


@pytest.mark.tensorflow
@LAYERS
def test_there_and_back_with_keras(tmp_path, kernel, stride, padding):
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what TensorFlow says to itself while it is imported
        pytest.importorskip("tensorflow", exc_type=ModuleNotFoundError)
        import keras  # noqa: F401
    check(tmp_path, by_keras, kernel, stride, padding)
