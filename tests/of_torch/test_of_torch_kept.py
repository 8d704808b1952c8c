"""Packed weights are kept as long as the weights are what they were, by whatever means they are edited."""

import gc
import weakref
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from torch_pairs import both, close, function_of, grid, pair

from tconv.torch import functional, kept
from tconv.torch.kept import PackedWeights

ARGUMENTS = {"kernel_size": 4, "stride": 2, "padding": 1}


def by_number(layer):
    """Through NumPy, which tells PyTorch nothing."""
    layer.weight.detach().numpy()[1, 2, 3, 0] += 1


def by_step(layer):
    for p in layer.parameters():
        p.grad = torch.ones_like(p)
    torch.optim.SGD(layer.parameters(), 0.1).step()


def by_exchange(layer):
    """To other memory and back, with a call in neither."""
    first = layer.weight.data
    layer.weight.data = first * 2
    layer.weight.data = first.add_(1)


EDITS = {
    "under no_grad": lambda layer: layer.weight.detach().mul_(0.5),
    "data.mul_": lambda layer: layer.weight.data.mul_(0.9),
    "data.clamp_": lambda layer: layer.weight.data.clamp_(max=layer.weight.max().item() * 0.999),
    "data[...]": lambda layer: layer.weight.data[0, 0, 0].neg_(),
    "data.copy_": lambda layer: layer.weight.data.copy_(torch.randn_like(layer.weight)),
    "data =": lambda layer: setattr(layer.weight, "data", torch.randn_like(layer.weight)),
    "data = transposed": lambda layer: setattr(layer.weight, "data", layer.weight.data.transpose(2, 3)),
    "data = channels_last": lambda layer: layer.to(memory_format=torch.channels_last),
    "exchanged": by_exchange,
    "swapped": lambda layer: layer.weight.data.copy_(layer.weight.data.flip(2)),
    "a parameter": lambda layer: setattr(layer, "weight", torch.nn.Parameter(torch.randn_like(layer.weight))),
    "through NumPy": by_number,
    "the bias": lambda layer: layer.bias.data.add_(1),
    "a bias of its own": lambda layer: setattr(layer, "bias", None),
    "load_state_dict": lambda layer: layer.load_state_dict({n: t + 1 for n, t in layer.state_dict().items()}),
    "an optimizer": by_step,
}


@both
@pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS)
@pytest.mark.parametrize("functionally", [False, True])
def test_no_edit_is_missed(name, edit, functionally):
    _, layer = pair(name, ARGUMENTS)
    x = grid(2)

    def ours():
        if not functionally:
            return layer(x)
        return function_of(name, functional)(x, layer.weight, layer.bias, stride=2, padding=1)

    with torch.no_grad():
        for _ in range(2):
            for _ in range(3):
                close(ours(), function_of(name)(x, layer.weight, layer.bias, 2, 1))
            if layer.bias is not None:
                edit(layer)


@both
def test_weights_are_packed_for_keeps_when_they_come_again(name, monkeypatch):
    from tconv.jit.engine import Engine

    packed = []
    pack = Engine.pack_at
    monkeypatch.setattr(Engine, "pack_at", lambda self, *given: packed.append(1) or pack(self, *given))
    _, layer = pair(name, ARGUMENTS)
    x = grid(2)
    with torch.no_grad():
        for expected in (1, 2, 2, 2):  # once for the call, once for keeps
            layer(x)
            assert len(packed) == expected
    for expected in (3, 4):  # in training for every call
        layer(x)
        assert len(packed) == expected


@both
def test_shapes_share_packed_weights(name):
    _, layer = pair(name, ARGUMENTS)
    with torch.no_grad():
        for size in (16, 16, 32, 32, 48):
            layer(torch.randn(1, 4, size, size))
    assert len(layer._kept) <= 2


@both
def test_what_is_kept_is_freed_with_the_layer(name):
    _, layer = pair(name, ARGUMENTS)
    with torch.no_grad():
        for _ in range(3):
            layer(grid(2))
    memory = weakref.ref(next(iter(layer._kept.values())).memory)
    assert memory() is not None
    del layer
    gc.collect()
    assert memory() is None


def test_what_is_kept_is_freed_with_the_weights():
    before = len(kept._of_weights)
    w = torch.randn(4, 6, 4, 4)
    for _ in range(3):
        functional.conv_transpose2d(grid(2), w)
    memory = weakref.ref(next(iter(kept.of(w).values())).memory)
    assert len(kept._of_weights) == before + 1
    del w
    gc.collect()
    assert memory() is None
    assert len(kept._of_weights) == before


def test_an_owner_keeps_so_many_orders():
    held = kept.PackedWeights()
    for order in range(3 * kept.MOST):
        held.packed(None, order, 1, 0, 0, lambda: True)
        assert len(held) <= kept.MOST


@both
def test_threads_share_a_layer_whose_weights_change(name):
    _, layer = pair(name, ARGUMENTS)
    x = grid(2)
    values = [torch.full_like(layer.weight, float(n)) for n in range(4)]
    with torch.no_grad():
        unit = function_of(name)(x, torch.ones_like(layer.weight), None, 2, 1)
        bias = layer.bias.reshape(-1, 1, 1)

        def work(n):
            with torch.no_grad():
                own = function_of(name, functional)(x, values[n % 4], None, 2, 1)
                shared = layer(x)
            return torch.allclose(own, unit * (n % 4), atol=1e-4) and shared.isfinite().all().item()

        with ThreadPoolExecutor(4) as pool:
            futures = [pool.submit(work, n) for n in range(200)]
            for n in range(40):
                layer.weight.copy_(values[n % 4])
        assert all(future.result() for future in futures)
        close(layer(x), unit * 3 + bias)


@both
@pytest.mark.parametrize("what", ["weight", "bias"])
@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_what_others_write_before_weights_are_packed_is_not_kept(name, monkeypatch, what, memory_format):
    """The weights that were seen come back later: what is kept for them must be theirs."""
    theirs, layer = pair(name, ARGUMENTS)
    layer.to(memory_format=memory_format)
    x, look, written = grid(2), PackedWeights.found, getattr(layer, what).data
    old = written.clone()

    def written_then(self, order, seen):
        found = look(self, order, seen)
        if order in self and found is None:  # these weights come again: they are packed for keeps
            written.add_(1)
        return found

    with torch.no_grad():
        layer(x)
        with monkeypatch.context() as patch:
            patch.setattr(PackedWeights, "found", written_then)
            layer(x)
        assert not torch.equal(written, old)
        for _ in range(3):
            written.copy_(old)
            close(layer(x), theirs(x))
            written.add_(1)
            layer(x)


@both
def test_memory_lives_as_long_as_a_call_that_reads_it(name, monkeypatch):
    """While kernels run, another thread may find the weights changed and forget what was packed."""
    from tconv.jit.engine import Engine

    _, layer = pair(name, ARGUMENTS)
    x, alive = grid(2), []
    run = Engine.run

    def forgetting(self, *given):
        memory = weakref.ref(next(iter(layer._kept.values())).memory)
        layer._kept.clear()
        gc.collect()
        alive.append(memory() is not None)
        return run(self, *given)

    with torch.no_grad():
        expected = [layer(x) for _ in range(3)][-1]
        monkeypatch.setattr(Engine, "run", forgetting)
        close(layer(x), expected)
    assert alive == [True]


def test_tensors_without_memory_are_pytorchs():
    zeros, w = torch._efficientzerotensor((2, 4, 5, 4)), torch.randn(4, 6, 4, 4)
    assert not functional.conv_transpose2d(zeros, w).any()
