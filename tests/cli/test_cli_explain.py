"""`tconv explain`: its text in full, and its numbers against those of the library."""

import numpy as np
import pytest
from registry import needs_kernels

import tconv
from tconv.conventions import DIALECTS
from tconv.conventions.registry import USUAL

EXPLAINED = """\
fine 5x5 <-> coarse 3x3: kernel 3, stride 2, padding 1

Sizes, each axis
transposed      fine = (coarse - 1) * stride - low - high + dilation *
                (kernel - 1) + 1 + output padding
                5 = (3 - 1) * 2 - 1 - 1 + 1 * (3 - 1) + 1 + 0
convolution     coarse = floor((fine + low + high - dilation * (kernel - 1) - 1)
                / stride) + 1
                3 = floor((5 + 1 + 1 - 1 * (3 - 1) - 1) / 2) + 1
fine sizes      5 and 6 both become 3; output padding 0 means 5
remainder       (fine + low + high - dilation * (kernel - 1) - 1) mod stride
                (5 + 1 + 1 - 1 * (3 - 1) - 1) mod 2 = 0
padding         convolution: pads the fine grid by 1 at each end
                transposed: crops the result by 1 at each end
                zero insertion: pads the stretched coarse grid by p' = dilation
                * (kernel - 1) - padding = 1 at each end
zero insertion  insert 1 zero between neighbours (3 -> 5 cells), pad 1 before, 1
                after, flip the kernel, convolve at stride 1 -> 5
a coarse cell   sees 3 fine cells in conv and writes to them in the transposed
                one
a fine cell     reads 1 to 2 coarse cells in the transposed one

Matrix C
shape    18 x 100
rows     2 channels of 3x3 coarse cells
columns  4 channels of 5x5 fine cells
stored   392 elements, 21.8% of all
use      convolution is C times the fine grid, the transposed one Cᵀ times the
         coarse grid

4 phases of the fine grid; each a dense convolution at stride 1
  (residue 0: taps 1 at shifts 0) x (residue 0: taps 1 at shifts 0)
  (residue 0: taps 1 at shifts 0) x (residue 1: taps 0, 2 at shifts 1, 0)
  (residue 1: taps 0, 2 at shifts 1, 0) x (residue 0: taps 1 at shifts 0)
  (residue 1: taps 0, 2 at shifts 1, 0) x (residue 1: taps 0, 2 at shifts 1, 0)

Coverage: how many taps reach each fine position
uneven  kernel 3 is no multiple of stride 2: 1 in every 2 fine positions get 2
        taps, the rest 1
  1 2 1 2 1
  2 4 2 4 2
  1 2 1 2 1
  2 4 2 4 2
  1 2 1 2 1

Work of one pass, batch 1, float32
flops           784: 392 multiplications, each with an addition
zero insertion  1,800 multiplications, 78.2% of them wasted
memory          760 bytes: both grids and the weights, each moved once

In tconv
import tconv

# x and y: (N, channels, *size); w: (Cin, Cout/groups, *kernel)
y = tconv.conv_transpose(x, w, stride=2, padding=1)
"""


def test_explain(run):
    code, out, err = run("explain --coarse 3x3 --kernel 3 --stride 2 --padding 1 --in-channels 2 --out-channels 4")
    assert (code, err) == (0, "")
    assert out.startswith(EXPLAINED)
    for name, dialect in DIALECTS.items():
        assert (f"\nIn {dialect.title}\n" in out) is (name in USUAL)
    assert all(f" {name}," in out.partition("\nIn others\n")[2] for name in DIALECTS if name not in USUAL)
    assert "\nlayer = torch.nn.ConvTranspose2d(2, 4, kernel_size=3, stride=2, padding=1, bias=False)\n" in out


def test_explain_as_json(run_json):
    said = run_json("explain --coarse 3 --kernel 3 --stride 2 --padding 1 --groups 2 --in-channels 2 --out-channels 4")
    assert said["conv_formula"] == ["3 = floor((5 + 1 + 1 - 1 * (3 - 1) - 1) / 2) + 1"]
    assert said["conv_transpose_formula"] == ["5 = (3 - 1) * 2 - 1 - 1 + 1 * (3 - 1) + 1 + 0"]
    assert said["zero_inserted"] == [{"inserted_zeros": 1, "stretched": 5, "padding": [1, 1], "extra": 0}]
    assert said["matrix"] == {"rows": 6, "columns": 20, "stored": 28, "fill": 28 / 120}
    assert said["phases"] == {
        "count": 2,
        "first": [
            {"residue": [0], "count": [3], "taps": [[1]], "shifts": [[0]]},
            {"residue": [1], "count": [2], "taps": [[0, 2]], "shifts": [[1, 0]]},
        ],
    }
    assert said["coverage"]["even"] is False
    assert said["coverage"]["along"] == ["1 2 1 2 1"]
    assert said["work"]["flops"] == 56
    assert said["work"]["wasted_by_zero_insertion"] == 60 - 28
    assert list(said["dialects"]) == list(DIALECTS)
    assert said["dialects"]["torch"]["parameters"]["padding"] == [1]
    assert said["dialects"]["tflite"] == {
        "dialect": "tflite",
        "refused": "geometry must have 2 axes, which TRANSPOSE_CONV has; got 1",
    }


def test_the_formulas_that_explain_prints_are_true(run_json):
    for given in (
        "--coarse 5 --kernel 3 --stride 2 --dilation 3 --padding -1 --output-padding 2",
        "--fine 9 --kernel 4",
    ):
        said = run_json("explain", *given.split())
        for formula, size in (("conv_formula", "coarse"), ("conv_transpose_formula", "fine")):
            left, _, right = said[formula][0].partition(" = ")
            assert int(left) == said[size][0]
            assert int(left) == eval(right, {"floor": lambda number: int(number // 1)})


def test_explain_counts_what_the_matrix_stores(run_json):
    said = run_json("explain --fine 6x5 --kernel 3x2 --stride 2x1 --padding 1x0")
    geometry = tconv.Geometry.conv((6, 5), (3, 2), stride=(2, 1), padding=(1, 0))
    c = tconv.sparse_matrix(geometry, np.ones((1, 1, 3, 2)))
    assert (said["matrix"]["rows"], said["matrix"]["columns"]) == c.shape
    assert said["matrix"]["stored"] == c.nnz


def test_explain_is_quick_and_short_at_any_size(run):
    code, out, _ = run("explain --coarse 1000000000000x3 --kernel 9999 --stride 9999")
    assert code == 0
    assert "99,980,001 phases of the fine grid; too many to list" in " ".join(out.split())
    code, out, _ = run("explain --coarse 30x30 --kernel 9 --stride 9")
    assert "81 phases of the fine grid; each a dense convolution at stride 1; the first 16:" in out
    assert "1 1 1 1 1 1 1 1 1 1 1 1 ... 1 1 1 1   each axis" in out


def test_explain_names_what_groups_must_divide(run):
    code, out, err = run("explain --coarse 3 --kernel 3 --groups 2 --in-channels 3")
    assert (code, out) == (2, "")
    assert err.startswith("tconv explain: --groups must divide --in-channels = 3; got 2\n")


# ---- --plan

LAYER = "explain --coarse 16x32 --kernel 4 --stride 2 --padding 1 --in-channels 64 --out-channels 32"


def section(out, heading):
    """The lines below a heading."""
    return out.partition(f"\n{heading}\n")[2].partition("\n\n")[0].splitlines()


@pytest.fixture
def wide(monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")


@needs_kernels
def test_the_plan_of_the_engine(run, wide):

    code, out, err = run(f"{LAYER} --plan --batch 3 --layout channels_last --threads 2")
    assert (code, err) == (0, "")
    from tconv.jit import engine

    problem = tconv.plan((3, 16, 32, 64), (64, 32, 4, 4), stride=2, padding=1, layout="channels_last").problem
    said = engine.described(problem, True, threads=2)
    call, kernels, *rest = section(out, "The engine's plan")
    assert call == "call      batch 3, float32, channels_last"
    assert kernels == f"kernels   {said.title()}"
    assert rest == [f"{name:<10}{value}" for name, value in said.facts()]


@needs_kernels
def test_the_plan_by_minimal_filtering(run, run_json, wide):
    layer = "explain --coarse 16x32 --kernel 3 --padding 1 --in-channels 64 --out-channels 64 --plan"
    kernels = section(run(f"{layer} --method winograd")[1], "The engine's plan")[1]
    assert kernels.startswith("kernels   minimal filtering, ")
    said = run_json(f"{layer} --method winograd")["plan"]
    assert said["kind"] == "winograd"
    assert said["executed"] < said["flops"]
    assert run_json(f"{layer} --method jit")["plan"]["kind"] == run_json(layer)["plan"]["kind"] != "winograd"
    refused = run_json(f"{LAYER} --plan --method winograd --in-channels 1 --out-channels 1")["plan"]["refused"]
    assert refused.startswith('method "winograd" saves too little for kernel (4, 4), stride (2, 2), dilation (1, 1) ')


@needs_kernels
def test_without_plan_there_is_none(run):
    out = run(LAYER)[1]
    assert "engine" not in out
    assert "engine" in run(f"{LAYER} --plan")[1]


@needs_kernels
def test_the_plan_as_json(run_json):
    said = run_json(f"{LAYER} --plan --dtype float64 --threads 1")["plan"]
    assert (said["batch"], said["dtype"], said["layout"], said["threads"]) == (1, "float64", "channels_first", 1)
    geometry = tconv.Geometry.conv_transpose((16, 32), 4, stride=2, padding=1)
    assert said["flops"] == geometry.work(64, 32).flops <= said["executed"]
    assert said["bytes"] == geometry.work(64, 32, itemsize=8).bytes
    assert 0 < said["share"] <= 1
    assert said["ceiling"]["measured"] is False
    assert said["roofline"] == min(said["ceiling"]["peak"], said["intensity"] * said["ceiling"]["bandwidth"])
    assert "plan" not in run_json(LAYER)


@needs_kernels
def test_peak_and_bandwidth_are_measured_where_that_is_asked_for(run, run_json, wide):
    ceiling = run_json(f"{LAYER} --plan --measure --threads 1")["plan"]["ceiling"]
    assert ceiling["measured"] is True
    assert ceiling["peak"] > 1e8
    assert ceiling["bandwidth"] > 1e8
    assert " GFLOP/s (measured): " in run(f"{LAYER} --plan --measure --threads 1")[1]


@needs_kernels
def test_the_set_of_instructions_is_the_one_that_is_forced(run, monkeypatch):
    from tconv.jit.machine import isa

    for name in isa.available():
        monkeypatch.setenv("TCONV_ISA", name)
        assert f" in lanes, {name}, " in run(f"{LAYER} --plan")[1]
    monkeypatch.setenv("TCONV_ISA", "sse9")
    code, out, err = run(f"{LAYER} --plan")
    assert (code, out) == (2, "")
    assert err.startswith("tconv explain: TCONV_ISA must be one of ")


@needs_kernels
def test_what_the_engine_cannot_compute_is_said(run, run_json):
    refusal = 'method "jit" computes floating point and complex numbers only, not int8'
    assert section(run(f"{LAYER} --plan --dtype int8")[1], "The engine's plan") == [refusal]
    assert run_json(f"{LAYER} --plan --dtype int8")["plan"]["refused"] == refusal


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("--batch 3", "--plan must be given with --batch"),
        ("--dtype float64", "--plan must be given with --dtype"),
        ("--layout channels_last", "--plan must be given with --layout"),
        ("--threads 1", "--plan must be given with --threads"),
        ("--measure", "--plan must be given with --measure"),
        ("--method winograd", "--plan must be given with --method"),
        ("--plan --method fft", '--method must be one of "jit", "winograd"; got \'fft\''),
        ("--plan --batch 0", "--batch must be an integer of at least 1; got 0"),
        ("--plan --threads 0", "--threads must be an integer from 1 to 1024; got 0"),
        (
            "--plan --layout nhwc",
            '--layout must be one of "channels_first", "channels_last"; got \'nhwc\'; did you mean "channels_last"?',
        ),
    ],
)
def test_wrong_options_of_the_plan(run, given, message):
    code, out, err = run(f"{LAYER} {given}")
    assert (code, out) == (2, "")
    assert err == f"tconv explain: {message}\nTry 'tconv explain --help'.\n"


def test_an_unknown_dtype_is_a_usage_error(run):
    code, _, err = run(f"{LAYER} --plan --dtype complex256")
    assert code == 2
    assert err.startswith("tconv explain: --dtype must be one of float16, ")


def test_a_plan_that_no_memory_holds_is_a_usage_error(run):
    code, _, err = run("explain --coarse 1000000000000x3 --kernel 3 --plan")
    assert code == 2
    assert err.startswith("tconv explain: the result must fit into memory, ")


def test_only_some_parts(run):
    given = ("explain", "--coarse", 3, "--kernel", 3, "--stride", 2, "--padding", 1)
    code, out, _ = run(*given, "--only", "matrix, phases")
    assert code == 0
    assert [line for line in out.splitlines() if line and not line.startswith(" ")][:2] == [
        "fine 5 <-> coarse 3: kernel 3, stride 2, padding 1",
        "Matrix C",
    ]
    assert "2 phases of the fine grid" in out
    for other in ("Sizes", "Coverage", "Work", "In PyTorch"):
        assert other not in out
    code, out, err = run(*given, "--only", "sizes,everything")
    assert (code, out) == (2, "")
    assert "--only must be any of sizes, matrix, phases, coverage, work, code, with commas between them; got " in err


@pytest.mark.parametrize(
    ("given", "hint"),
    [
        (("--coarse", "2x2", "--kernel", 3, "--padding", 2), "the layer's is --padding 0"),
        (("--coarse", 1, "--kernel", 5, "--padding", 3), "the layer's is --padding 1"),
        (("--coarse", "2x1", "--kernel", "3x5", "--padding", "2x3"), "the layer's is --padding 0x1"),
    ],
)
def test_the_padding_of_the_picture_with_zeros_is_named_where_it_was_meant(run, given, hint):
    code, _, err = run("explain", *given)
    assert code == 2
    assert "must leave at least 1 cell" in err
    assert "if that is the padding p' of the picture with zeros inserted" in err
    assert hint in err


def test_no_hint_where_it_would_not_help(run):
    for given in (("--coarse", 2, "--kernel", 2, "--padding", 9), ("--fine", 2, "--kernel", 9)):
        code, _, err = run("explain", *given)
        assert code == 2
        assert "picture" not in err
