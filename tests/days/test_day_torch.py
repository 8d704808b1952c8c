"""A PyTorch user's day: what somebody does who has read the README, and what stood in the way once.

Public names only, nothing is set by hand. What is timed is as far apart as day and night.
"""

import time

import pytest

torch = pytest.importorskip("torch", exc_type=ModuleNotFoundError)
from torch import nn  # noqa: E402

import tconv.torch  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")


def block(cin, cout):
    return nn.Sequential(nn.Conv2d(cin, cout, 3, padding=1, bias=False), nn.BatchNorm2d(cout), nn.ReLU())


class UNet(nn.Module):
    """A plain one, with batch normalization and ReLUs."""

    def __init__(self, c=8):
        super().__init__()
        self.one, self.two, self.three = block(3, c), block(c, 2 * c), block(2 * c, 4 * c)
        self.up_two, self.up_one = nn.ConvTranspose2d(4 * c, 2 * c, 2, 2), nn.ConvTranspose2d(2 * c, c, 2, 2)
        self.join_two, self.join_one = block(4 * c, 2 * c), block(2 * c, c)
        self.pool, self.last = nn.MaxPool2d(2), nn.Conv2d(c, 2, 1)

    def forward(self, x):
        one = self.one(x)
        two = self.two(self.pool(one))
        y = self.join_two(torch.cat([self.up_two(self.three(self.pool(two))), two], 1))
        return self.last(self.join_one(torch.cat([self.up_one(y), one], 1)))


@pytest.mark.parametrize("seed", range(4))
def test_morning_a_u_net_that_trains_is_accelerated_and_not_refused(seed):
    torch.manual_seed(seed)
    model, x = UNet().train(), torch.randn(2, 3, 48, 48)
    model, report = tconv.torch.accelerate(model, x, rounds=3)
    said = str(report)
    assert report.trains
    if report.whole is not None:
        assert not report.whole.failure, said
        assert report.whole.ratio == pytest.approx(report.whole.before / report.whole.after)
    for layer in report.layers:
        assert not (layer.kept and layer.gain < 1), said
        assert layer.kept or layer.gain <= 1 or "left alone: " in layer.outcome, said
    optimizer = torch.optim.SGD(model.parameters(), 0.01)
    for _ in range(2):
        optimizer.zero_grad()
        model(x).square().mean().backward()
        optimizer.step()


def test_before_noon_a_profiler_shows_where_the_time_goes():
    model = tconv.torch.accelerate(UNet().eval())[0]
    with torch.no_grad(), torch.profiler.profile() as profile:
        model(torch.randn(1, 3, 64, 64))
    assert {event.key: event.count for event in profile.key_averages()}["tconv::conv_transpose"] == 2


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_noon_with_what_to_try_first(memory_format):
    """Channels last and torch.compile, which this page tells everybody to try before: both work with it."""
    model, x = UNet().eval(), torch.randn(1, 3, 32, 32)
    with torch.no_grad():
        expected = model(x)
        model, x = model.to(memory_format=memory_format), x.to(memory_format=memory_format)
        model = tconv.torch.accelerate(model)[0]
        torch.testing.assert_close(model(x), expected, rtol=1e-3, atol=1e-4)
        compiled = torch.compile(model, backend="aot_eager")
        torch.testing.assert_close(compiled(x), expected, rtol=1e-3, atol=1e-4)


def test_afternoon_layers_that_pytorch_does_not_have():
    net = nn.Sequential(
        tconv.torch.nn.LazyConvTranspose2d(8, 5, 2, padding=((1, 2), (1, 2))),  # Keras's "same"
        nn.ReLU(),
        tconv.torch.nn.ConvTranspose2d(8, 4, 4, 2, padding=1, padding_mode="circular"),
    )
    assert net(torch.randn(1, 3, 6, 7)).shape == (1, 4, 24, 28)
    causal = tconv.torch.nn.ConvTranspose1d(4, 2, 16, 8, padding="causal")
    x = torch.randn(1, 4, 10)
    whole, begun = causal(x), causal(x[..., :6])
    torch.testing.assert_close(whole[..., :48], begun)


def test_afternoon_float16_on_a_cpu():
    """PyTorch's own operator took 12 to 18 times as long on the layers that were measured."""
    torch.manual_seed(0)
    theirs = nn.ConvTranspose2d(64, 32, 4, 2, 1).half().eval()
    ours = tconv.torch.nn.ConvTranspose2d(64, 32, 4, 2, 1).half().eval()
    ours.load_state_dict(theirs.state_dict())
    x = torch.randn(1, 64, 32, 32).half()
    if tconv.torch.plan(x, ours.weight.detach(), None, 2, 1).by != "tconv":
        pytest.skip("this processor computes float16 by itself, or there are no kernels for it")
    with torch.no_grad():
        torch.testing.assert_close(ours(x), theirs(x), rtol=1e-2, atol=1e-2)
        best = {ours: 9.0, theirs: 9.0}
        for _ in range(5):
            for layer in best:
                start = time.perf_counter()
                layer(x)
                best[layer] = min(best[layer], time.perf_counter() - start)
        assert best[ours] < best[theirs] / 3
        with torch.autocast("cpu", torch.float16):
            assert tconv.torch.plan(x.float(), ours.weight.detach().float(), None, 2, 1).by == "tconv"
            assert ours.float()(x.float()).dtype is torch.float16


@pytest.mark.quick
def test_evening_integers():
    x, w = torch.full((1, 64, 4, 4), 255, dtype=torch.uint8), torch.full((64, 8, 2, 2), -128, dtype=torch.int8)
    y = tconv.conv_transpose(x, w, stride=2, dtype=torch.int32)
    assert y.dtype is torch.int32
    assert y.unique().tolist() == [-128 * 255 * 64]
    assert "wrap around in int8" in str(tconv.plan((1, 64, 4, 4), (64, 8, 2, 2), stride=2, dtype="int8"))
    assert "nothing is lost" in str(tconv.plan(x.numpy(), w.numpy(), stride=2, dtype="int32"))


def test_night_others_want_the_model_as_it_was():
    model, x = tconv.torch.accelerate(UNet().eval())[0], torch.randn(1, 3, 16, 16)
    for others in (torch.jit.script, quantized):
        with pytest.raises(RuntimeError, match=r"call tconv\.torch\.restore\(model\) first"):
            others(model)
    model = tconv.torch.restore(model)
    torch.testing.assert_close(torch.jit.script(model)(x), model(x))
    quantized(model)


def quantized(model):
    quantization = pytest.importorskip("torch.ao.quantization")
    model.qconfig = quantization.default_qconfig
    return quantization.prepare(model)
