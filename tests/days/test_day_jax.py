"""A day with JAX, Flax and Keras, from the README alone: what stood in somebody's way, done again."""

from __future__ import annotations

import numpy as np
import pytest

jax = pytest.importorskip("jax", exc_type=ModuleNotFoundError)
torch = pytest.importorskip("torch", exc_type=ModuleNotFoundError)

import jax.numpy as jnp  # noqa: E402

import tconv  # noqa: E402
import tconv.jax  # noqa: E402
from tconv.cli import main  # noqa: E402

RNG = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def lax_as_it_was():
    yield
    tconv.jax.unpatch()


def small(*shape):
    """Small whole numbers, whose sums are exact."""
    return RNG.integers(-4, 5, shape).astype(np.float32)


def printed(capsys, command):
    """What a command prints; it must succeed."""
    try:
        code = main(command)
    except SystemExit as ended:
        code = ended.code
    assert code in (0, None)
    return capsys.readouterr().out


def test_a_kernel_of_jax_goes_to_pytorch_as_the_command_says(capsys):
    command = ["convert", "--from", "jax", "--to", "torch", "--kernel", "3x4", "--padding", "SAME", "strides=(2,2)"]
    code = printed(capsys, [*command, "--in-channels", "3", "--out-channels", "2", "--bias"])
    kernel, b, x = small(3, 4, 3, 2), small(2), small(1, 5, 6, 3)
    names = {"kernel": kernel, "b": b, "x": torch.as_tensor(np.ascontiguousarray(np.moveaxis(x, -1, 1)))}
    exec(code, names)
    wanted = jax.lax.conv_transpose(x, kernel, (2, 2), "SAME") + b
    np.testing.assert_array_equal(np.moveaxis(names["y"].detach().numpy(), 1, -1), wanted)


def test_lax_replaced_by_hand():
    lhs, rhs = jnp.asarray(small(1, 4, 4, 3)), jnp.asarray(small(4, 4, 3, 2))
    wanted = jax.lax.conv_transpose(lhs, rhs, (2, 2), "SAME")
    jax.lax.conv_transpose = tconv.jax.lax_conv_transpose
    np.testing.assert_array_equal(jax.lax.conv_transpose(lhs, rhs, (2, 2), "SAME"), wanted)
    np.testing.assert_array_equal(
        jax.lax.conv_transpose(lhs.astype(complex), rhs.astype(complex), (2, 2), "SAME"), wanted
    )


@pytest.mark.filterwarnings("ignore")
def test_a_layer_of_flax_follows_a_patch():
    nn = pytest.importorskip("flax.linen", exc_type=ModuleNotFoundError)
    x = jnp.asarray(small(1, 4, 4, 4, 3))
    layer = nn.ConvTranspose(2, (2, 2, 2), (2, 2, 2))
    parameters = layer.init(jax.random.key(0), x)
    train = lambda p: (layer.apply(p, x) ** 2).sum()  # noqa: E731
    plain = jax.grad(train)(parameters)
    with tconv.jax.patch():
        assert jax.lax.conv_transpose is tconv.jax.lax_conv_transpose
        patched = jax.grad(train)(parameters)
    for ours, theirs in zip(jax.tree.leaves(patched), jax.tree.leaves(plain), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-4)


@pytest.mark.quick
def test_gradients_through_all_three_operations():
    x, w, y = small(1, 3, 4), small(3, 2, 3), small(1, 2, 9)
    window = {"stride": 2}
    by_y, by_w = jax.grad(lambda y, w: (tconv.conv(y, w, **window) * x).sum(), (0, 1))(jnp.asarray(y), jnp.asarray(w))
    np.testing.assert_array_equal(by_y, tconv.conv_transpose(x, w, **window))
    np.testing.assert_array_equal(by_w, tconv.weight_gradient(x, y, 3, **window))
    across = lambda x, y: (tconv.weight_gradient(x, y, 3, **window) * w).sum()  # noqa: E731
    by_x, by_y = jax.grad(across, (0, 1))(jnp.asarray(x), jnp.asarray(y))
    np.testing.assert_array_equal(by_x, tconv.conv(y, w, **window))
    np.testing.assert_array_equal(by_y, tconv.conv_transpose(x, w, **window))


#: get_config() of Conv2DTranspose(8, 5, strides=2, padding="same") in Keras 3.15, shortened where it says nothing.
CONFIG = {
    "name": "up", "trainable": True, "dtype": {"class_name": "DTypePolicy", "config": {"name": "float32"}},
    "filters": 8, "kernel_size": (5, 5), "strides": (2, 2), "padding": "same", "output_padding": None,
    "data_format": "channels_last", "dilation_rate": (1, 1), "activation": "linear", "use_bias": True,
    "kernel_initializer": {"class_name": "GlorotUniform", "config": {}}, "bias_initializer": {"class_name": "Zeros"},
    "kernel_regularizer": None, "bias_regularizer": None, "activity_regularizer": None, "kernel_constraint": None,
}  # fmt: skip


def test_a_keras_layer_as_it_is_held(capsys):
    saying = tconv.convert(CONFIG, source="tensorflow", target="pytorch", in_channels=4)
    assert (saying.exact, saying.crop) == (False, ((0, 1), (0, 1)))
    assert any("padding=2 with output_padding=1 gives the same size but a shifted result" in n for n in saying.notes)
    code = printed(capsys, ["convert", "--from", "tf", "--to", "pytorch", "--in-channels", "4", str(CONFIG)])
    kernel, b, x = small(5, 5, 8, 4), small(8), small(1, 6, 7, 4)
    names = {"kernel": kernel, "b": b, "x": torch.as_tensor(np.ascontiguousarray(np.moveaxis(x, -1, 1)))}
    exec(code, names)
    # Keras documents its layer as the gradient of a convolution: here of lax's, with the same words.
    numbers = ("NHWC", "HWIO", "NHWC")
    down = lambda y: jax.lax.conv_general_dilated(y, kernel, (2, 2), "SAME", dimension_numbers=numbers)  # noqa: E731
    (wanted,) = jax.linear_transpose(down, jax.ShapeDtypeStruct((1, 12, 14, 8), jnp.float32))(x)
    np.testing.assert_array_equal(np.moveaxis(names["y"].detach().numpy(), 1, -1), wanted + b)


def test_prototxt_says_false(capsys):
    code = printed(capsys, ["convert", "--from", "caffe", "--to", "linen", "kernel_size=4", "bias_term=false"])
    assert "use_bias=False" in code


def test_circular_padding_is_told_what_to_do():
    with pytest.raises(ValueError, match="wraps around") as caught:
        tconv.convert({"kernel_size": (4,), "padding": "CIRCULAR"}, source="flax", target="torch")
    assert "put x = numpy.pad(" in str(caught.value)


def test_a_checkpoint_under_weight_norm(tmp_path):
    v, g = small(4, 6, 3) + 0.5, np.arange(1, 5, dtype=np.float32).reshape(4, 1, 1)
    np.savez(tmp_path / "in.npz", **{"up.weight_g": g, "up.weight_v": v, "up.bias": small(6)})
    tconv.convert_weights(tmp_path / "in.npz", tmp_path / "out.npz", source="torch", target="jax", names=["up.weight"])
    with np.load(tmp_path / "out.npz") as arrays:
        assert sorted(arrays) == ["up.bias", "up.weight"]
        lengths = np.sqrt((arrays["up.weight"].astype(float) ** 2).sum((0, 2)))
    np.testing.assert_allclose(lengths, [1, 2, 3, 4], rtol=1e-6)


@pytest.mark.parametrize("size", [25, 250, 251])
def test_the_decoder_of_an_encoder(size):
    convs = [torch.nn.Conv1d(1, 2, 3, 2, 1), torch.nn.Conv1d(2, 2, 4, 2, 1), torch.nn.Conv1d(2, 3, 3, 2, dilation=2)]
    decoder = tconv.mirror(convs, size)
    x, sizes = torch.zeros(1, 1, size), [(size,)]
    for conv in convs:
        x = conv(x)
        sizes.append(tuple(x.shape[2:]))
    assert decoder.sizes == tuple(reversed(sizes))
    for saying, wanted in zip(decoder.say("torch"), decoder.sizes[1:], strict=True):
        assert saying.exact
        x = torch.nn.ConvTranspose1d(**saying.parameters)(x)
        assert tuple(x.shape[2:]) == wanted
