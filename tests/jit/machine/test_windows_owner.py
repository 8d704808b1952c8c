"""Who may write to a folder of Windows, read from the bytes in which the system says it, and when a folder is refused.

The system is a few functions that answer as Windows does; `test_on_windows` asks the real one where it is there.
"""

import ctypes
import os
import struct
import sys

import pytest

from tconv.jit.machine import cache, cache_trust, windows_owner

USER, OTHER = "S-1-5-21-1-2-4294967295-1001", "S-1-5-21-1-2-3-1002"
SYSTEM, ADMINISTRATORS, EVERYONE, USERS = "S-1-5-18", "S-1-5-32-544", "S-1-1-0", "S-1-5-32-545"
CREATOR, OWNER_RIGHTS = "S-1-3-0", "S-1-3-4"
ALL, MODIFY, READ = 0x1F01FF, 0x1301BF, 0x1200A9
ALLOW, DENY, ALLOW_OBJECT, ALLOW_CALLBACK = 0, 1, 5, 9
FOR_CHILDREN = 0x0B


def sid_bytes(text):
    _, revision, authority, *rest = text.split("-")
    head = bytes([int(revision), len(rest)]) + int(authority).to_bytes(6, "big")
    return head + struct.pack(f"<{len(rest)}I", *map(int, rest))


def descriptor(owner, entries):
    """Bytes as GetFileSecurityW writes them; `entries` are (kind, flags, rights, SID), or None for no list."""
    control, behind, at_owner, at_list = 0x8004, b"", 0, 0
    if entries is not None:
        packed = b""
        for kind, flags, rights, who in entries:
            body = struct.pack("<I", rights) + (bytes(4) if kind == ALLOW_OBJECT else b"") + sid_bytes(who)
            packed += struct.pack("<BBH", kind, flags, 4 + len(body)) + body
        at_list = 20
        behind = struct.pack("<BBHHH", 2, 0, 8 + len(packed), len(entries), 0) + packed
    if owner:
        at_owner = 20 + len(behind)
        behind += sid_bytes(owner)
    return struct.pack("<BBHIIII", 1, 0, control, at_owner, 0, 0, at_list) + behind


class Windows:
    """Functions that answer as those of Windows do: how many bytes there are, then the bytes; 0 for a failure."""

    def __init__(self, *, owner=USER, entries=(), user=USER, makes_for=USER, profile=r"C:\Users\ada"):
        self.descriptor, self.profile = descriptor(owner, entries), profile
        self.sids, self.handles, self.asked, self.broken = {1: user, 4: makes_for}, set(), [], ""

    def answer(self, name, content, raw, size, given):
        self.asked.append(name)
        size._obj.value = len(content)
        if raw is None or getattr(given, "value", given) < len(content) or self.broken == name:
            return 0
        ctypes.memmove(raw, content, len(content))
        return 1

    def __getitem__(self, name):
        return getattr(self, name)

    def GetCurrentProcess(self):
        return -1

    def OpenProcessToken(self, process, access, handle):
        assert (process, access) == (-1, 8)
        handle._obj.value = 77
        self.handles.add(77)
        return int(self.broken != "OpenProcessToken")

    def CloseHandle(self, handle):
        self.handles.remove(handle.value)
        return 1

    def GetTokenInformation(self, token, what, raw, length, size):
        assert token.value in self.handles
        # An address, some attributes, and behind them what the address leads to.
        address = 0 if raw is None else ctypes.addressof(raw) + 16
        content = struct.pack("<QQ", address, 0) + sid_bytes(self.sids[what])
        return self.answer("GetTokenInformation", content, raw, size, length)

    def GetFileSecurityW(self, folder, what, raw, length, size):
        assert what == 5
        return self.answer("GetFileSecurityW", self.descriptor, raw, size, length)

    def GetUserProfileDirectoryW(self, token, text, size):
        assert token.value in self.handles
        wide = self.profile + "\0"
        self.asked.append("GetUserProfileDirectoryW")
        if text is None:
            size._obj.value = len(wide)
            return 0
        text.value = self.profile
        return int(self.broken != "GetUserProfileDirectoryW")


def forget():
    for kept in (windows_owner.user, windows_owner.owners, windows_owner.profile, cache_trust._reason_on_windows):
        kept.cache_clear()


@pytest.fixture
def windows(monkeypatch):
    """Put a Windows into the place of this system."""
    forget()

    def put(**said):
        system = Windows(**said)
        monkeypatch.setattr(windows_owner, "_functions", lambda: system)
        monkeypatch.delattr(os, "geteuid", raising=False)
        return system

    yield put
    monkeypatch.undo()
    forget()


# ---- bytes


@pytest.mark.parametrize("text", [SYSTEM, ADMINISTRATORS, EVERYONE, USER, "S-1-16-8192", "S-1-281474976710655"])
def test_identifiers_as_text(text):
    assert windows_owner.sid(b"\xff" * 3 + sid_bytes(text) + b"\xff", 3) == text


@pytest.mark.parametrize(
    ("entries", "writers"),
    [
        (None, {EVERYONE}),
        ([], set()),
        ([(ALLOW, 0, ALL, USER), (ALLOW, 0, ALL, SYSTEM)], {USER, SYSTEM}),
        ([(ALLOW, 0, READ, EVERYONE)], set()),
        ([(ALLOW, 0, MODIFY, USERS)], {USERS}),
        ([(ALLOW, FOR_CHILDREN, MODIFY, USERS)], {USERS}),
        ([(DENY, 0, ALL, EVERYONE), (ALLOW, 0, READ, USERS), (ALLOW, 0, ALL, USER)], {USER}),
        ([(ALLOW_CALLBACK, 0, MODIFY, OTHER)], {OTHER}),
        ([(ALLOW_OBJECT, 0, MODIFY, OTHER), (ALLOW, 0, ALL, USER)], {"an entry of type 5", USER}),
        ([(ALLOW_OBJECT, 0, READ, OTHER)], set()),
    ],
)
def test_writers(entries, writers):
    assert windows_owner.read(descriptor(USER, entries)) == windows_owner.Access(USER, frozenset(writers))


@pytest.mark.parametrize("right", [0x2, 0x4, 0x40, 0x40000, 0x80000, 0x10000000, 0x40000000])
def test_each_right_by_which_others_write(right):
    assert windows_owner.read(descriptor(USER, [(ALLOW, 0, right, OTHER)])).writers == {OTHER}


def test_a_list_that_is_not_in_force_allows_everything():
    raw = bytearray(descriptor(USER, [(ALLOW, 0, ALL, USER)]))
    raw[2:4] = struct.pack("<H", 0x8000)
    assert windows_owner.read(bytes(raw)).writers == {EVERYONE}


def test_no_owner():
    assert windows_owner.read(descriptor("", [])).owner == ""


# ---- questions


@pytest.mark.parametrize(
    ("makes_for", "owners"), [(USER, {USER}), (ADMINISTRATORS, {USER, ADMINISTRATORS}), (USERS, {USER})]
)
def test_whom_folders_of_this_process_belong_to(windows, makes_for, owners):
    system = windows(makes_for=makes_for)
    assert (windows_owner.user(), windows_owner.owners()) == (USER, owners)
    assert not system.handles


def test_the_profile(windows):
    system = windows(profile=r"C:\Users\Åda")
    assert windows_owner.profile() == r"C:\Users\Åda"
    assert not system.handles


@pytest.mark.parametrize(
    ("function", "ask"),
    [
        ("GetTokenInformation", windows_owner.user),
        ("GetUserProfileDirectoryW", windows_owner.profile),
        ("OpenProcessToken", windows_owner.user),
        ("GetFileSecurityW", lambda: windows_owner.access("folder")),
    ],
)
def test_a_system_that_does_not_tell(windows, function, ask):
    system = windows()
    system.broken = function
    with pytest.raises(OSError, match=r"."):
        ask()
    assert function == "OpenProcessToken" or not system.handles


# ---- folders

PRIVATE = [(ALLOW, FOR_CHILDREN - 8, ALL, who) for who in (USER, SYSTEM, ADMINISTRATORS, OWNER_RIGHTS, CREATOR)]
TRUSTED = {
    "the user's": {"entries": PRIVATE},
    "that others read": {"entries": [*PRIVATE, (ALLOW, 0, READ, EVERYONE)]},
    "of administrators, one of whom this is": {
        "owner": ADMINISTRATORS,
        "makes_for": ADMINISTRATORS,
        "entries": PRIVATE,
    },
    "the user's, who is an administrator": {"makes_for": ADMINISTRATORS, "entries": PRIVATE},
}
ELSEWHERE = "set TCONV_CACHE_DIR to a folder of your own"
REFUSED = {
    "another's": ({"owner": OTHER}, f"belongs to {OTHER} and this process to {USER}; {ELSEWHERE}"),
    "of administrators": (
        {"owner": ADMINISTRATORS},
        f"belongs to {ADMINISTRATORS} and this process to {USER}; {ELSEWHERE}",
    ),
    "of a group that is no administrators'": (
        {"owner": USERS, "makes_for": USERS},
        f"belongs to {USERS} and this process to {USER}; {ELSEWHERE}",
    ),
    "nobody's": ({"owner": ""}, f"belongs to nobody and this process to {USER}; {ELSEWHERE}"),
    "that others write to": (
        {"entries": [*PRIVATE, (ALLOW, 0, MODIFY, USERS), (ALLOW, FOR_CHILDREN, ALL, OTHER)]},
        f"can be written by others ({OTHER}, {USERS}); set TCONV_CACHE_DIR to a folder in your profile, or to one that "
        "only you can write to",
    ),
    "without a list": (
        {"entries": None},
        f"can be written by others ({EVERYONE}); set TCONV_CACHE_DIR to a folder in your profile, or to one that only "
        "you can write to",
    ),
}


def reason(folder):
    try:
        cache_trust.check(folder, os.lstat(folder))
    except cache_trust.Distrusted as distrusted:
        return str(distrusted)
    return ""


@pytest.mark.parametrize("said", TRUSTED.values(), ids=TRUSTED)
def test_folders_that_are_trusted(windows, tmp_path, said):
    windows(**said)
    assert reason(tmp_path) == ""


@pytest.mark.parametrize(("said", "why"), REFUSED.values(), ids=REFUSED)
def test_folders_that_are_refused(windows, tmp_path, said, why):
    windows(**said)
    assert reason(tmp_path) == f"{tmp_path} {why}"


@pytest.mark.parametrize("said", [said for said, _ in REFUSED.values()], ids=REFUSED)
def test_in_the_profile_windows_keeps_others_out(windows, tmp_path, said):
    system = windows(**said, profile=os.path.realpath(tmp_path.parent))
    assert reason(tmp_path) == ""
    assert "GetFileSecurityW" not in system.asked


def test_a_name_that_begins_as_the_profile_is_not_in_it(windows, tmp_path):
    windows(owner=OTHER, profile=os.path.realpath(tmp_path) + "a")
    (tmp_path.parent / (tmp_path.name + "ab")).mkdir()
    assert "belongs to" in reason(tmp_path.parent / (tmp_path.name + "ab"))


def test_windows_is_asked_once_for_a_folder_and_again_for_another_in_its_place(windows, tmp_path):
    system = windows()
    folder = tmp_path / "kernels"
    folder.mkdir()
    assert reason(folder) == reason(folder) == ""
    assert system.asked.count("GetFileSecurityW") == 2  # for how long it is, and for the bytes
    folder.rename(tmp_path / "kept")
    folder.mkdir()
    system.descriptor = descriptor(OTHER, [])
    assert "belongs to" in reason(folder)


def test_the_cache_refuses_such_a_folder(windows, folder):
    windows(owner=OTHER)
    with pytest.warns(RuntimeWarning, match=f"does not use its cache of compiled kernels: .*belongs to {OTHER} and"):
        cache.write("0" * 64, "c" * 16, b"content")
    assert not list(folder.iterdir())
    assert f"belongs to {OTHER}" in cache.info().reason


def test_the_cache_keeps_nothing_where_windows_does_not_tell(windows, folder):
    windows().broken = "GetFileSecurityW"
    cache.write("0" * 64, "c" * 16, b"content")
    assert not list(folder.iterdir())
    assert cache.read("0" * 64, "c" * 16) is None
    assert not cache.info().in_use


class State:
    """What lstat says of a folder of Windows."""

    def __init__(self, tag, mode=0o40777):
        self.st_mode, self.st_reparse_tag, self.st_dev, self.st_ino = mode, tag, 1, 1


@pytest.mark.parametrize("tag", [0xA0000003, 0xA000001D], ids=["mount point", "link of WSL"])
def test_a_junction(windows, tag):
    windows()
    with pytest.raises(cache_trust.Distrusted) as caught:
        cache_trust.check("folder", State(tag))
    assert str(caught.value) == "folder is a junction; remove it, or set TCONV_CACHE_DIR to a folder"


@pytest.mark.parametrize("tag", [0, 0x9000001A, 0x80000013], ids=["none", "OneDrive", "deduplicated"])
def test_what_stands_in_for_a_file_is_no_link(windows, tag):
    windows(entries=PRIVATE)
    cache_trust.check("folder", State(tag))


@pytest.mark.skipif(sys.platform != "win32", reason="asks Windows itself")
def test_on_windows(tmp_path):
    folder = tmp_path / "kernels"
    folder.mkdir(mode=0o700)
    found = windows_owner.access(str(folder))
    assert found.owner in windows_owner.owners()
    assert found.writers
    assert windows_owner.user() in windows_owner.owners()
    assert os.path.isdir(windows_owner.profile())
    with pytest.raises(FileNotFoundError):
        windows_owner.access(str(tmp_path / "missing"))


@pytest.mark.skipif(sys.platform == "win32", reason="elsewhere there is none to ask")
def test_elsewhere_there_is_no_windows_to_ask():
    windows_owner.user.cache_clear()
    with pytest.raises(OSError, match="there is no Windows to ask"):
        windows_owner.user()
