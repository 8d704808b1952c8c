"""Compiled kernels on disk: kept whole, found again, and never a reason to fail."""

import errno
import os
import stat
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import tiny_kernel
from needs import needs_posix_paths, needs_proc

from tconv.jit.machine import cache

KEY, OTHER, COMPILER = "0" * 64, "1" * 64, "c" * 16


def entry(folder):
    [path] = folder.iterdir()
    return path


def works(machine):
    return tiny_kernel.error(machine) < 1e-5


def test_readers_see_whole_entries_while_writers_replace_them(folder):
    contents = [bytes([number]) * 100_000 for number in range(4)]
    none = (None,) if os.name == "nt" else ()  # Windows opens no file in the moment in which it is replaced

    def write(content):
        for _ in range(25):
            cache.write(KEY, COMPILER, content)

    cache.write(KEY, COMPILER, contents[0])
    with ThreadPoolExecutor(4) as pool:
        writers = [pool.submit(write, content) for content in contents]
        while not all(writer.done() for writer in writers):
            assert cache.read(KEY, COMPILER) in (*contents, *none)
    entry(folder)


@pytest.mark.parametrize(
    "harm",
    [
        lambda raw: b"",
        lambda raw: raw[:20],
        lambda raw: raw[:-1],
        lambda raw: raw + b"\0",
        lambda raw: os.urandom(len(raw)),
        lambda raw: raw[:500] + bytes([raw[500] ^ 1]) + raw[501:],
        lambda raw: bytes([raw[0] ^ 1]) + raw[1:],
        lambda raw: raw[:20] + bytes([raw[20] ^ 1]) + raw[21:],
    ],
    ids=["empty", "head", "truncated", "longer", "rubbish", "flipped", "magic", "digest"],
)
def test_damaged_entries_are_replaced(folder, harm):
    content = os.urandom(3000)
    cache.write(KEY, COMPILER, content)
    path = entry(folder)
    good = path.read_bytes()
    path.write_bytes(harm(good))
    assert cache.read(KEY, COMPILER) is None
    cache.write(KEY, COMPILER, content)
    assert entry(folder).read_bytes() == good


IN_PLACE = {
    "folder": os.mkdir,
    "pipe": lambda path: os.mkfifo(path, 0o600),
    "device": lambda path: os.mknod(path, 0o600 | stat.S_IFCHR, os.makedev(1, 5)),
}


@needs_proc
@pytest.mark.parametrize("kind", IN_PLACE)
def test_what_is_no_file_is_no_entry(folder, kind):
    """It is not waited for, not kept open, not counted and not removed."""
    cache.write(KEY, COMPILER, b"content")
    entry(folder).unlink()
    try:
        IN_PLACE[kind](folder / f"{KEY}-{COMPILER}.tconv")
    except PermissionError:
        pytest.skip("only root makes devices")
    found = []
    thread = threading.Thread(target=lambda: found.append(cache.read(KEY, COMPILER)), daemon=True)
    thread.start()
    thread.join(30)
    assert found == [None]
    before = os.listdir("/proc/self/fd")
    for _ in range(3):
        assert cache.read(KEY, COMPILER) is None
    assert os.listdir("/proc/self/fd") == before
    cache._shrink(folder)
    assert cache.info() == cache.Info(folder, 0, 0, "")
    assert cache.clear() == 0
    assert works(tiny_kernel.fresh())


def test_an_entry_under_another_name_is_none(folder):
    cache.write(KEY, COMPILER, b"content")
    entry(folder).rename(folder / f"{OTHER}-{COMPILER}.tconv")
    assert cache.read(OTHER, COMPILER) is None


def test_any_compiler_will_do_where_there_is_none(folder):
    cache.write(KEY, COMPILER, b"content")
    assert cache.read(KEY, "d" * 16) is None
    assert cache.read(KEY, None) == b"content"
    assert cache.read(OTHER, None) is None


# ---- places where nothing can be kept


def nothing_is_kept(compiled):
    assert works(tiny_kernel.fresh())
    assert works(tiny_kernel.fresh())
    assert len(compiled) == 2 * len(tiny_kernel.PROGRAM.code.parts)


def test_a_file_in_place_of_the_folder(folder, compiled):
    folder.parent.mkdir()
    folder.write_text("not a folder")
    nothing_is_kept(compiled)
    assert folder.read_text() == "not a folder"
    assert cache.info().reason.startswith(f"{folder}: ")


def test_a_file_above_the_folder(folder, compiled):
    folder.parent.write_text("not a folder")
    nothing_is_kept(compiled)
    assert cache.info().reason != ""


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_is_read_only(folder, compiled):
    folder.mkdir(parents=True, mode=0o500)
    nothing_is_kept(compiled)
    assert cache.info().reason == f"{folder} cannot be written to: its entries are read, none is added"
    folder.chmod(0o700)


@pytest.mark.parametrize("code", [errno.EROFS, errno.EACCES, errno.ENOSPC, errno.EDQUOT])
def test_systems_that_refuse_to_write(folder, compiled, monkeypatch, code):
    """A disk that is read-only or full, whoever asks."""

    def refuse(*_, **__):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "replace", refuse)
    nothing_is_kept(compiled)
    assert list(folder.iterdir()) == []
    monkeypatch.setattr(Path, "mkdir", refuse)
    assert works(tiny_kernel.fresh())


def test_a_user_without_a_home(monkeypatch, compiled):
    monkeypatch.delenv("TCONV_CACHE_DIR")
    for name in ("XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)
    assert cache.place() is None
    nothing_is_kept(compiled)
    assert cache.clear() == 0
    assert cache.info() == cache.Info(None, 0, 0, "there is no home folder; TCONV_CACHE_DIR can name another place")


# ---- where, and how much


@needs_posix_paths
@pytest.mark.parametrize(
    ("platform", "environment", "expected"),
    [
        ("linux", {}, "/home/ada/.cache/tconv"),
        ("linux", {"XDG_CACHE_HOME": "/scratch"}, "/scratch/tconv"),
        ("linux", {"XDG_CACHE_HOME": "relative"}, "/home/ada/.cache/tconv"),
        ("linux", {"XDG_CACHE_HOME": "/scratch", "TCONV_CACHE_DIR": "/here"}, "/here"),
        ("darwin", {"XDG_CACHE_HOME": "/scratch"}, "/home/ada/Library/Caches/tconv"),
        ("win32", {"LOCALAPPDATA": "/local"}, "/local/tconv"),
        ("win32", {}, "/home/ada/AppData/Local/tconv"),
    ],
)
def test_the_place(monkeypatch, platform, environment, expected):
    for name in ("TCONV_CACHE_DIR", "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {"HOME": "/home/ada", **environment}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "platform", platform)
    assert cache.place() == Path(expected)


def test_the_least_recently_used_entries_are_dropped(folder, monkeypatch):
    monkeypatch.setattr(cache, "LIMIT", 10 * 1040)
    keys = [f"{number:064x}" for number in range(11)]
    for age, key in enumerate(keys):
        cache.write(key, COMPILER, bytes(1000))
        if age < 10:
            used = time.time() - 1000 * cache._DAY + age * cache._DAY
            os.utime(folder / f"{key}-{COMPILER}.tconv", (used, used))
            if age == 9:
                assert cache.read(keys[0], COMPILER) is not None  # the oldest, used just now
                assert len(list(folder.iterdir())) == 10
    left = [key for key in keys if cache.read(key, COMPILER) is not None]
    assert left == [keys[0], *keys[5:]]


def test_the_folder_is_looked_through_more_often_the_fuller_it_is(folder, monkeypatch):
    looks, shrink = [], cache._shrink
    monkeypatch.setattr(cache, "_shrink", lambda folder: looks.append(len(list(folder.iterdir()))) or shrink(folder))
    monkeypatch.setattr(cache, "LIMIT", 64 * 1040)
    for number in range(64):
        cache.write(f"{number:064x}", COMPILER, bytes(1000))
    assert looks[:3] == [1, 9, 16]
    assert looks[-7:] == [58, 59, 60, 61, 62, 63, 64]
    assert cache.info().bytes == cache.LIMIT


def test_what_killed_processes_left_is_removed_after_a_while(folder, monkeypatch):
    cache.write(KEY, COMPILER, b"content")
    old, new = (folder / f".{digit * 16}.tconv-new" for digit in "ab")
    for path in (old, new):
        path.write_text("half")
    os.utime(old, (0, 0))
    monkeypatch.setattr(cache, "_room", {})  # as in another process
    cache.write(OTHER, COMPILER, b"content")
    assert not old.exists()
    assert new.exists()


def test_info_and_clear(folder):
    assert cache.info() == cache.Info(folder, 0, 0, "")
    assert cache.clear() == 0
    for key in (KEY, OTHER):
        cache.write(key, COMPILER, bytes(1000))
    (folder / "notes.txt").write_text("mine")
    (folder / f".{'a' * 16}.tconv-new").write_text("half")
    (folder / f"{KEY}.tconv").write_text("mine too")
    assert cache.info() == cache.Info(folder, 2, 2080, "")
    assert cache.clear() == 2
    assert sorted(path.name for path in folder.iterdir()) == [f"{KEY}.tconv", "notes.txt"]
    assert cache.read(KEY, COMPILER) is None
