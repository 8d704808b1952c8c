"""`tconv bench`: a real run on the smallest layer, and what is printed and drawn of made-up times."""

import json

import pytest
from bench_layers import measured, record, small_layer

from tconv.bench import cores, drawn
from tconv.bench.peers import PEERS
from tconv.bench.record import Record

torch = pytest.importorskip("torch", exc_type=ModuleNotFoundError)

pytestmark = pytest.mark.usefixtures("piped")

QUICK = ("bench", "--layers", "dcgan.1", "--rounds", 1, "--peers", "torch")


def test_bench(run, tmp_path):
    times = tmp_path / "times.json"
    code, out, err = run(*QUICK, "--json", times, "--plot", tmp_path / "chart.svg")
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert f"conv_transpose, float32, channels_first, {cores.count()} thread" in lines[2]
    for heading in (
        "The prepared operator, against the best peer in its best setting",
        "The functional call, against PyTorch's and against the best peer",
        "GFLOP/s of useful work, everybody in the setting that was fastest",
        "In short",
    ):
        assert heading in lines
    assert sum(line.startswith("dcgan.1 ") for line in lines) == 3
    assert "skipped" not in out
    assert "Failed" not in lines
    held = Record.read(times)
    assert held.options["peers"] == ["torch"]
    (only,) = held.rows
    assert set(only.timings) == {"prepared", "functional", "torch"}
    assert (tmp_path / "chart.svg").read_text("utf-8").startswith("<svg")
    assert run("bench", "--show", times) == (0, out, "")


@pytest.mark.parametrize("operation", ["conv", "weight_gradient"])
def test_gradients(run, tmp_path, operation):
    times, chart = tmp_path / "times.json", tmp_path / "chart.svg"
    code, out, err = run(*QUICK, "--operation", operation, "--json", times, "--plot", chart)
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[2].startswith(f"{operation}, float32, channels_first, ")
    assert "The functional call, against PyTorch's and against the best peer" in lines
    assert not any("prepared" in line for line in lines)
    assert "Failed" not in lines
    (only,) = Record.read(times).rows
    assert {name: set(settings) for name, settings in only.timings.items()} == {
        "functional": {"default"},
        "torch": {"of conv_transpose", "of conv"},
    }
    assert chart.read_text("utf-8").startswith("<svg")


def test_a_run_goes_on_where_it_stopped(run, tmp_path, monkeypatch):
    times = tmp_path / "times.json"
    assert run(*QUICK, "--json", times)[0] == 0
    first = Record.read(times).rows[0]
    more = ("bench", "--layers", "dcgan.1,dilated,grouped8", *QUICK[3:], "--json", times, "--resume")

    from tconv.bench import run as module

    measure = module.measure

    def interrupted(layer, *rest, **keywords):
        if layer.name == "grouped8":
            raise KeyboardInterrupt
        return measure(layer, *rest, **keywords)

    monkeypatch.setattr(module, "measure", interrupted)
    assert run(*more)[:2] == (130, "")
    rows = Record.read(times).rows
    assert [row.layer.name for row in rows] == ["dcgan.1", "dilated"]
    assert rows[0] == first
    code, _, err = run(*more, "--seed", 1, "--rounds", 2)
    assert code == 2
    assert err.splitlines()[0] == (
        "tconv bench: --resume must go on with measurements of the same kind; rounds: 1 there, 2 here"
    )


def test_missing_peers_are_skipped_by_name(run, monkeypatch):
    monkeypatch.setattr("tconv.bench.peers.base.find_spec", lambda name: None if name == "openvino" else "there")
    code, out, _ = run(*QUICK[:-1], "torch,openvino")
    assert code == 0
    assert "skipped: openvino: openvino not installed: pip install 'tconv[bench]'" in out.splitlines()


#: 2 * 256 * 256 * 32 * 32 flops, 0.134 GFLOP, on 2.36 MB: at 1 TFLOP/s and 10 GB/s a roofline of 0.236 ms.
WIDE = {
    "batch": 1,
    "in_channels": 256,
    "out_channels": 256,
    "groups": 1,
    "spatial": (32, 32),
    "kernel": 1,
    "stride": 1,
    "padding": 0,
    "output_padding": 0,
    "dilation": 1,
}


def made_up(path, count=2, **options):
    rows = [
        measured(
            drawn.draw(0, number) if count > 2 else small_layer(f"layer {number}", **WIDE),
            {"prepared": 1e-3, "functional": 2e-3, "torch": (1 + number / 4) * 1e-3, "jax": 5e-3},
            peak=1e12,
            bandwidth=1e10,
            failures={"onnxruntime": {"run": "no kernel"}} if number == 1 else {},
        )
        for number in range(count)
    ]
    record(rows, skipped={"openvino": "not installed"}, **options).write(path)
    return path


def test_what_is_shown(run, tmp_path):
    code, out, err = run("bench", "--show", made_up(tmp_path / "times.json"))
    assert (code, err) == (0, "")
    assert (
        out
        == """\
Abacus 3000, 2 cores, avx2, Linux x86_64, 2026-11-21
Python 3.11.7, tconv 0.1.0, torch 2.13.0
conv_transpose, float32, channels_first, 1 thread, 7 rounds
skipped: openvino: not installed

The prepared operator, against the best peer in its best setting
layer        ms   GFLOP/s   roofline   best peer   its ms   ratio
─────────────────────────────────────────────────────────────────
layer 0   1.000     134.2        24%   torch        1.000    1.00
layer 1   1.000     134.2        24%   torch        1.250    1.25

The functional call, against PyTorch's and against the best peer
layer        ms   GFLOP/s   roofline   PyTorch ms   ratio   to the best
───────────────────────────────────────────────────────────────────────
layer 0   2.000      67.1        12%        1.000    0.50          0.50
layer 1   2.000      67.1        12%        1.250    0.62          0.62

GFLOP/s of useful work, everybody in the setting that was fastest
layer     torch    jax   prepared   functional
──────────────────────────────────────────────
layer 0   134.2   26.8      134.2         67.1
layer 1   107.4   26.8      134.2         67.1

In short
prepared / best peer    geometric mean 1.12 of 2 layers, least 1.00, 0 below 1
functional / best peer  geometric mean 0.56 of 2 layers, least 0.50, 2 below 1
functional / PyTorch's  geometric mean 0.56 of 2 layers, least 0.50, 2 below 1
prepared / roofline     memory-bound: geometric mean 24% of 2 layers, least 24%
functional / roofline   memory-bound: geometric mean 12% of 2 layers, least 12%

Failed
onnxruntime run  layer 1: no kernel
"""
    )


def test_of_many_layers_the_distribution_is_shown_and_drawn(run, tmp_path):
    times = made_up(tmp_path / "times.json", 60, seed=0)
    code, out, err = run("bench", "--show", times, "--plot", tmp_path / "curve.png")
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert "Ratio to the best peer on 60 layers" in lines
    assert "least   1.00" in lines
    assert "median  5.00" in lines  # beyond layer 16, JAX with its 5 ms is the best peer
    lowest = lines.index("The lowest")
    assert lines[lowest + 3].startswith("random.0 ")
    assert "batch 1, 3 -> 2 channels" in " ".join(lines[lowest + 3 : lowest + 6])
    assert (tmp_path / "curve.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("--peers torch,tensorflow", f"--peers must be of {', '.join(PEERS)}; got 'tensorflow'"),
        ("--layers nothing", "--layers must be of dcgan.1, dcgan.2, "),
        ("--threads 0", f"--threads must be an integer from 1 to {cores.count()}; got 0"),
        ("--layout nchw", "--layout must be channels_first or channels_last; got 'nchw'"),
        ("--rounds 0", "--rounds must be an integer of at least 1; got 0"),
        ("--random -1", "--random must be an integer of at least 1; got -1"),
        ("--seed x", "--seed must be an integer of at least 0; got 'x'"),
        ("--random 3 --layers dilated", "one of --layers and --random may be given; got both"),
        ("--resume", "--resume must come with --json, the file to go on with"),
        ("--plot chart.pdf", "--plot must end in .png or .svg; got 'chart.pdf'"),
        ("--theme blue", '--theme must be one of "light", "dark"; got \'blue\''),
    ],
)
def test_wrong_usage_is_told_before_any_work(run, monkeypatch, arguments, message):
    monkeypatch.setattr("tconv.bench.run.measure", lambda *_, **__: pytest.fail("work was done"))
    code, out, err = run("bench", *arguments.split())
    assert (code, out) == (2, "")
    assert err.startswith(f"tconv bench: {message}")
    assert err.endswith("\nTry 'tconv bench --help'.\n")


def test_files_are_checked_before_any_work(run, tmp_path, monkeypatch):
    monkeypatch.setattr("tconv.bench.run.measure", lambda *_, **__: pytest.fail("work was done"))
    for option in ("--json", "--plot"):
        target = tmp_path / "nowhere" / "file.png"
        assert run(*QUICK, option, target) == (1, "", f"tconv bench: {target.parent}: No such folder\n")
    (tmp_path / "other.json").write_text(json.dumps({"a": 1}))
    for arguments in (("--show",), (*QUICK[1:], "--resume", "--json")):
        code, out, err = run("bench", *arguments, tmp_path / "other.json")
        assert (code, out) == (2, "")
        assert "other.json holds no measurements of `tconv bench`: 'format'" in err
    missing = tmp_path / "missing.json"
    assert run("bench", "--show", missing) == (1, "", f"tconv bench: {missing}: No such file or directory\n")
