"""What PyTorch does with functions and layers: compile, export, transform, trace, cast, count."""

import functools
import warnings

import onnx
import onnxruntime
import pytest
import torch
from torch.func import functional_call, grad, hessian, jacfwd, jacrev, jvp, vmap
from torch_pairs import close, function_of, grid, pair

import tconv.torch
from tconv.torch import functional

ARGUMENTS = {
    "ConvTranspose2d": {"kernel_size": 3, "stride": 2, "padding": 1, "output_padding": 1, "groups": 2},
    "Conv2d": {"kernel_size": 3, "stride": 2, "padding": 1, "groups": 2},
}
#: Weights of the functions: both are from 4 to 6 channels.
W = {"ConvTranspose2d": torch.randn(4, 3, 3, 3), "Conv2d": torch.randn(6, 2, 3, 3)}
BIAS = torch.randn(6)


@pytest.fixture(params=ARGUMENTS)
def name(request):
    """The layer, and the function that it calls."""
    return request.param


def calling(name, of):
    arguments = dict(ARGUMENTS[name])
    del arguments["kernel_size"]

    def call(x, w=W[name], bias=BIAS):
        return function_of(name, of)(x, w, bias, **arguments)

    return call


@pytest.fixture
def ours(name):
    return calling(name, functional)


@pytest.fixture
def theirs(name):
    return calling(name, torch.nn.functional)


@pytest.fixture(autouse=True)
def fresh():
    torch.compiler.reset()


def compiled(function, **options):
    return torch.compile(function, fullgraph=True, backend="aot_eager", **options)


@pytest.mark.parametrize("dynamic", [None, True])
@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("ConvTranspose2d", {}),
        ("ConvTranspose2d", {"output_padding": 0, "padding": "same"}),
        ("ConvTranspose2d", {"output_padding": 0, "padding": ((1, 0), (-1, 2))}),
        ("Conv2d", {}),
        ("Conv2d", {"stride": 1, "padding": "same"}),
        ("Conv2d", {"padding": ((1, 0), (-1, 2))}),
        ("Conv2d", {"padding_mode": "circular"}),
    ],
)
def test_compile(dynamic, name, changes):
    from tconv.torch import nn

    layer = getattr(nn, name)(4, 6, **{**ARGUMENTS[name], **changes})
    run = compiled(layer, dynamic=dynamic)
    for size in (5, 6, 7):
        x = torch.randn(2, 4, size, size + 1, requires_grad=True)
        dy = torch.randn_like(layer(x))
        operands = [x, *layer.parameters()]
        for found, expected in zip(
            torch.autograd.grad(run(x), operands, dy), torch.autograd.grad(layer(x), operands, dy), strict=True
        ):
            close(found, expected)
        with torch.no_grad():
            close(run(x), layer(x))


def test_a_compiled_graph_holds_the_registered_operator(name, ours):
    targets = []

    def backend(module, _):
        targets.extend(node.target for node in module.graph.nodes if node.op == "call_function")
        return module

    torch.compile(ours, fullgraph=True, backend=backend)(grid(2))
    assert function_of(name, torch).__name__.removesuffix("2d") in [getattr(t, "__name__", "") for t in targets]
    assert function_of(name, torch) not in targets


def test_inductor(name):
    layer = pair(name, ARGUMENTS[name])[1]
    run = torch.compile(lambda x: layer(x.relu()) + 1, fullgraph=True)
    x = grid(2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        close(run(x), layer(x.relu()) + 1)
        with torch.no_grad():
            close(run(x.to(memory_format=torch.channels_last)), layer(x.relu()) + 1)


def test_compile_what_the_engine_does_not_serve(name, ours, theirs):
    x = grid(2)
    run = compiled(ours)
    torch.testing.assert_close(
        run(x.bfloat16(), W[name].bfloat16(), None), theirs(x.bfloat16(), W[name].bfloat16(), None)
    )
    with torch.autocast("cpu", torch.bfloat16):
        torch.testing.assert_close(compiled(ours)(x), theirs(x))
    close(compiled(lambda x: grad(lambda x: ours(x).square().sum())(x))(x), grad(lambda x: theirs(x).square().sum())(x))
    close(compiled(lambda x: vmap(ours)(x))(torch.stack([x, -x])), torch.stack([theirs(x), theirs(-x)]))


@pytest.mark.parametrize("strict", [False, True])
def test_export_gives_pytorchs_operators(name, strict):
    layer = pair(name, ARGUMENTS[name])[1]
    x = grid(2)
    shapes = {0: torch.export.Dim("n"), 2: torch.export.Dim("h", min=4, max=512)}
    exported = torch.export.export(layer, (x,), dynamic_shapes={"input": shapes}, strict=strict)
    targets = {str(node.target) for node in exported.graph.nodes if node.op == "call_function"}
    assert targets == {{"ConvTranspose2d": "aten.conv_transpose2d.input", "Conv2d": "aten.conv2d.default"}[name]}
    for size in (5, 8):
        x = torch.randn(3, 4, size, 4)
        close(exported.module()(x), layer(x))


@pytest.mark.parametrize("dynamo", [False, True])
@pytest.mark.parametrize("padding", [1, ((0, 1), (2, 0))])
def test_onnx(name, tmp_path, dynamo, padding):
    from tconv.torch import nn

    if dynamo:
        pytest.importorskip("onnxscript", exc_type=ModuleNotFoundError)  # which PyTorch's newer exporter needs
    layer, x = getattr(nn, name)(4, 6, 3, stride=2, padding=padding).eval(), grid(2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(layer, (x,), tmp_path / "layer.onnx", dynamo=dynamo, verbose=False)
    model = onnx.load(tmp_path / "layer.onnx")
    onnx.checker.check_model(model, full_check=True)
    assert name.removesuffix("2d") in [node.op_type for node in model.graph.node]
    assert {node.domain for node in model.graph.node} <= {"", "ai.onnx"}
    session = onnxruntime.InferenceSession(tmp_path / "layer.onnx")
    (found,) = session.run(None, {session.get_inputs()[0].name: x.numpy()})
    close(torch.from_numpy(found), layer(x).detach())


def test_transforms_of_functions(name, ours, theirs):
    x, w = grid(2), W[name]
    close(grad(lambda x: ours(x).square().sum())(x), grad(lambda x: theirs(x).square().sum())(x))
    close(vmap(ours)(torch.stack([x, -x])), torch.stack([theirs(x), theirs(-x)]))
    close(vmap(lambda w: ours(x, w))(torch.stack([w, -w])), torch.stack([theirs(x, w), theirs(x, -w)]))
    close(jvp(ours, (x,), (x,))[1], theirs(x, bias=None))
    small = x[:1, :, :2, :2]
    for transform in (jacfwd, jacrev):
        close(transform(ours)(small), transform(theirs)(small))
    close(hessian(lambda x: ours(x).square().sum())(small), hessian(lambda x: theirs(x).square().sum())(small))


def test_gradients_of_each_example(name):
    a, b = pair(name, ARGUMENTS[name])
    x = grid(2)

    def of_each(layer):
        weights = dict(layer.named_parameters())
        loss = lambda weights, x: functional_call(layer, weights, (x[None],)).square().sum()  # noqa: E731
        return vmap(grad(loss), (None, 0))(weights, x)

    for found, expected in zip(of_each(b).values(), of_each(a).values(), strict=True):
        torch.testing.assert_close(found.detach(), expected.detach(), rtol=1e-4, atol=1e-4)


def test_forward_differentiation(ours, theirs):
    x = grid(2)
    with torch.autograd.forward_ad.dual_level():
        dual = torch.autograd.forward_ad.make_dual(x, 2 * x)
        tangent = torch.autograd.forward_ad.unpack_dual(ours(dual)).tangent
        close(tangent, theirs(2 * x, bias=None))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_autocast(name, dtype):
    a, b = pair(name, ARGUMENTS[name])
    x = grid(2, dtype=dtype)
    with torch.autocast("cpu", torch.bfloat16):
        y, z = a(x), b(x)
    assert z.dtype is torch.bfloat16
    torch.testing.assert_close(z, y)
    z.float().sum().backward()
    assert b.weight.grad.dtype is torch.float32


def test_traces(name):
    layer, x = pair(name, ARGUMENTS[name])[1], grid(2)
    traced = torch.jit.trace(layer, (x,))
    close(traced(torch.cat([x, x])), layer(torch.cat([x, x])))
    assert any(node.kind() == "aten::_convolution" for node in traced.inlined_graph.nodes())
    close(torch.fx.symbolic_trace(layer)(x), layer(x))


def test_modes_see_pytorchs_operator(ours, theirs):
    from torch.fx.experimental.proxy_tensor import make_fx
    from torch.utils.flop_counter import FlopCounterMode

    x, counted = grid(2), []
    for function in (ours, theirs):
        with FlopCounterMode(display=False) as counter:
            function(x)
        counted.append(counter.get_total_flops())
    assert counted[0] == counted[1] > 0
    assert "aten.convolution" in make_fx(lambda x: ours(x))(x).code
    with torch.device("cpu"):
        close(ours(x), theirs(x))


def test_the_device_that_is_default_is_nobody_who_listens(name, ours):
    x, w = grid(2), W[name].clone().requires_grad_()
    operation = function_of(name).__name__.removesuffix("2d")
    plan = functools.partial(tconv.torch.plan, groups=2, operation=operation)
    with torch.device("cpu"):
        assert plan(x, w).by == "tconv"
        y = ours(x, w)
        assert name.removesuffix("2d") in type(y.grad_fn).__name__
    with torch.device("meta"):
        assert plan(x, w).by == "torch"
        y = ours(x, w)
        y.sum().backward()
    assert {y.device.type, w.grad.device.type} == {"cpu"}


def test_subclasses_and_modes_are_asked(name, ours):
    seen = []

    class Asked(torch.Tensor):
        @classmethod
        def __torch_function__(cls, function, types, args=(), kwargs=None):
            seen.append(function)
            return super().__torch_function__(function, types, args, kwargs or {})

    found = ours(grid(2).as_subclass(Asked))
    assert type(found) is Asked
    assert function_of(name, functional) in seen


def test_fake_and_meta_tensors(name, ours, theirs):
    from torch._subclasses.fake_tensor import FakeTensorMode

    x = grid(2)
    with FakeTensorMode() as mode:
        fake = ours(*map(mode.from_tensor, (x, W[name], BIAS)))
    assert fake.shape == theirs(x).shape
    meta = pair(name, ARGUMENTS[name])[1].to("meta")(x.to("meta"))
    assert (meta.shape, meta.device.type) == (theirs(x).shape, "meta")


def test_checkpointing_and_hooks_of_saved_tensors(name):
    a, b = pair(name, ARGUMENTS[name])
    for layer in (a, b):
        x = grid(2) * 0 + 1
        x.requires_grad_()
        y = torch.utils.checkpoint.checkpoint(layer, x, use_reentrant=False)
        with torch.autograd.graph.save_on_cpu():
            (y.square().sum() + layer(x).sum()).backward()
    torch.testing.assert_close(b.weight.grad, a.weight.grad, rtol=1e-4, atol=1e-4)
