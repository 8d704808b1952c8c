"""`tconv.torch.tiles` and `tile_plan`: modules as people write them, arrays in files, and memory."""

from __future__ import annotations

import functools
import inspect
import subprocess
import sys
import threading

import numpy as np
import pytest
import torch
from test_of_torch_tiles import check
from tiled_networks import Lambda
from torch import nn
from torch.nn import functional as F

import tconv.torch
from benchmarks.memory import peak
from tconv.torch import dispatched

X = torch.arange(3 * 4 * 13 * 17).reshape(3, 4, 13, 17).sin()


class Net(nn.Module):
    """A forward method of one's own, with modules beside it."""

    def __init__(self, function, **modules):
        super().__init__()
        self.function = function
        for name, module in modules.items():
            setattr(self, name, module)

    def forward(self, x, unused=None):
        return self.function(self, x)


def unet(net, x):
    up = net.up(net.down(x))
    dy, dx = x.shape[2] - up.size(2), x.size()[3] - up.shape[3]
    if dy or dx:
        up = F.pad(up, [dx // 2, dx - dx // 2, dy // 2, dy - dy // 2])
    assert up.shape[-2:] == x.shape[-2:]
    return torch.cat([up, x], dim=1)


def written(net, x):
    y = kept = net.down(x)
    y += net.shift
    F.relu(y, inplace=True)
    return kept + y.mul_(2)


def down():
    return nn.Conv2d(4, 8, 3, 2, 1)


MODELS = {
    "sizes decide": Net(unet, down=down(), up=nn.ConvTranspose2d(8, 4, 2, 2)),
    "size of another": Net(lambda n, x: F.interpolate(n.down(x), x.shape[2:], mode="bilinear"), down=down()),
    "output_size": Net(
        lambda n, x: n.up(n.down(x), output_size=x.shape), down=down(), up=nn.ConvTranspose2d(8, 2, 3, 2, 1)
    ),
    "output_size by place": Net(
        lambda n, x: n.up(n.down(x), x.shape[-2:]), down=down(), up=tconv.torch.nn.ConvTranspose2d(8, 2, 3, 2, 1)
    ),
    "arrays on the grid": Net(
        lambda n, x: x * n.rows + n.row,
        rows=nn.Parameter(torch.randn(4, 13, 17)),
        row=nn.Parameter(torch.linspace(0, 1, 17)),
    ),
    "a constant": Lambda(lambda x: x + torch.linspace(-1, 1, 13)[:, None]),
    "written in place": Net(written, down=down(), shift=nn.Parameter(torch.randn(8, 1, 1))),
    "its input in place": Lambda(lambda x: x.relu_()),
    "causal": tconv.torch.nn.ConvTranspose2d(4, 2, 5, 2, padding="causal"),
    "pairs": tconv.torch.nn.ConvTranspose2d(4, 2, 5, 2, padding=((0, 1), (-1, 3))),
    "pairs of conv": tconv.torch.nn.Conv2d(4, 2, 3, 2, padding=((0, 3), (-1, -2))),
    "same conv": tconv.torch.nn.Conv2d(4, 2, 4, padding="same", padding_mode="reflect"),
    "a function of tconv": Net(
        lambda n, x: tconv.torch.functional.conv2d(x, n.w, stride=2, padding=((1, -3), (-2, 2)), dilation=(1, 2)),
        w=nn.Parameter(torch.randn(3, 4, 3, 2)),
    ),
    "weights computed": nn.Sequential(
        nn.utils.parametrizations.weight_norm(nn.ConvTranspose2d(4, 4, 3)),
        nn.utils.parametrizations.spectral_norm(nn.Conv2d(4, 4, 3)),
    ),
}


@pytest.mark.parametrize("name", MODELS)
def test_models(name):
    x = X.clone()
    check(MODELS[name].eval(), x, (5, 4), batch=2)
    assert torch.equal(x, X)


def test_accelerated_models(all_win, monkeypatch):
    """Layers of other classes, and forward methods whose functions are replaced."""
    called, ours = [], dispatched.PUBLIC["conv_transpose", 2]

    @functools.wraps(ours)
    def counted(*args, **kwargs):
        called.append(args)
        return ours(*args, **kwargs)

    monkeypatch.setitem(dispatched.PUBLIC, ("conv_transpose", 2), counted)
    w = nn.Parameter(torch.randn(8, 3, 4, 4))
    model = Net(lambda n, x: n.last(F.conv_transpose2d(n.down(x), w, stride=2)), down=down(), w=w)
    model.w, model.last = w, nn.ConvTranspose2d(3, 2, 3)
    model.eval()
    with torch.no_grad():
        whole = model(X)
        model, report = tconv.torch.accelerate(model, X, rounds=3)
        assert report.changed == len(report.layers) == 3
        called.clear()
        tiled = tconv.torch.tiles(model, X, tile=(9, 30))
    assert torch.allclose(tiled, whole, atol=1e-5)
    assert len(called) >= 2 * 3  # for every tile of every sample


def test_hooks_run():
    layer = nn.Conv2d(4, 2, 3)
    layer.register_forward_hook(lambda module, args, y: y * 2)
    check(nn.Sequential(layer), X, 4)


def test_forward_methods_of_single_modules():
    """Such a method is looked into like any other: torch.fx would call what the class has."""
    activation, layer = nn.ReLU(), nn.Conv2d(4, 2, 3)
    activation.forward = lambda x: 3 * x
    layer.forward = lambda x: nn.Conv2d.forward(layer, x).exp()
    check(nn.Sequential(activation, layer), X, 4)
    activation.forward = lambda x: x - x.mean()
    with pytest.raises(ValueError, match=r"^tiles: 0: mean goes along all axes"):
        tconv.torch.tiles(nn.Sequential(activation), X, tile=4)


def test_threads():
    """torch.fx stands between all modules and their calls as it traces: neither tiles nor other calls may notice."""
    module = nn.Sequential(*[nn.Conv2d(4, 4, 3, padding=1) for _ in range(4)], nn.ReLU()).eval()
    with torch.no_grad():
        whole = module(X)
    apart, before = [], (nn.Module.__call__, nn.Module.__getattr__)

    def call(tiled):
        with torch.no_grad():
            for _ in range(3):
                y = tconv.torch.tiles(module, X, tile=9) if tiled else module(X)
                apart.append(float((y - whole).abs().max()))

    threads = [threading.Thread(target=call, args=(i != 0,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(apart) == 12
    assert max(apart) < 1e-5
    assert (nn.Module.__call__, nn.Module.__getattr__) == before


def test_the_module_stays_as_it_is():
    module = nn.Sequential(nn.Conv2d(4, 4, 3), nn.BatchNorm2d(4).eval(), Lambda(lambda x: x * torch.ones(4, 1, 1)))
    before = [dict(vars(part)) for part in module.modules()]
    tconv.torch.tiles(module, X, tile=8)
    assert [dict(vars(part)) for part in module.modules()] == before


def test_two_passes():
    norms = nn.Sequential(
        nn.Conv2d(4, 8, 3, padding=1), nn.GroupNorm(2, 8), nn.SiLU(), nn.ConvTranspose2d(8, 8, 4, 2, 1),
        nn.InstanceNorm2d(8, affine=True), nn.Conv2d(8, 2, 3),
    )  # fmt: skip
    check(norms.eval(), X + 100, (5, 9), norms="two passes", batch=2)
    plan = tconv.torch.tile_plan(norms, X, tile=(5, 9), norms="two passes")
    assert plan.passes == 3
    assert plan.work > 1


def test_arrays_in_files(tmp_path):
    module = nn.Conv2d(4, 2, 3, padding=1)
    with torch.no_grad():
        whole = module(X).numpy()
    x = np.memmap(tmp_path / "x", ">f4", "w+", shape=tuple(X.shape))  # bytes in another order than the processor's
    x[:] = X.numpy()
    x = np.memmap(tmp_path / "x", ">f4", "r", shape=tuple(X.shape))
    out = np.memmap(tmp_path / "out", "f4", "w+", shape=whole.shape)
    assert tconv.torch.tiles(module, x, tile=4, out=out) is out
    np.testing.assert_allclose(out, whole, atol=1e-5)
    result = tconv.torch.tiles(module, x, tile=99, batch=2)
    assert type(result) is np.ndarray
    np.testing.assert_allclose(result, whole, atol=1e-5)


def test_arrays_of_zarr(tmp_path):
    zarr = pytest.importorskip("zarr")
    module = nn.Conv2d(4, 2, 3, padding=1)
    x = zarr.create_array(tmp_path / "x", shape=tuple(X.shape), chunks=(1, 4, 5, 5), dtype="f4")
    out = zarr.create_array(tmp_path / "out", shape=(3, 2, 13, 17), chunks=(1, 2, 5, 5), dtype="f4")
    x[:] = X.numpy()
    tconv.torch.tiles(module, x, tile=5, out=out)
    with torch.no_grad():
        np.testing.assert_allclose(out[:], module(X).numpy(), atol=1e-5)


def test_results_lie_elsewhere_than_x(tmp_path):
    """A tile that is written would be read again around the next ones."""
    zarr = pytest.importorskip("zarr")
    module, both = nn.Conv2d(4, 4, 3, padding=1), torch.zeros(3, 8, 13, 17)
    both[:, :4] = X
    stored = zarr.create_array(tmp_path / "x", shape=tuple(X.shape), chunks=(1, 4, 5, 5), dtype="f4")
    mapped = np.lib.format.open_memmap(tmp_path / "x.npy", "w+", "f4", tuple(X.shape))
    for x, out in [
        (both[:, :4], both[:, 1:5]),
        (both[:, :4], both.numpy()[:, :4]),
        (stored, zarr.open_array(tmp_path / "x")),
        (mapped, mapped[:]),
        (mapped, np.lib.format.open_memmap(tmp_path / "x.npy", "r+")),
    ]:
        with pytest.raises(ValueError, match=r"^tiles: out must lie elsewhere than x, which is read"):
            tconv.torch.tiles(module, x, tile=5, out=out)
    with torch.no_grad():
        tconv.torch.tiles(module, both[:, :4], tile=5, out=both[:, 4:])
        assert torch.allclose(both[:, 4:], module(X), atol=1e-5)


def test_progress(capsys):
    told = []
    module = nn.Conv2d(4, 2, 3)
    tconv.torch.tiles(module, X, tile=6, progress=lambda done, of: told.append((done, of)))
    assert told == [(i, 18) for i in range(1, 19)]
    tconv.torch.tiles(module, X, tile=20, progress=True)
    assert capsys.readouterr().err == "\rtile 1 of 3\rtile 2 of 3\rtile 3 of 3\n"


def test_no_samples():
    assert tconv.torch.tiles(nn.Conv2d(4, 2, 3), X[:0], tile=4).shape == (0, 2, 11, 15)


def test_nothing_is_recorded_for_derivatives():
    assert not tconv.torch.tiles(nn.Conv2d(4, 2, 3), X, tile=8).requires_grad


def test_a_plan_is_what_happens():
    """Its work is that of the boxes of all tiles, counted one by one; its memory no more than the whole takes."""
    module = nn.Sequential(nn.Conv1d(1, 4, 5, padding=2), nn.ConvTranspose1d(4, 1, 4, 2, 1)).eval()
    plan = tconv.torch.tile_plan(module, (1, 1, 1000), tile=256)
    seen = [0, 0]
    for i, layer in enumerate(module):
        layer.register_forward_hook(lambda layer, args, y, i=i: seen.__setitem__(i, seen[i] + y.numel()))
    x = torch.randn(1, 1, 1000)
    tconv.torch.tiles(module, x, tile=256)
    fake = [4 * 1000, 2000]  # the trace itself
    work = (seen[0] - fake[0]) * 5 + (seen[1] - fake[1]) * 8
    assert plan.work == work / (4000 * 5 + 2000 * 8)
    assert (plan.count, plan.reads, plan.passes, plan.shapes, plan.grain) == ((8,), (134,), 1, 3, (2,))
    assert plan.memory < plan.whole_memory
    least = tconv.torch.tile_plan(module, x, tile=plan.least)
    assert least.work < 1.5 < tconv.torch.tile_plan(module, x, tile=plan.least[0] - 2).work


def test_plans_take_no_longer_for_more_tiles():
    module = nn.Sequential(nn.Conv1d(1, 4, 5, padding=2), nn.ConvTranspose1d(4, 1, 4, 2, 1)).eval()
    few, many = (tconv.torch.tile_plan(module, (1, 1, n), tile=4) for n in (1000, 10**15))
    assert (many.count, many.shapes) == ((5 * 10**14,), few.shapes)
    assert few.work < many.work < 1.01 * few.work


CHILD = (
    inspect.getsource(peak)
    + """
import numpy as np, torch, tconv.torch
torch.set_num_threads(1)
conv, relu = torch.nn.Conv3d, torch.nn.ReLU()
layers = [conv(1, 12, 3, padding=1), relu, conv(12, 12, 3, padding=1), relu, conv(12, 1, 1)]
net = torch.nn.Sequential(*layers).eval()
x, out = np.zeros((1, 1, 128, 128, 128), "f4"), np.zeros((1, 1, 128, 128, 128), "f4")
x[..., ::3] = 1
out[:] = 2
tconv.torch.tiles(net, x[..., :40, :40, :40], tile=32)
before = peak()
tconv.torch.tiles(net, x, tile=32, out=out)
tiled = peak() - before
with torch.no_grad():
    whole = net(torch.from_numpy(x))
print(tiled, peak() - before, float((whole - torch.from_numpy(out)).abs().max()))
"""
)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows does not count memory that way")
def test_memory_is_that_of_a_tile():
    done = subprocess.run([sys.executable, "-c", CHILD], capture_output=True, text=True, check=True)
    tiled, whole, apart = map(float, done.stdout.split())
    assert tiled < 40e6 < 120e6 < whole
    assert apart < 1e-5
