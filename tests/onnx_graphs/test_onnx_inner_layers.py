"""Layers in the graphs of If, Loop and Scan: what they read is seen, and they are measured on it."""

from __future__ import annotations

import numpy as np
import pytest

onnx = pytest.importorskip("onnx", exc_type=ModuleNotFoundError)
pytest.importorskip("onnxruntime", exc_type=ModuleNotFoundError)
from graph_models import BOOL, branch, growing_loop, model, node, run, same_results, up, value, whole  # noqa: E402

from tconv.measuring.contest import ORIGINAL  # noqa: E402
from tconv.onnx import accelerate, contest  # noqa: E402
from tconv.onnx.extracting import inputs_of  # noqa: E402
from tconv.onnx.nodes import conv_transposes  # noqa: E402


@pytest.fixture(autouse=True)
def one_conv_wins(monkeypatch):
    def in_turns(runs, first, effort):
        for each in runs.values():
            each()
        return {name: [0.5 if name in ("one_conv", "rewritten") else 1.0] * effort.rounds for name in runs}

    monkeypatch.setattr(contest, "in_turns", in_turns)


def seen(made, **feeds):
    """What each layer reads, by its name."""
    found = list(conv_transposes(made, None))
    return dict(zip((each.name for each in found), inputs_of(made, found, feeds, "onnxruntime", 1), strict=True))


def choice(rng):
    """An If with a layer in each branch, on what a node before it makes."""
    made = node("If", ["c"], "y", "if", then_branch=branch("t", [1] * 4), else_branch=branch("e", [0] * 4))
    inputs = [value("z", ["N", 2, 4, 4]), value("c", [], BOOL)]
    return model([node("Neg", ["z"], "x"), made], inputs, [value("y", [None] * 4)], {"w": whole(rng, 2, 3, 4, 4)})


@pytest.mark.parametrize("taken", [True, False])
def test_the_branch_of_an_if_that_runs(taken):
    rng = np.random.default_rng(0)
    made, z = choice(rng), whole(rng, 1, 2, 4, 4)
    feeds = {"z": z, "c": np.array(taken)}
    ran, rested, its_branch = ("t_up", "e_up", "else_branch") if taken else ("e_up", "t_up", "then_branch")
    found = seen(made, **feeds)
    np.testing.assert_array_equal(found[ran], -z)
    assert found[rested] == f"in If 'if', {its_branch}, which does not run on these feeds"
    done = accelerate(made, feeds=feeds, threads=1)
    outcomes = {layer.name: (layer.variant, layer.reason) for layer in done.layers}
    assert outcomes == {ran: ("one_conv", ""), rested: (None, found[rested])}
    assert done.changed == 1
    assert {layer.place for layer in done.layers} == {"If 'if', then_branch", "If 'if', else_branch"}
    same_results(made, done.model, {"z": z, "c": np.array(True)}, {"z": z, "c": np.array(False)})


@pytest.mark.parametrize("rounds", [1, 3])
def test_the_last_round_of_a_loop(rounds):
    rng = np.random.default_rng(1)
    made, x = growing_loop(rng, rounds), whole(rng, 2, 2, 5)
    before = x if rounds == 1 else run(growing_loop(np.random.default_rng(1), rounds - 1), x=x)[0]
    np.testing.assert_array_equal(seen(made, x=x)["up"], before)
    done = accelerate(made, feeds={"x": x}, threads=1)
    assert (done.changed, done.layers[0].variant) == (1, "one_conv")
    same_results(made, done.model, {"x": x}, {"x": whole(rng, 1, 2, 5)})


def test_a_loop_of_no_rounds():
    reason = seen(growing_loop(np.random.default_rng(0), 0), x=np.ones((1, 2, 5), np.float32))["up"]
    assert reason == "in Loop 'loop', body, which does not run on these feeds"


@pytest.mark.parametrize("axes", [{}, {"scan_output_axes": [0, 1]}])
def test_a_scan_within_an_if(axes):
    """The Scan has a result that nothing reads, and may have one along another axis."""
    rng = np.random.default_rng(2)
    body = onnx.helper.make_graph(
        [node("Neg", ["row"], "x"), up(["x", "w"], "grown", strides=[2]), node("Identity", ["grown"], "also")],
        "body",
        [value("row", ["N", 2, 5])],
        [value("grown", [None] * 3), value("also", [None] * 3)],
    )
    scan = onnx.helper.make_node(
        "Scan", ["rows"], ["grown_rows", "unread"], "scan", body=body, num_scan_inputs=1, **axes
    )
    rest = onnx.helper.make_graph([node("Identity", ["rows"], "as_is")], "e", [], [value("as_is", [None] * 4)])
    then = onnx.helper.make_graph([scan], "t", [], [value("grown_rows", [None] * 4)])
    made = model(
        [node("If", ["c"], "y", "if", then_branch=then, else_branch=rest)],
        [value("rows", [3, "N", 2, 5]), value("c", [], BOOL)],
        [value("y", [None] * 4)],
        {"w": whole(rng, 2, 2, 4)},
    )
    rows = whole(rng, 3, 1, 2, 5)
    np.testing.assert_array_equal(seen(made, rows=rows, c=np.array(True))["up"], -rows[0])
    assert seen(made, rows=rows, c=np.array(False))["up"].endswith("which does not run on these feeds")
    done = accelerate(made, feeds={"rows": rows, "c": np.array(True)}, threads=1)
    assert done.changed == 1
    same_results(made, done.model, {"rows": rows, "c": np.array(True)})


def test_what_cannot_be_seen_is_said_and_outer_layers_are_measured(monkeypatch):
    def fails(*_):
        raise contest.checks.Rejected(ValueError, "no such thing")

    made = growing_loop(np.random.default_rng(0))
    made.graph.node.append(up(["y", "w"], "z", "outer", strides=[2]))
    del made.graph.output[:]
    made.graph.output.append(value("z", [None] * 3))
    monkeypatch.setattr("tconv.onnx.exposing._Exposing._carried", fails)
    done = accelerate(made, threads=1)
    assert [layer.reason for layer in done.layers] == ["", "what it reads cannot be seen: no such thing"]
    assert done.layers[0].seconds[ORIGINAL] == 1.0
