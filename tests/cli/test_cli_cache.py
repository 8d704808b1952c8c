"""`tconv cache`: what is kept, whether it is used, and clearing it."""

import pytest
from needs import needs_modes

from tconv.jit.machine import cache


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Two entries, and a file that is none."""
    monkeypatch.setenv("TCONV_CACHE_DIR", str(tmp_path / "kernels"))
    monkeypatch.setenv("COLUMNS", "400")
    monkeypatch.setattr(cache, "_distrusted", {})
    for digit in "01":
        cache.write(digit * 64, "c" * 16, bytes(984))
    (tmp_path / "kernels" / "notes.txt").write_text("mine")
    return tmp_path / "kernels"


def test_info(run, folder):
    assert run("cache info") == (0, f"folder  {folder}\nkept    2 entries, 2.0 KiB\nin use  yes\n", "")


def test_info_as_json(run_json, folder):
    assert run_json("cache", "info") == {
        "folder": str(folder),
        "entries": 2,
        "bytes": 2048,
        "in_use": True,
        "reason": "",
    }


@needs_modes
def test_info_says_why_a_folder_is_not_used(run, run_json, folder):
    folder.chmod(0o777)
    reason = f"{folder} can be written by others (mode 0777); if nobody has, run chmod go-w {folder}"
    assert run("cache info")[1].endswith(f"\nin use  no: {reason}\n")
    told = run_json("cache", "info")
    assert (told["in_use"], told["reason"]) == (False, reason)


def test_clear(run, run_json, folder):
    assert run("cache clear") == (0, f"2 entries removed from {folder}\n", "")
    assert [path.name for path in folder.iterdir()] == ["notes.txt"]
    assert run_json("cache", "clear") == {"folder": str(folder), "removed": 0}


def test_a_file_in_place_of_the_folder_cannot_be_cleared(run, monkeypatch, tmp_path):
    monkeypatch.setenv("TCONV_CACHE_DIR", str(tmp_path / "file"))
    (tmp_path / "file").write_text("not a folder")
    code, out, err = run("cache clear")
    assert (code, out) == (1, "")
    assert err.startswith(f"tconv cache: {tmp_path / 'file'}: ")


def test_without_a_home(run, run_json, monkeypatch):
    monkeypatch.setattr(cache, "place", lambda: None)
    assert run_json("cache", "info")["folder"] is None
    assert run("cache clear") == (0, "0 entries removed\n", "")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [("", "ACTION must be given"), ("remove", "ACTION must be info or clear; got 'remove'")],
)
def test_wrong_actions_are_usage_errors(run, arguments, message):
    assert run(f"cache {arguments}") == (2, "", f"tconv cache: {message}\nTry 'tconv cache --help'.\n")
