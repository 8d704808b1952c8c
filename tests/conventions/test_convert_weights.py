"""Weights of files in another layout: what is chosen, kept and refused, and files that strangers made."""

from __future__ import annotations

import io
import json
import struct
import zipfile
from contextlib import suppress

import numpy as np
import pytest
from needs import needs_links

import tconv
from tconv.conventions import DIALECTS, weight_files, weight_from_tconv
from tconv.conventions.weight_files import Contents, read, write

safetensors = pytest.importorskip("safetensors.numpy", exc_type=ModuleNotFoundError)
ml_dtypes = pytest.importorskip("ml_dtypes", exc_type=ModuleNotFoundError)
RNG = np.random.default_rng(0)
W = RNG.normal(size=(4, 3, 5, 6)).astype(np.float32)
BIAS = np.arange(6, dtype=np.float64)


@pytest.fixture
def model(tmp_path):
    """A file of two layers, one of them with a bias, something that is no layer, and notes."""
    arrays = {"up1.weight": W, "up1.bias": BIAS, "up2.weight": W[:2].astype(ml_dtypes.bfloat16)}
    path = tmp_path / "model.safetensors"
    write(path, Contents({**arrays, "step": np.array(7), "file": np.zeros((2, 2), np.int8)}, {"format": "pt"}))
    return path


def same(a, b):
    assert (a.dtype, a.shape) == (b.dtype, b.shape)
    np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("source", DIALECTS)
@pytest.mark.parametrize("target", DIALECTS)
@pytest.mark.parametrize("groups", [1, 2])
def test_every_pair_of_dialects(tmp_path, source, target, groups):
    np.save(tmp_path / "w.npy", weight_from_tconv(W, source, groups=groups))
    done = tconv.convert_weights(tmp_path / "w.npy", tmp_path / "out.npz", source=source, target=target, groups=groups)
    expected = weight_from_tconv(W, target, groups=groups)
    with np.load(tmp_path / "out.npz") as archive:
        assert archive.files == ["w"]
        same(archive["w"], expected)
    assert (done.arrays[0].after, done.arrays[0].is_weights) == (expected.shape, True)


@pytest.mark.parametrize("suffix", [".npz", ".safetensors"])
def test_names_choose_and_the_rest_is_copied(tmp_path, model, suffix):
    path = tmp_path / f"model{suffix}"
    if suffix == ".npz":
        arrays = {name: array for name, array in read(model).arrays.items() if name != "up2.weight"}
        path = tmp_path / "some.npz"
        write(path, Contents(arrays))
    before = path.read_bytes()
    done = tconv.convert_weights(path, tmp_path / f"out{suffix}", source="torch", target="keras", names=["up1.*"])
    assert path.read_bytes() == before
    assert {array.name for array in done.arrays if array.is_weights} == {"up1.weight"}
    found, given = read(tmp_path / f"out{suffix}"), read(path)
    assert found.metadata == given.metadata == ({"format": "pt"} if suffix == ".safetensors" else {})
    assert found.arrays.keys() == given.arrays.keys()
    same(found.arrays["up1.weight"], np.moveaxis(W, (0, 1), (3, 2)))
    for name in given.arrays.keys() - {"up1.weight"}:
        same(found.arrays[name], given.arrays[name])


def test_bfloat16_stays_what_it_is(tmp_path, model):
    output = tmp_path / "out.safetensors"
    tconv.convert_weights(model, output, source="torch", target="jax", names=["up2.weight", "up1.weight"])
    w = W[:2].astype(ml_dtypes.bfloat16)
    same(read(output).arrays["up2.weight"], np.flip(w, (2, 3)).transpose(2, 3, 0, 1))
    with pytest.raises(ValueError) as caught:
        tconv.convert_weights(model, tmp_path / "out.npz", source="torch", target="jax", names=["up2.weight"])
    assert str(caught.value).startswith(
        "convert_weights: output must be a .safetensors file to hold bfloat16, which 'up2.weight' is of; NumPy's do not"
    )
    assert not (tmp_path / "out.npz").exists()


def test_what_pytorch_reads_and_writes(tmp_path):
    torch = pytest.importorskip("torch", exc_type=ModuleNotFoundError)
    from safetensors.torch import load_file, save_file

    layer = torch.nn.ConvTranspose1d(4, 6, 3, dtype=torch.bfloat16)
    save_file(layer.state_dict(), tmp_path / "torch.safetensors")
    tconv.convert_weights(tmp_path / "torch.safetensors", tmp_path / "k.safetensors", source="torch", target="keras")
    assert torch.equal(load_file(tmp_path / "k.safetensors")["weight"], layer.weight.permute(2, 1, 0))
    tconv.convert_weights(tmp_path / "k.safetensors", tmp_path / "back.safetensors", source="keras", target="torch")
    layer.load_state_dict(load_file(tmp_path / "back.safetensors"))


@pytest.mark.parametrize("dim", [0, 1, None])
@pytest.mark.parametrize("new", [False, True])
@pytest.mark.filterwarnings("ignore:.*weight_norm")
def test_the_halves_of_weight_norm_are_joined(tmp_path, new, dim):
    torch = pytest.importorskip("torch", exc_type=ModuleNotFoundError)
    from safetensors.torch import save_file

    norm = torch.nn.utils.parametrizations.weight_norm if new else torch.nn.utils.weight_norm
    model = torch.nn.Sequential(
        norm(torch.nn.ConvTranspose1d(4, 6, 3), dim=dim), norm(torch.nn.Conv1d(6, 2, 3)), torch.nn.Linear(2, 2)
    )
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith(("_g", "original0")):
                parameter.mul_(2)
    save_file(model.state_dict(), tmp_path / "torch.safetensors")
    model[0](torch.zeros(1, 4, 5))  # as it is called, the old one computes its weight
    weight = model[0].weight.detach().numpy()
    output = tmp_path / "keras.safetensors"
    said = {"source": "torch", "target": "keras", "names": ["0.weight"]}
    done = tconv.convert_weights(tmp_path / "torch.safetensors", output, **said)
    arrays = read(output).arrays
    np.testing.assert_allclose(arrays["0.weight"], weight.transpose(2, 1, 0), rtol=1e-6)
    assert arrays["0.weight"].dtype == np.float32
    # Of the rest nothing is joined: it is copied.
    other = ("1.parametrizations.weight.original0", "1.parametrizations.weight.original1")
    assert set(arrays) == {
        "0.weight",
        "0.bias",
        "1.bias",
        "2.weight",
        "2.bias",
        *(other if new else ("1.weight_g", "1.weight_v")),
    }
    (row,) = (array.row() for array in done.arrays if array.is_weights)
    assert row == ["0.weight", "float32", "4x6x3", "3x6x4", "joined from g and v, converted"]
    with pytest.raises(ValueError) as caught:
        tconv.convert_weights(tmp_path / "torch.safetensors", output, source="torch", target="keras")
    assert 'there may be "0.weight", "1.weight"\n' in str(caught.value)


def test_halves_that_do_not_fit(tmp_path):
    np.savez(tmp_path / "in.npz", weight_g=np.ones((3, 1, 1)), weight_v=W[:, :, :, 0])
    with pytest.raises(ValueError) as caught:
        tconv.convert_weights(tmp_path / "in.npz", tmp_path / "out.npz", source="torch", target="keras")
    assert str(caught.value).startswith(
        "convert_weights: 'weight' must have a g with an entry for each slice of its v; got (3, 1, 1) and (4, 3, 5)"
    )


def test_dilation_is_written_out_where_there_is_none(tmp_path):
    np.save(tmp_path / "w.npy", W)
    there = {"source": "onnx", "target": "tflite", "groups": 2, "dilation": (2, 1)}
    tconv.convert_weights(tmp_path / "w.npy", tmp_path / "lite.npy", **there)
    same(np.load(tmp_path / "lite.npy"), weight_from_tconv(W, "tflite", groups=2, dilation=(2, 1)))
    back = {**there, "source": "tflite", "target": "jax"}
    tconv.convert_weights(tmp_path / "lite.npy", tmp_path / "jax.npy", **back)
    same(np.load(tmp_path / "jax.npy"), weight_from_tconv(W, "jax", groups=2))
    with pytest.raises(ValueError) as caught:
        tconv.convert_weights(tmp_path / "lite.npy", tmp_path / "no.npy", **{**back, "groups": 4})
    assert str(caught.value).partition("\n")[0] == (
        "convert_weights: 'lite' cannot be converted: groups must divide the output channels of w = 6; got 4"
    )


def test_jax_with_and_without_transpose_kernel(tmp_path):
    np.save(tmp_path / "w.npy", W)
    for transposed in (False, True):
        said = {"source": "tconv", "target": "jax", "transpose_kernel": transposed}
        tconv.convert_weights(tmp_path / "w.npy", tmp_path / "jax.npy", **said)
        same(np.load(tmp_path / "jax.npy"), weight_from_tconv(W, "jax", transpose_kernel=transposed))


@pytest.mark.parametrize(
    ("output", "keywords", "kind", "message"),
    [
        ("out.h5", {}, ValueError, "output must end in .npy, .npz or .safetensors; got 'out.h5'"),
        ("model.safetensors", {}, ValueError, "output must be another file than path; got"),
        ("o.npz", {"source": "cntk"}, ValueError, 'source must be one of "tconv", "torch", "keras", "onnx", "jax", '),
        (
            "o.npz",
            {"names": None},
            ValueError,
            "names must say which arrays are weights of transposed convolutions; there may be "
            '"up1.weight", "up2.weight"',
        ),
        (
            "o.npz",
            {"names": "up1.weight"},
            TypeError,
            "names must be a sequence of names or patterns; got 'up1.weight'",
        ),
        (
            "o.npz",
            {"names": ["up1.bias"]},
            ValueError,
            "names must be of arrays of at least 3 axes; 'up1.bias' has 1 axis",
        ),
        (
            "o.npz",
            {"names": ["down*"]},
            ValueError,
            'names must be of arrays of at least 3 axes, which are "up1.weight", "up2.weight"; got \'down*\'',
        ),
        ("o.npy", {}, ValueError, "output must be a .npz or .safetensors file to hold 2 arrays; a .npy file holds one"),
        (
            "o.npz",
            {"transpose_kernel": True},
            ValueError,
            'transpose_kernel must be left out where neither source nor target is one of "jax", "flax", "nnx"',
        ),
        (
            "o.npz",
            {"groups": 0},
            ValueError,
            "'up1.weight' cannot be converted: groups must be an integer of at least 1",
        ),
    ],
)
def test_wrong_arguments(tmp_path, model, output, keywords, kind, message):
    before = sorted(tmp_path.iterdir())
    said = {"source": "torch", "target": "keras", "names": ["up*.weight"], **keywords}
    with pytest.raises(kind) as caught:
        tconv.convert_weights(model, tmp_path / output, **said)
    text = str(caught.value).partition("\n")[0].removeprefix("convert_weights: ")
    assert text.startswith(message)
    assert sorted(tmp_path.iterdir()) == before


@needs_links
def test_the_input_is_never_the_output_through_a_link(tmp_path, model):
    (tmp_path / "link.safetensors").symlink_to(model)
    with pytest.raises(ValueError, match="output must be another file than path"):
        tconv.convert_weights(model, tmp_path / "link.safetensors", source="torch", target="keras", names=["*"])


def test_the_input_is_never_the_output(tmp_path, model):
    with pytest.raises(FileNotFoundError, match="No such folder"):
        tconv.convert_weights(model, tmp_path / "no" / "o.safetensors", source="torch", target="keras", names=["*"])
    with pytest.raises(FileNotFoundError):
        tconv.convert_weights(tmp_path / "none.npz", tmp_path / "o.npz", source="torch", target="keras")


def refusal(path):
    with pytest.raises((ValueError, MemoryError)) as caught:
        tconv.convert_weights(path, path.parent / "refused.npz", source="torch", target="keras", names=["*"])
    assert not (path.parent / "refused.npz").exists()
    return str(caught.value).partition("\n")[0].removeprefix("convert_weights: ")


def header(shape, descr="<f4"):
    """The beginning of a .npy file."""
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, {"shape": shape, "fortran_order": False, "descr": descr})
    return file.getvalue()


def test_pickled_objects_are_refused(tmp_path):
    np.save(tmp_path / "w.npy", np.array([print, None], object), allow_pickle=True)
    np.savez(tmp_path / "w.npz", w=np.array([print, None], object))
    for name, said in (("w.npy", "w.npy"), ("w.npz", "w.npy")):
        assert refusal(tmp_path / name) == (
            f"{said} must hold numbers; it holds pickled objects, which can run any code when they are read"
        )


def test_absurd_sizes_are_refused_before_anything_is_allocated(tmp_path, monkeypatch):
    (tmp_path / "w.npy").write_bytes(header((2**40, 2**20, 3)) + bytes(8))
    assert refusal(tmp_path / "w.npy").startswith(
        "w.npy must hold as many bytes as its shape (1099511627776, 1048576, 3) and its type float32 say; it has"
    )
    (tmp_path / "w.npy").write_bytes(header((-1, 2, 3)) + bytes(24))
    assert refusal(tmp_path / "w.npy").startswith("w.npy must hold as many bytes as its shape (-1, 2, 3)")
    member = header((2, 2, 3)) + bytes(48)
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("w.npy", member)
    said, huge = struct.pack("<I", len(member)), struct.pack("<I", 2**32 - 2)
    assert content.getvalue().count(said) == 4  # sizes packed and not, before the member and in the directory
    (tmp_path / "bomb.npz").write_bytes(content.getvalue().replace(said, huge))
    monkeypatch.setattr(tconv.checks, "physical_memory", lambda: 2**31)
    assert refusal(tmp_path / "bomb.npz") == (
        "the arrays of bomb.npz must fit into memory, 2.0 GiB; it would take 4.0 GiB"
    )


def safe(entries, content=b""):
    text = entries if isinstance(entries, bytes) else json.dumps(entries).encode()
    return struct.pack("<Q", len(text)) + text + content


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"1234567",
        struct.pack("<Q", 2**63),
        struct.pack("<Q", 99),
        safe(b"{"),
        safe({"w": {"dtype": "F32", "shape": [2**40, 2**40, 2], "data_offsets": [0, 8]}}, bytes(8)),
        safe({"w": {"dtype": "F32", "shape": [2, 1, 1], "data_offsets": [0, 8]}}, bytes(4)),
        safe({"w": {"dtype": "F32", "shape": [1, 1, 1], "data_offsets": [0, 4]}}, bytes(400)),
    ],
)
def test_safetensors_that_are_none(tmp_path, content):
    (tmp_path / "w.safetensors").write_bytes(content)
    assert refusal(tmp_path / "w.safetensors").startswith("w.safetensors must be a whole .safetensors file; ")


def test_types_that_nothing_can_hold(tmp_path):
    (tmp_path / "w.safetensors").write_bytes(safe({"w": {"dtype": "F4", "shape": [2], "data_offsets": [0, 1]}}, b"1"))
    assert refusal(tmp_path / "w.safetensors").endswith("'w' is one of F4")
    np.savez(tmp_path / "w.npz", w=W.astype(complex))
    with pytest.raises(ValueError, match=r"output must be a \.npz file to hold complex128, which 'w' is of"):
        tconv.convert_weights(tmp_path / "w.npz", tmp_path / "o.safetensors", source="torch", target="keras")


@pytest.mark.parametrize("name", ["w.npy", "w.npz", "w.safetensors"])
def test_every_truncated_file_is_refused(tmp_path, name):
    write(tmp_path / name, Contents({"w": W[:1, :1]}))
    content = (tmp_path / name).read_bytes()
    for length in range(0, len(content), 7):
        (tmp_path / name).write_bytes(content[:length])
        assert " must " in refusal(tmp_path / name)


@pytest.mark.parametrize("name", ["w.npy", "w.npz", "w.safetensors"])
def test_damaged_files_are_read_or_refused(tmp_path, name):
    write(tmp_path / name, Contents({"w": W[:1, :1]}))
    whole, rng = (tmp_path / name).read_bytes(), np.random.default_rng(1)
    for _ in range(300):
        content = bytearray(whole)
        for place in rng.integers(0, len(content), rng.integers(1, 4)):
            content[place] = rng.integers(0, 256)
        (tmp_path / name).write_bytes(bytes(content))
        with suppress(tconv.checks.Rejected):  # anything else is an error
            weight_files.read(tmp_path / name)


def test_archives_of_other_things(tmp_path):
    with zipfile.ZipFile(tmp_path / "w.npz", "w") as archive:
        archive.writestr("readme.txt", "hello")
    assert refusal(tmp_path / "w.npz") == "w.npz must hold arrays and nothing else; 'readme.txt' is none"


def test_fortran_order_and_foreign_byte_order_and_scalars(tmp_path):
    arrays = {"w": np.asfortranarray(W), "big": BIAS.astype(">f4"), "one": np.array(3.0), "none": np.zeros((0, 2))}
    np.savez(tmp_path / "w.npz", **arrays)
    for name in ("o.npz", "o.safetensors"):
        tconv.convert_weights(tmp_path / "w.npz", tmp_path / name, source="torch", target="tflite")
        found = read(tmp_path / name).arrays
        same(found["w"], W.transpose(1, 2, 3, 0))
        np.testing.assert_array_equal(found["big"], BIAS)
        assert found["big"].dtype.itemsize == 4
        assert (found["one"].shape, found["none"].shape) == ((), (0, 2))


def test_without_the_package_the_extra_is_named(tmp_path, model, monkeypatch):
    def missing(name):
        raise ModuleNotFoundError(name)

    monkeypatch.setattr(weight_files, "import_module", missing)
    with pytest.raises(ValueError, match=r"safetensors must be installed: pip install 'tconv\[safetensors\]'"):
        tconv.convert_weights(model, tmp_path / "o.npz", source="torch", target="keras")
