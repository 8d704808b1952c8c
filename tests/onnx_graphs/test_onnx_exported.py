"""Models as torch.onnx exports them, and rewritten models in OpenVINO."""

from __future__ import annotations

import io
import warnings

import numpy as np
import pytest

onnx = pytest.importorskip("onnx", exc_type=ModuleNotFoundError)
pytest.importorskip("onnxruntime", exc_type=ModuleNotFoundError)
torch = pytest.importorskip("torch", exc_type=ModuleNotFoundError)
from graph_models import one_layer, operators, run, whole  # noqa: E402

import tconv.onnx  # noqa: E402


def exported(module, x, axes):
    """The module as a model, with these axes of x open."""
    file = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's own deprecations
        names = {"input_names": ["x"], "output_names": ["y"], "dynamic_axes": {"x": axes}}
        torch.onnx.export(module, (x,), file, dynamo=False, opset_version=17, **names)
    return onnx.load_from_string(file.getvalue())


def decoder():
    nn = torch.nn
    layers = [
        nn.Conv2d(3, 16, 3, 2, 1),
        nn.ReLU(),
        nn.ConvTranspose2d(16, 8, 4, 2, 1, bias=False),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.ConvTranspose2d(8, 4, 3, 3, groups=2),
    ]
    layers[3].running_mean.uniform_(-1, 1)
    layers[3].running_var.uniform_(0.5, 2)
    return nn.Sequential(*layers).eval()


@pytest.mark.parametrize("variant", ["auto", "one_conv", "depth_to_space", "conv_per_phase"])
def test_a_decoder(variant):
    torch.manual_seed(0)
    made = exported(decoder(), torch.randn(1, 3, 16, 24), {0: "n", 2: "h", 3: "w"})
    rewriting = tconv.onnx.rewrite(made, variant=variant)
    assert rewriting.changed == 2
    x = np.random.default_rng(0).normal(size=(2, 3, 20, 14)).astype(np.float32)
    before, after = run(made, x=x)[0], run(rewriting.model, x=x)[0]
    np.testing.assert_allclose(after, before, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("where", ["parametrizations", "weight_norm"])
@pytest.mark.parametrize("dim", [0, 1])
def test_weights_of_weight_norm(where, dim):
    """The exporter folds them only where torch._weight_norm computes them; else it leaves ReduceL2, Div and Mul."""
    module = getattr(torch.nn.utils, where)
    norm = getattr(module, "weight_norm", module)  # the function of this name hides the module
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the older of the two
        layer = norm(torch.nn.ConvTranspose1d(8, 4, 16, 8, padding=4), dim=dim).eval()
    made = exported(layer, torch.randn(1, 8, 9), {2: "t"})
    assert tconv.onnx.inspect(made)[0].is_constant
    rewriting = tconv.onnx.rewrite(made, variant="conv_per_block")
    assert rewriting.changed == 1
    assert not {"ConvTranspose", "ReduceL2", "Div"} & set(operators(rewriting.model))
    x = np.random.default_rng(0).normal(size=(1, 8, 5)).astype(np.float32)
    np.testing.assert_allclose(run(rewriting.model, x=x)[0], run(made, x=x)[0], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("variant", tconv.onnx.VARIANTS)
def test_openvino_gives_the_same(variant):
    openvino = pytest.importorskip("openvino", exc_type=ModuleNotFoundError)
    rng = np.random.default_rng(0)
    made = one_layer(whole(rng, 4, 3, 5, 5), whole(rng, 6), strides=[3, 3], pads=[2, 1, 1, 3], group=2)
    x = whole(rng, 2, 4, 5, 7)
    model = openvino.Core().read_model(tconv.onnx.rewrite(made, variant=variant).model.SerializeToString())
    compiled = openvino.Core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    np.testing.assert_array_equal(compiled(x)[0], run(made, x=x)[0])


@pytest.mark.parametrize("dtype", ["float16", "float64"])
def test_other_types_than_float32(dtype):
    rng = np.random.default_rng(0)
    w, bias, x = (whole(rng, *shape).astype(dtype) for shape in ((2, 2, 3, 5), (4,), (2, 2, 4, 5)))
    made = one_layer(w, bias, strides=[2, 3], pads=[1, 0, 0, 1], group=2)
    kind = onnx.helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    for given in (made.graph.input[0], made.graph.output[0]):
        given.type.tensor_type.elem_type = kind
    rewritten = tconv.onnx.rewrite(made, variant="conv_per_block").model
    onnx.checker.check_model(rewritten, full_check=True)
    (result,) = onnx.reference.ReferenceEvaluator(rewritten).run(None, {"x": x})
    assert result.dtype == dtype
    np.testing.assert_array_equal(result, tconv.onnx.run_node(made.graph.node[0], [x, w, bias]))


def test_flops_are_those_of_the_counter():
    """4 -> 6 channels, kernel 4, stride 2, padding 1, batch 2, 8x8: 86,400 multiplications and additions are needed."""
    from torch.utils.flop_counter import FlopCounterMode

    layer, x = torch.nn.ConvTranspose2d(4, 6, 4, 2, 1), torch.ones(2, 4, 8, 8)
    with FlopCounterMode(display=False) as counter:
        layer(x)
    found = tconv.onnx.inspect(exported(layer, x, {}))
    assert (found[0].flops, found[0].counter_flops) == (86_400, counter.get_total_flops())
    assert (found.flops, found.counter_flops) == (86_400, 98_304)
