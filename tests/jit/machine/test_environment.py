"""The variable that every call reads: whatever way it is changed, the change is seen."""

import os

import pytest

from tconv.jit.machine.environment import forced_isa


@pytest.mark.parametrize("kept_elsewhere", [False, True])
def test_every_change_is_seen(kept_elsewhere, monkeypatch):
    if kept_elsewhere:
        monkeypatch.setattr(os, "environ", dict(os.environ))
    os.environ.pop("TCONV_ISA", None)
    seen = [forced_isa()]
    assert seen == [None]
    for value in ("baseline", "avx2", "", "é"):
        monkeypatch.setenv("TCONV_ISA", value)
        assert forced_isa() == forced_isa()
        assert forced_isa() not in seen
        seen.append(forced_isa())
    monkeypatch.delenv("TCONV_ISA")
    assert forced_isa() is None
    os.environ.update(TCONV_ISA="baseline")
    assert forced_isa() == seen[1]
    del os.environ["TCONV_ISA"]
