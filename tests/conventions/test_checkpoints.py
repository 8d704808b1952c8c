"""Checkpoints of PyTorch: all that they hold is read as PyTorch reads it, and nothing in them runs."""

import os
import pickle
import struct
import subprocess
import sys
import zipfile

import numpy as np
import pytest

import tconv
from tconv.checks import Rejected
from tconv.conventions import weight_files

torch = pytest.importorskip("torch", exc_type=ModuleNotFoundError)
ml_dtypes = pytest.importorskip("ml_dtypes", exc_type=ModuleNotFoundError)


def read(path):
    return weight_files.read(path).arrays


@pytest.fixture
def saved(tmp_path):
    """What is read back of something that torch.save has written."""

    def call(value, name="model.pt", **keywords):
        torch.save(value, tmp_path / name, **keywords)
        return read(tmp_path / name)

    return call


def as_array(tensor):
    if tensor.dtype in (torch.bfloat16, torch.float8_e4m3fn, torch.float8_e5m2):
        return tensor.view(torch.uint8 if tensor.itemsize == 1 else torch.uint16).numpy()
    return tensor.numpy()


def same(array, tensor):
    whole = np.array(as_array(tensor))
    assert array.dtype.name == str(tensor.dtype).removeprefix("torch.")
    assert array.shape == whole.shape
    assert array.flags.c_contiguous
    assert array.tobytes() == whole.tobytes()


def test_a_state_dict(saved):
    model = torch.nn.Sequential(torch.nn.ConvTranspose2d(6, 4, 3), torch.nn.BatchNorm2d(4), torch.nn.Linear(4, 2))
    for given in (model, model.to(memory_format=torch.channels_last), model.half()):
        found = saved(given.state_dict())
        assert list(found) == list(given.state_dict())
        for name, tensor in given.state_dict().items():
            same(found[name], tensor)


@pytest.mark.parametrize("dtype", [*weight_files.checkpoints._STORAGES.values(), *weight_files.checkpoints._DTYPES])
def test_every_dtype(saved, dtype):
    tensor = torch.arange(6).reshape(2, 3).to(getattr(torch, dtype))
    same(saved({"w": tensor})["w"], tensor)


def test_views_of_one_storage(saved):
    whole = torch.arange(60.0).reshape(3, 4, 5)
    views = {
        "part": whole[1:, ::2, 3:],
        "turned": whole.permute(2, 0, 1),
        "spread": whole[0, 0, :1].expand(7),
        "one": whole[2, 3, 4],
        "none": whole[:0],
        "parameter": torch.nn.Parameter(whole[1]),
    }
    found = saved(views)
    for name, view in views.items():
        same(found[name], view.detach())


def test_dictionaries_within(saved):
    model = torch.nn.ConvTranspose1d(2, 3, 2)
    optimizer = torch.optim.Adam(model.parameters())
    model(torch.ones(1, 2, 4)).sum().backward()
    optimizer.step()
    whole = {"epoch": 3, "loss": 0.5, "note": "x", "list": [1, (2,)], "model": model.state_dict()}
    found = saved(whole | {"optimizer": optimizer.state_dict()}, "model.pth")
    same(found["model.weight"], model.weight.detach())
    assert "optimizer.state.0.exp_avg" in found
    same(saved(torch.ones(2, 3))["tensor"], torch.ones(2, 3))


def test_they_are_converted(tmp_path):
    layer = torch.nn.ConvTranspose2d(16, 8, 4)
    torch.save({"net": layer.state_dict()}, tmp_path / "model.pt")
    done = tconv.convert_weights(tmp_path / "model.pt", tmp_path / "k.npz", source="torch", target="keras")
    assert done.summary.startswith("1 of 2 arrays")
    assert np.array_equal(np.load(tmp_path / "k.npz")["net.weight"], layer.weight.detach().permute(2, 3, 1, 0))
    with pytest.raises(ValueError, match=r"got 'o\.pt'; PyTorch reads \.safetensors too"):
        tconv.convert_weights(tmp_path / "model.pt", tmp_path / "o.pt", source="torch", target="keras")


def test_it_takes_no_torch(tmp_path):
    torch.save({"w": torch.ones(4, 3, 2)}, tmp_path / "model.pt")
    program = f"""if True:
        import sys
        sys.modules["torch"] = None
        import tconv
        tconv.convert_weights({str(tmp_path / "model.pt")!r}, {str(tmp_path / "o.npy")!r}, source="torch", target="jax")
    """
    subprocess.run([sys.executable, "-c", program], check=True)
    assert np.load(tmp_path / "o.npy").shape == (2, 4, 3)


# -- what is refused ---------------------------------------------------------------------------------------------------

MUST = "w.pt must hold tensors by name, as torch.save(model.state_dict(), path) writes; "


@pytest.fixture
def refusal(tmp_path):
    def call(content):
        path = tmp_path / "w.pt"
        if isinstance(content, bytes):
            path.write_bytes(content)
        with pytest.raises(Rejected) as caught:
            read(path)
        return str(caught.value)

    return call


def test_what_could_run_is_refused(tmp_path, refusal):
    torch.save(torch.nn.Linear(2, 2), tmp_path / "w.pt")
    assert refusal(None) == MUST + "it names torch.nn.modules.linear.Linear, and what a pickle names can run any code"


def test_what_is_something_else_is_refused(tmp_path, refusal):
    old = "w.pt must be a zip archive, as PyTorch 1.6 or newer writes it"
    torch.save({"w": torch.ones(2)}, tmp_path / "w.pt", _use_new_zipfile_serialization=False)
    assert refusal(None).startswith(old)
    assert refusal(b"").startswith(old)
    torch.save({"w": torch.ones(2)}, tmp_path / "w.pt")
    whole = (tmp_path / "w.pt").read_bytes()
    assert refusal(whole[: len(whole) // 2]).startswith(old)
    torch.save({"epoch": 3}, tmp_path / "w.pt")
    assert refusal(None) == f"{MUST}there is none"
    np.savez(tmp_path / "w.npz", w=np.ones(3))
    assert refusal((tmp_path / "w.npz").read_bytes()) == f"{MUST}it has no data.pkl"


def test_damage_is_refused_or_harmless(tmp_path, refusal):
    torch.save({"w": torch.ones(2, 3)}, tmp_path / "w.pt")
    whole = bytearray((tmp_path / "w.pt").read_bytes())
    start = whole.index(b"data.pkl") + 8
    for place in range(start, start + 250):
        broken = bytes([*whole[:place], whole[place] ^ 0x41, *whole[place + 1 :]])
        (tmp_path / "w.pt").write_bytes(broken)
        try:
            read(tmp_path / "w.pt")
        except Rejected:
            continue


def text(value):
    return b"X" + struct.pack("<I", len(value)) + value.encode()


def whole(number):
    return b"J" + struct.pack("<i", number)


STORAGE = b"(" + text("storage") + b"ctorch\nFloatStorage\n" + text("0") + text("cpu") + b"K\x04tQ"


def tensor(offset, shape, stride):
    parts = whole(offset) + whole(shape) + b"\x85" + whole(stride) + b"\x85\x89N"
    return b"ctorch._utils\n_rebuild_tensor_v2\n(" + STORAGE + parts + b"tR"


def changed(offset, dtype):
    """A tensor whose fields are set once more, after it was made."""
    return (
        tensor(0, 4, 1)
        + b"]("
        + STORAGE
        + whole(offset)
        + whole(4)
        + b"\x85"
        + whole(1)
        + b"\x85"
        + text(dtype)
        + b"eb"
    )


UNSOUND = f"{MUST}'w' is no tensor of a known type"


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (tensor(0, 5, 1), f"{MUST}'w' reaches beyond its storage"),
        (tensor(1, 2, 3), f"{MUST}'w' reaches beyond its storage"),
        (tensor(3, 2, -1), UNSOUND),
        (tensor(-1, 2, 1), UNSOUND),
        (changed(-100, "float32"), UNSOUND),
        (changed(0, "object"), UNSOUND),
        (changed(2, "float32"), f"{MUST}'w' reaches beyond its storage"),
        (tensor(0, 4, 1).replace(text("0"), text("../data.pkl")), f"{MUST}storage '../data.pkl' is missing"),
        (tensor(0, 4, 1).replace(b"FloatStorage", b"Storage"), None),
        (
            b"cos\nsystem\n" + text("true") + b"\x85R",
            f"{MUST}it names os.system, and what a pickle names can run any code",
        ),
        (b"cbuiltins\neval\n", f"{MUST}it names builtins.eval, and what a pickle names can run any code"),
        (b"h\x00", f"{MUST}there is none"),
        (b"Q", f"{MUST}its data.pkl is broken"),
    ],
)
def test_pickles_written_by_hand(tmp_path, refusal, value, reason):
    with zipfile.ZipFile(tmp_path / "w.pt", "w") as archive:
        archive.writestr("w/data.pkl", b"\x80\x02}q\x00" + text("w") + value + b"s.")
        archive.writestr("w/data/0", np.arange(4, dtype=np.float32).tobytes())
    said = refusal(None)
    assert said.startswith(reason or MUST)


def test_what_would_not_fit_is_refused(tmp_path, refusal, monkeypatch):
    torch.save({"w": torch.ones(1).expand(2**40)}, tmp_path / "w.pt")
    assert refusal(None).startswith("the tensors of w.pt must fit into memory")
    with zipfile.ZipFile(tmp_path / "w.pt", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("w/data.pkl", bytes(2**26 + 1))
    assert refusal(None).startswith(f"{MUST}its data.pkl has 64.0 MiB")


def test_big_endian_numbers(tmp_path):
    with zipfile.ZipFile(tmp_path / "w.pt", "w") as archive:
        archive.writestr("w/data.pkl", b"\x80\x02}" + text("w") + tensor(0, 4, 1) + b"s.")
        archive.writestr("w/data/0", np.arange(4, dtype=">f4").tobytes())
        archive.writestr("w/byteorder", "big")
    assert read(tmp_path / "w.pt")["w"].tolist() == [0, 1, 2, 3]


def test_the_pickle_that_runs_is_known_to_run(tmp_path):
    """What an ordinary unpickler would call."""
    pickle.loads(pickle.dumps(Probe(os.fspath(tmp_path / "ran"))))
    assert (tmp_path / "ran").exists()
    torch.save({"w": torch.ones(2), "x": Probe(os.fspath(tmp_path / "again"))}, tmp_path / "w.pt")
    with pytest.raises(Rejected, match="can run any code"):
        read(tmp_path / "w.pt")
    assert not (tmp_path / "again").exists()


class Probe:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (self.path,)
