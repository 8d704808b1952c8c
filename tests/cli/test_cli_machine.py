"""`tconv machine`: what is measured is said, and kept where that can be done."""

import pytest

from tconv.jit.machine import cache, isa, rates, roofline


@pytest.fixture(autouse=True)
def machine(folder, monkeypatch):
    """A machine whose numbers are known, and a folder of its own."""
    monkeypatch.setenv("COLUMNS", "400")
    monkeypatch.setattr(isa, "current", lambda: isa.ISAS["avx2"])
    monkeypatch.setattr(roofline, "peak", lambda isa: 118.4e9)
    monkeypatch.setattr(roofline, "bandwidth", lambda isa: 15.64e9)
    yield
    rates.known.cache_clear()
    rates.compared.cache_clear()


def test_said_and_kept(run, folder):
    assert run("machine") == (
        0,
        "instructions  avx2\n"
        "peak          118 GFLOP/s, float32, one core\n"
        "bandwidth     15.6 GB/s, read and written\n"
        f"kept          in {folder}\n",
        "",
    )
    assert rates.known(isa.ISAS["avx2"]) == (118.4e9, 15.64e9)


def test_as_json(run_json):
    assert run_json("machine") == {"instructions": "avx2", "peak": 118.4e9, "bandwidth": 15.64e9, "kept": True}


def test_where_nothing_can_be_kept(run, monkeypatch):
    monkeypatch.setattr(cache, "place", lambda: None)
    code, out, err = run("machine")
    assert (code, err) == (0, "")
    assert out.splitlines()[-1].startswith("kept          no: ")


def test_it_takes_no_argument(run):
    code, _, err = run("machine now")
    assert code == 2
    assert "now" in err
