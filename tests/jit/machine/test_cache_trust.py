"""Compiled kernels on disk that another user may have written are refused, with one warning."""

import os

import pytest
import tiny_kernel
from needs import needs_links, needs_modes

from tconv.jit.machine import cache

KEY, OTHER, COMPILER = "0" * 64, "1" * 64, "c" * 16


def entry(folder):
    [path] = folder.iterdir()
    return path


def works(machine):
    return tiny_kernel.error(machine) < 1e-5


def refused(folder, *, at=None):
    """Reading warns once, keeps nothing, and code is compiled all the same."""
    with pytest.warns(RuntimeWarning) as caught:
        assert cache.read(KEY, COMPILER) is None
    assert cache.read(KEY, COMPILER) is None  # a second warning would be an error
    cache.write(OTHER, COMPILER, b"content")
    assert not (folder / f"{OTHER}-{COMPILER}.tconv").exists()
    assert works(tiny_kernel.fresh())
    [warning] = caught
    prefix = "tconv does not use its cache of compiled kernels: "
    text = str(warning.message)
    assert text.startswith(f"{prefix}{at or folder} ")
    info = cache.info()
    assert (info.in_use, info.reason) == (False, text.removeprefix(prefix))
    return text.removeprefix(f"{prefix}{at or folder} ")


@needs_modes
@pytest.mark.parametrize("mode", [0o770, 0o702, 0o777])
def test_a_folder_that_others_can_write_to(folder, mode):
    cache.write(KEY, COMPILER, b"content")
    folder.chmod(mode)
    assert refused(folder) == f"can be written by others (mode {mode:04o}); if nobody has, run chmod go-w {folder}"


@needs_modes
def test_a_folder_that_others_can_write_to_without_the_entry(folder):
    """Nothing is read from it, and who writes finds out."""
    cache.write(KEY, COMPILER, b"content")
    folder.chmod(0o777)
    assert cache.read(OTHER, COMPILER) is None
    with pytest.warns(RuntimeWarning, match=r"can be written by others \(mode 0777\)"):
        cache.write(OTHER, COMPILER, b"content")
    assert cache.read(KEY, COMPILER) is None


@needs_modes
def test_an_entry_that_others_can_write_to(folder):
    cache.write(KEY, COMPILER, b"content")
    path = entry(folder)
    path.chmod(0o620)
    told = refused(folder, at=path)
    assert told == f"can be written by others (mode 0620); if nobody has, run chmod go-w {path}"


@needs_links
def test_a_folder_that_is_a_link(folder):
    cache.write(KEY, COMPILER, b"content")
    folder.rename(folder.with_name("elsewhere"))
    folder.symlink_to(folder.with_name("elsewhere"))
    assert refused(folder) == "is a symbolic link; remove it, or set TCONV_CACHE_DIR to a folder"


@needs_links
def test_an_entry_that_is_a_link(folder):
    cache.write(KEY, COMPILER, b"content")
    path = entry(folder)
    path.rename(folder.with_name("elsewhere"))
    path.symlink_to(folder.with_name("elsewhere"))
    assert refused(folder, at=path) == "is a symbolic link; remove it, or set TCONV_CACHE_DIR to a folder"


@needs_modes
def test_a_folder_of_someone_else(folder, monkeypatch):
    cache.write(KEY, COMPILER, b"content")
    owner = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
    assert refused(folder) == (
        f"belongs to user {owner} and this process to user {owner + 1}; set TCONV_CACHE_DIR to a folder of your own"
    )


@needs_modes
def test_an_entry_of_someone_else(folder, monkeypatch):
    cache.write(KEY, COMPILER, b"content")
    path, owner, real = entry(folder), os.geteuid(), os.fstat

    def other(handle):
        fields = list(real(handle))
        fields[4] = owner + 1
        return os.stat_result(fields)

    monkeypatch.setattr(os, "fstat", other)
    with pytest.warns(RuntimeWarning, match="belongs to user") as caught:
        assert cache.read(KEY, COMPILER) is None
    assert f"{path} belongs to user {owner + 1} and this process to user {owner}; " in str(caught[0].message)
