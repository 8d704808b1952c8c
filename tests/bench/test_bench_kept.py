"""What benchmarks write with `--record`: how they were called, and figures that the pages take as they are."""

import sys
from argparse import ArgumentParser

import pytest
from bench_layers import measured, record, small_layer

from benchmarks import compare
from benchmarks import record as records
from benchmarks.pages import engine
from benchmarks.record import Record
from tconv.bench.layers import public

pytestmark = pytest.mark.quick

SECONDS = {"prepared": 2e-3, "functional": 4.00004e-3, "torch": 8e-3, "onnxruntime": 3e-3}
LIMITS = {"peak": 1e11, "bandwidth": 1e10}


def cells(line):
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_files_are_no_part_of_the_command():
    given = ["--record", "a.json", "--rounds", "5", "--json=b.json", "--record=c.json", "--layers", "dcgan.1"]
    assert records.without_files(given) == ["--rounds", "5", "--layers", "dcgan.1"]


def test_the_command_is_what_a_shell_takes(monkeypatch):
    for name in records.VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "1")
    monkeypatch.setattr(sys.modules["__main__"], "__spec__", None)
    monkeypatch.setattr(sys, "argv", ["benchmarks/zoo.py", "--models", "SAM mask decoder", "--record", "x.json"])
    assert records.command() == "OPENBLAS_NUM_THREADS=1 zoo.py --models 'SAM mask decoder'"


def test_nothing_is_written_unless_asked_for(tmp_path):
    parser = ArgumentParser()
    records.record_option(parser)
    records.keep(parser.parse_args([]).record, [])
    path = tmp_path / "kept.json"
    records.keep(
        parser.parse_args(["--record", str(path)]).record, iter([{"layer": "a"}]), packages=("pytest", "nowhere")
    )
    found = Record.read(path)
    assert found.rows == [{"layer": "a"}]
    assert found.machine["versions"]["pytest"] == pytest.__version__
    assert "nowhere" not in found.machine["versions"]


def test_times_are_kept_in_milliseconds_with_the_digits_that_count():
    assert records.milliseconds({"a": 1.23456789e-3, "b": None, "c": 2.0}) == {"a": 1.2346, "c": 2000.0}


def test_a_record_of_tconv_bench_is_what_the_pages_show():
    kept = compare.kept(record([measured(public()["s1.k3"], SECONDS, **LIMITS)]))
    times = {"best": 3.0, "prepared": 2.0, "functional": 4.0, "torch": 8.0}
    assert kept.rows == [
        {
            "layer": "s1.k3",
            "best peer": "onnxruntime",
            "ms": times,
            "roofline": {"prepared": pytest.approx(4.515, rel=1e-3), "functional": pytest.approx(2.257, rel=1e-3)},
            "bound": "compute",
        }
    ]
    assert cells(engine.prepared(kept)[-1]) == ["s1.k3", "onnxruntime", "3.000", "2.000", "1.50", "451.5", "451%"]
    assert cells(engine.functional(kept)[-1]) == ["s1.k3", "8.000", "4.000", "2.00", "225.7", "226%", "0.75"]
    assert [cells(line)[1] for line in engine.in_short(kept)[2:]] == ["1", "1", "1"]
    assert cells(engine.rooflines(kept)[-1])[1:] == ["0", "-", "-"]


def test_layers_of_no_list_say_what_they_are():
    kept = compare.kept(record([measured(small_layer("random.0"), SECONDS, **LIMITS)], seed=3))
    assert kept.command == "tconv bench --threads 1 --random 1 --seed 3 --peers torch --rounds 7"
    assert engine.lowest(kept)[-1].endswith(f"| {small_layer('random.0')} |")
    assert engine.distribution(kept)[-1].count("1.50") == 7


def test_the_command_of_tconv_bench_says_what_is_not_usual():
    assert compare.command(record([measured(public()["s1.k3"], {})], layout="channels_last", operation="conv")) == (
        "tconv bench --operation conv --threads 1 --layers s1.k3 --layout channels_last --peers torch --rounds 7"
    )


def test_compare_is_tconv_bench_and_keeps_a_record(tmp_path, capsys):
    measured_file, kept_file = tmp_path / "times.json", tmp_path / "kept.json"
    record([measured(public()["s1.k3"], SECONDS, **LIMITS)]).write(measured_file)
    assert compare.main(["--show", str(measured_file), "--record", str(kept_file)]) == 0
    assert "s1.k3" in capsys.readouterr().out
    assert Record.read(kept_file).command == "tconv bench --threads 1 --layers s1.k3 --peers torch --rounds 7"
    assert compare.main(["--show", str(tmp_path / "none.json"), "--record", str(tmp_path / "no.json")]) != 0
    assert not (tmp_path / "no.json").exists()
