"""Large models take time in proportion to their nodes: one node more costs the same however many there are."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

onnx = pytest.importorskip("onnx", exc_type=ModuleNotFoundError)
pytest.importorskip("onnxruntime", exc_type=ModuleNotFoundError)
from graph_models import BOOL, model, node, tensor, up, value  # noqa: E402
from onnx import ModelProto, helper  # noqa: E402

import tconv.onnx  # noqa: E402
from tconv.onnx.exposing import expose  # noqa: E402
from tconv.onnx.extracting import alone  # noqa: E402
from tconv.onnx.graphs import inferred  # noqa: E402
from tconv.onnx.nodes import conv_transposes  # noqa: E402

W = np.ones((2, 2, 2, 2), np.float32)
OURS = str(Path(tconv.onnx.__file__).parent)


def steps(function):
    """How many instructions of tconv.onnx Python runs: unlike seconds the same each time, on any machine."""
    count = 0

    def trace(frame, event, _):
        nonlocal count
        if not frame.f_code.co_filename.startswith(OURS):
            return None
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        count += event == "opcode"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        function()
    finally:
        sys.settrace(before)
    return count


def together(nodes, weights, results, *more, functions=()):
    """A model whose result is that of these nodes, one behind the other."""
    nodes = [*nodes, node("Concat", results, "y", axis=1)]
    return model(nodes, [value("x", [1, 2, 4, 4]), *more], [value("y", [None] * 4)], weights, functions=functions)


def layers(number):
    names = range(number)
    nodes = [up(("x", f"w{i}"), f"y{i}", f"up{i}", strides=[2, 2]) for i in names]
    return together(nodes, {f"w{i}": W * (i + 1) for i in names}, [f"y{i}" for i in names])


def of_one_name(number):
    made = layers(number)
    for each in made.graph.node:
        each.name = "up"
    return made


def normalized(number):
    names, nodes = range(number), []
    for i in names:
        nodes += [up(("x", "w"), f"u{i}", f"up{i}", strides=[2, 2])]
        nodes += [node("BatchNormalization", [f"u{i}", "one", "one", "one", "one"], f"y{i}")]
    return together(nodes, {"w": W, "one": np.ones(2, np.float32)}, [f"y{i}" for i in names])


def handed_on(number):
    """As many layers as there are nodes between them and their weights."""
    nodes = [helper.make_node("Constant", [], ["w0"], value=tensor("w0", W))]
    nodes += [node("Identity", [f"w{i}"], f"w{i + 1}") for i in range(number)]
    nodes += [up(("x", f"w{number}"), f"y{i}", f"up{i}", strides=[2, 2]) for i in range(number)]
    return together(nodes, {}, [f"y{i}" for i in range(number)])


def branches(number):
    nodes = []
    for i in range(number):
        held = {
            f"{which}_branch": helper.make_graph(
                [up(("x", f"{which}w{i}"), f"{which}{i}", f"{which}_up{i}", strides=[2, 2])],
                which, [], [value(f"{which}{i}", [None] * 4)], [tensor(f"{which}w{i}", W)],
            )
            for which in ("then", "else")
        }  # fmt: skip
        nodes.append(node("If", ["c"], f"y{i}", f"if{i}", **held))
    return together(nodes, {}, [f"y{i}" for i in range(number)], value("c", [], BOOL))


def others(number):
    nodes = [node("Relu", [f"v{i}"], f"v{i + 1}") for i in range(number)]
    return model(nodes, [value("v0", [1, 2, 4, 4])], [value(f"v{number}", [1, 2, 4, 4])])


def functions(number):
    """Each calls the next one."""
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("f", 1)]
    bodies = [helper.make_node(f"F{i + 1}", ["x"], ["y"], domain="f") for i in range(number - 1)]
    bodies.append(node("Relu", ["x"], "y"))
    made = [helper.make_function("f", f"F{i}", ["x"], ["y"], [body], opsets) for i, body in enumerate(bodies)]
    call = helper.make_node("F0", ["x"], ["y0"], domain="f")
    return together([call], {}, ["y0"], functions=made)


def exposed(made):
    """What `accelerate` sees of the layers: each as a model of its own, and the values that they read as outputs."""
    found = list(conv_transposes(made, inferred(made)))
    for each in found:
        alone(made, each, 4)
    shown = ModelProto()
    shown.CopyFrom(made)
    twins = conv_transposes(shown, None)
    expose(shown, [(each.scope, each.node.input[0], 1) for each in twins])


WITH_LAYERS = [layers, of_one_name, normalized, handed_on, branches]
TASKS = {
    tconv.onnx.rewrite: [*WITH_LAYERS, others, functions],
    tconv.onnx.inspect: [*WITH_LAYERS, others, functions],
    exposed: WITH_LAYERS,
}
#: What a node more may cost where there are twice as many before it; a walk through the graph for each makes it 1.2.
SLACK = 1.01


@pytest.mark.parametrize(("task", "make"), [(task, make) for task, models in TASKS.items() for make in models])
def test_one_node_more_costs_the_same(task, make):
    models = [make(number) for number in (8, 16, 24)]
    task(models[-1])  # what is remembered of single layers, such as their geometry, is so from the start
    few, some, many = (steps(lambda made=made: task(made)) for made in models)
    assert 0 < many - some <= SLACK * (some - few)
