"""What `benchmarks/machine_code.py` counts in assembly, and what it makes of that."""

import pytest
from registry import needs_kernels

from benchmarks import machine_code
from benchmarks.machine_code import PROCESSORS, Counts, counted
from tconv.bench.layers import public


@pytest.mark.quick
@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("fmla\tv0.4s, v8.4s, v11.s[0]", Counts(products=1)),
        ("ldp\tq8, q9, [x5]", Counts(load=2)),
        ("ldp\tq1, q0, [sp, #368]", Counts(load=2, stack=2)),
        ("ldr\tx0, [sp, #8]", Counts(load=1)),
        ("prfm\tpldl1keep, [x5, #3072]", Counts(load=1)),
        ("ld1r\t{ v11.4s }, [x5], x14", Counts(load=1, vector=1)),
        ("mov\tv5.16b, v0.16b", Counts(vector=1)),
        ("stp\tq5, q6, [sp]", Counts(other=2)),
        ("add\tx5, x5, #48", Counts(other=1)),
        ("b.lt\t.LBB0_2", Counts(other=1)),
    ],
)
def test_instructions(line, found):
    assert counted(line) == found


@pytest.mark.quick
def test_the_busiest_part_of_a_processor_is_the_limit():
    small = PROCESSORS["Neoverse N1"]
    assert Counts(products=8, load=8, other=0).share(small) == 1
    assert Counts(products=8, vector=8).share(small) == 0.5
    assert Counts(products=8, load=16).share(small) == 0.5
    assert Counts(products=8, load=2, other=22).share(small) == 0.5
    assert Counts(products=4, load=2).of(0.5) == Counts(products=0.5, load=0.25)


@needs_kernels
def test_the_table_of_a_layer(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["machine_code", "--layers", "dcgan.5"])
    machine_code.main()
    head, _, *rows, _, last = capsys.readouterr().out.splitlines()
    assert head.startswith("| kind | channels | loads |")
    assert all(processor in head for processor in PROCESSORS)
    kinds = {row.split("|")[1].strip() for row in rows}
    assert {"gradient", "taps"} <= kinds
    assert all(0 < int(cell.split("%")[0]) <= 100 for row in rows for cell in row.split("|")[7:10])
    assert last.startswith("0 of ")
    assert "dcgan.5" in public()
