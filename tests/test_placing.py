"""Files that users name: pipes, sockets, devices and folders are refused at once, by whoever reads or writes."""

import os
import socket
from pathlib import Path
from threading import Thread

import numpy as np
import pytest

import tconv
from tconv.bench.record import Record
from tconv.cli import main
from tconv.conventions import weight_files
from tconv.placing import check_file, check_place, write

pytestmark = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no pipes with names")


def listening(path):
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(path.name)


MAKE = {
    "pipe": lambda path: os.mkfifo(path),
    "socket": listening,
    "device": lambda path: path.symlink_to("/dev/null"),
}


@pytest.fixture
def place(tmp_path, monkeypatch):
    """Something that is no file, by its kind and the extension of its name."""
    monkeypatch.chdir(tmp_path)  # the path of a socket is short

    def make(kind, suffix=""):
        path = tmp_path / f"given{suffix}"
        MAKE[kind](path)
        return path

    return make


def promptly(call):
    """What a call returns or raises; one that waits fails."""
    found = []

    def run():
        try:
            found.append(call())
        except BaseException as error:
            found.append(error)

    thread = Thread(target=run, daemon=True)
    thread.start()
    thread.join(30)
    assert found, "it waits"
    return found[0]


@pytest.mark.parametrize("kind", MAKE)
def test_what_is_no_file(place, kind):
    path = place(kind)
    for check in (check_file, check_place, lambda path: write(path, b"content")):
        with pytest.raises(OSError) as caught:
            check(path)
        assert (caught.value.strerror, caught.value.filename) == (f"Is a {kind}, not a file", str(path))
    assert os.listdir(path.parent) == [path.name]


def test_files_and_links_to_them(tmp_path):
    path, link = tmp_path / "file", tmp_path / "link"
    check_place(path)
    path.write_bytes(b"content")
    link.symlink_to(path)
    for each in (path, link):
        check_file(each)
        check_place(each)
    path.unlink()
    with pytest.raises(FileNotFoundError):
        check_file(link)


def enlarged(path):
    pytest.importorskip("PIL")
    from tconv.pictures import enlarge

    return enlarge(path, path.with_name("out.png"), 2)


def loaded(path):
    pytest.importorskip("onnx")
    return tconv.onnx.load(path)


def fed(path):
    from tconv.cli.models import arrays

    return arrays(path)


READERS = {
    "a picture": (".png", enlarged),
    "a model": (".onnx", loaded),
    "a weight": (".npy", weight_files.read),
    "weights": (".npz", weight_files.read),
    "named weights": (".safetensors", weight_files.read),
    "feeds": (".npz", fed),
    "measurements": (".json", Record.read),
}


@pytest.mark.parametrize(("suffix", "read"), READERS.values(), ids=READERS)
def test_no_reader_waits_at_a_pipe(place, suffix, read):
    path = place("pipe", suffix)
    error = promptly(lambda: read(path))
    assert isinstance(error, OSError)
    assert (error.strerror, error.filename) == ("Is a pipe, not a file", str(path))


COMMANDS = {
    "a picture": (".png", "upsample {} --scale 2 -o out.png"),
    "an enlarged picture": (".png", "upsample picture.png --scale 2 -o {}"),
    "a kernel": (".npy", "upsample picture.png --scale 2 -o out.png --kernel {}"),
    "weights": (".npz", "convert --from torch --to keras --weights {} -o out.npz"),
    "converted weights": (".npz", "convert --from torch --to keras --weights weights.npz -o {}"),
    "a figure": (".png", "demo -o {}"),
    "measurements": (".json", "bench --json {}"),
}


@pytest.mark.parametrize(("suffix", "line"), COMMANDS.values(), ids=COMMANDS)
def test_no_command_waits_at_a_pipe(place, capsys, suffix, line):
    image = pytest.importorskip("PIL.Image")
    image.new("L", (2, 2)).save("picture.png")
    np.savez("weights.npz", w=np.ones((2, 2, 2, 2), np.float32))
    path = place("pipe", suffix)
    code = promptly(lambda: main(line.format(path).split()))
    name = line.split(maxsplit=1)[0]
    assert (code, capsys.readouterr().err) == (1, f"tconv {name}: {path}: Is a pipe, not a file\n")
    assert Path(path).is_fifo()
