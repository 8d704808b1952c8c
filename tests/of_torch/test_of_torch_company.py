"""What else of PyTorch a layer meets in a program: hooks, pruning, fusing, averaging, optimizers, odd tensors."""

import copy

import pytest
import torch
from torch.func import functional_call, linearize, stack_module_state, vjp, vmap
from torch.nn.utils import fusion, parametrizations, parametrize, prune
from torch.optim.swa_utils import AveragedModel
from torch_pairs import close, pair

from tconv.torch import engine, nn, weight_gradients

ARGUMENTS = {"kernel_size": 4, "stride": 2, "padding": 1}


@pytest.fixture(params=["ConvTranspose2d", "Conv2d"])
def layers(request):
    return pair(request.param, ARGUMENTS)


@pytest.fixture
def x():
    return torch.randn(2, 4, 5, 6)


def of_squares(layer, x):
    x = x.clone(memory_format=torch.preserve_format).requires_grad_()
    return torch.autograd.grad(layer(x).square().sum(), [x, *layer.parameters()])


def alike(found, expected, tolerance=1e-4):
    for a, b in zip(found, expected, strict=True):
        torch.testing.assert_close(a, b, rtol=tolerance, atol=tolerance)


def test_many_gradients_at_once(layers, x):
    dy = torch.randn(3, *layers[0](x).shape)
    x.requires_grad_()
    theirs, ours = (
        torch.autograd.grad(layer(x), [x, *layer.parameters()], dy, is_grads_batched=True) for layer in layers
    )
    alike(ours, theirs)


@pytest.mark.parametrize("strategy", ["reverse-mode", "forward-mode"])
@pytest.mark.filterwarnings("ignore:There is a performance drop:UserWarning")  # of PyTorch's own operators too
@pytest.mark.filterwarnings("ignore:Attempted to insert a get_attr Node:UserWarning")  # by linearize, of PyTorch's too
def test_jacobians_and_products_with_them(layers, x, strategy):
    x = x[:1, :, :2, :2]
    theirs, ours = (torch.autograd.functional.jacobian(layer, x, vectorize=True, strategy=strategy) for layer in layers)
    alike([ours], [theirs])
    for name in ("vhp", "hvp"):
        function = getattr(torch.autograd.functional, name)
        theirs, ours = (function(lambda x, layer=layer: layer(x).square().sum(), x, x)[1] for layer in layers)
        alike([ours], [theirs], 1e-3)
    theirs, ours = (linearize(layer, x)[1](x) for layer in layers)
    close(ours, theirs)
    theirs, ours = (vjp(layer, x)[1](theirs)[0] for layer in layers)
    alike([ours], [theirs])


def test_an_ensemble_of_layers(x):
    layers = [pair("ConvTranspose2d", ARGUMENTS)[1] for _ in range(3)]
    parameters, buffers = stack_module_state(layers)
    base = copy.deepcopy(layers[0]).to("meta")
    y = vmap(lambda p, b, x: functional_call(base, (p, b), (x,)), (0, 0, None))(parameters, buffers, x)
    for found, layer in zip(y, layers, strict=True):
        close(found, layer(x))


def test_hooks_of_modules_and_parameters(layers, x):
    seen = []
    for layer in layers:
        log = []
        layer.register_full_backward_hook(lambda module, dx, dy, log=log: log.append((dx[0], dy[0])))
        layer.register_full_backward_pre_hook(lambda module, dy: (2 * dy[0],))
        layer.register_forward_hook(lambda module, args, kwargs, y: y + 1, with_kwargs=True)
        layer.weight.register_hook(lambda dw: 3 * dw)
        layer.bias.register_post_accumulate_grad_hook(lambda bias, log=log: log.append([bias.grad.clone()]))
        torch.nn.Sequential(layer, torch.nn.ReLU())(x.clone().requires_grad_()).square().sum().backward()
        log.sort(key=len)
        seen.append([layer.weight.grad, *(t for entry in log for t in entry)])
    alike(seen[1], seen[0], 1e-3)


def test_results_may_be_changed_in_place(layers, x):
    found = []
    for layer in layers:
        y = layer(x)
        y.add_(1).mul_(2)
        y[0].zero_()
        y.relu_()
        found.append(torch.autograd.grad(y.sum(), layer.weight)[0])
    alike(found[1:], found[:1])


@pytest.mark.parametrize("order", [torch.contiguous_format, torch.channels_last])
def test_gradients_lie_as_pytorchs_do(layers, x, order):
    x = x.to(memory_format=order)
    theirs, ours = (of_squares(layer.to(memory_format=order), x) for layer in layers)
    assert [t.stride() for t in ours] == [t.stride() for t in theirs]


def test_a_weight_gradient_by_the_engine_lies_as_the_weights_do(layers, x):
    """Whatever the processor: on some the layers above leave it to PyTorch."""
    w = layers[1].weight.detach().to(memory_format=torch.channels_last)
    window = engine.OperationWindow((2, 2), (1, 1), (10, 12), (1, 1), 1)
    dy = torch.randn(2, 6, 10, 12)
    found = weight_gradients.computed(x, dy, w, window)
    assert found.stride() == w.stride() != found.contiguous().stride()
    torch.testing.assert_close(found, weight_gradients.computed(x, dy, w.contiguous(), window), rtol=0, atol=0)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.complex64])
def test_training_in_other_dtypes_is_pytorchs(dtype):
    a = torch.nn.ConvTranspose2d(4, 6, **ARGUMENTS, dtype=dtype)
    b = nn.ConvTranspose2d(4, 6, **ARGUMENTS, dtype=dtype)
    b.load_state_dict(a.state_dict())
    x = torch.randn(2, 4, 5, 6, dtype=dtype)
    for layer in (a, b):
        layer(x).abs().sum().backward()
    assert a.weight.grad.equal(b.weight.grad)


def test_pruned_and_assigned_and_shared_weights(layers, x):
    theirs, ours = layers
    for layer in layers:
        prune.l1_unstructured(layer, "weight", 0.5)
    close(ours(x), theirs(x))
    for layer in layers:
        prune.remove(layer, "weight")
    close(ours(x), theirs(x))
    ours.load_state_dict({name: 2 * value for name, value in theirs.state_dict().items()}, assign=True)
    ours.share_memory()
    close(ours(x), 2 * theirs(x))


def test_computed_weights_may_be_cached(layers, x):
    for layer in layers:
        parametrizations.weight_norm(layer, dim=1)
    with torch.no_grad(), parametrize.cached():
        for _ in range(3):
            close(layers[1](x), layers[0](x))
    for layer in layers:
        layer.parametrizations.weight.original0.data.mul_(2)
    close(layers[1](x), layers[0](x))


def test_fused_with_a_normalization(layers, x):
    norm = torch.nn.BatchNorm2d(6).eval()
    norm.running_mean.normal_()
    norm.running_var.uniform_(0.5, 2)
    fused = fusion.fuse_conv_bn_eval(layers[1].eval(), norm, transpose=layers[1].transposed)
    assert type(fused) is type(layers[1])
    close(fused(x), norm(layers[0](x)))


def test_averaged_weights(layers, x):
    averages = [AveragedModel(layer) for layer in layers]
    with torch.no_grad():
        for _ in range(3):
            for layer, average in zip(layers, averages, strict=True):
                layer.weight.add_(0.1)
                average.update_parameters(layer)
            close(averages[1](x), averages[0](x))


@pytest.mark.parametrize(
    "make",
    [
        lambda parameters: torch.optim.Adam(parameters, fused=True),
        lambda parameters: torch.optim.AdamW(parameters, foreach=True),
        lambda parameters: torch.optim.SGD(parameters, 0.1, momentum=0.9, fused=True),
    ],
)
def test_evaluation_between_steps_of_an_optimizer(layers, x, make):
    optimizers = [make(layer.parameters()) for layer in layers]
    for _ in range(3):
        for layer, optimizer in zip(layers, optimizers, strict=True):
            optimizer.zero_grad()
            layer(x).square().mean().backward()
            optimizer.step()
        with torch.no_grad():
            for _ in range(3):  # packed for keeps by the second
                torch.testing.assert_close(layers[1](x), layers[0](x), rtol=1e-4, atol=1e-4)


def test_compiled_layers_see_every_edit(layers, x):
    run = torch.compile(layers[1], backend="eager", fullgraph=True)
    with torch.no_grad():
        for _ in range(4):
            close(run(x), layers[0](x))
            for layer in layers:
                layer.weight.data.mul_(1.1)


def test_odd_tensors(layers, x):
    theirs, ours = layers
    parts = torch.randn(2, 4, 5, 6, dtype=torch.complex64)
    between = torch.randn(1 + x.numel())[1:].view(x.shape)
    bytewise = torch.frombuffer(bytearray(4 * x.numel() + 1), dtype=torch.uint8)[1:].numpy().view("float32")
    odd = torch.from_numpy(bytewise).view(x.shape).copy_(x)
    for each in (parts.real, parts.conj().imag, between, odd, x.flip(3), x.expand(2, 4, 5, 6), x[:, :, ::2]):
        close(ours(each), theirs(each))


def test_deterministic_algorithms(layers, x):
    torch.use_deterministic_algorithms(True)
    try:
        alike(of_squares(layers[1], x), of_squares(layers[0], x), 1e-3)
    finally:
        torch.use_deterministic_algorithms(False)


def test_saved_tensors_may_be_kept_elsewhere(layers, x):
    hooks = torch.autograd.graph.saved_tensors_hooks(lambda t: t.detach().numpy().copy(), torch.from_numpy)
    with hooks:
        y = layers[1](x)
    y.sum().backward()
    layers[0](x).sum().backward()
    alike([layers[1].weight.grad], [layers[0].weight.grad])


def test_backward_twice(layers, x):
    y = layers[1](x).sum()
    y.backward(retain_graph=True)
    once = layers[1].weight.grad.clone()
    y.backward()
    close(layers[1].weight.grad, 2 * once)
    with pytest.raises(RuntimeError, match="second time"):
        y.backward()
