"""What a model must be before anything else looks at it: complete, in order, and of sizes that can be.

Models come from strangers. These checks need no memory beyond the model's own, follow no reference twice, and name
what is wrong; whether operators are used as their specification says is left to `onnx.checker` and the runtimes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import TypeAlias

from onnx import FunctionProto, GraphProto, ModelProto, NodeProto, TensorProto

from tconv import checks
from tconv.onnx import tensors
from tconv.tables import printable

#: What tells functions apart: domain, name, overload.
FunctionKey: TypeAlias = tuple[str, str, str]

#: How many inputs the operators have that are looked into.
_INPUTS = {"ConvTranspose": 2, "Conv": 2, "MatMul": 2, "Gemm": 2, "BatchNormalization": 5, "Identity": 1}

#: Graphs inside nodes inside graphs: more than any exporter nests, less than Python's recursion allows.
MOST_NESTED = 100


def check_model(model: ModelProto) -> None:
    """A model whose graph, subgraphs and functions are well-formed; raises `checks.Rejected` where they are not."""
    if not model.HasField("graph") or not model.ir_version:
        checks.wrong("model must hold a graph and an ir_version; it is empty, truncated, or no ONNX model")
    if not model.opset_import:
        checks.wrong("model must import an operator set; it is truncated, or made without one")
    _check_text([entry.domain for entry in model.opset_import], "the imports of the model")
    for function in model.functions:
        _check_text((function.domain, function.name, function.overload, *function.output), "the functions of the model")
    functions = functions_of(model)
    if len(functions) < len(model.functions):
        checks.wrong("functions of the model must have different names; two are called the same")
    _check_calls(functions)
    for function in model.functions:
        known = set(_defined("function inputs", function.input))
        _check_nodes(function.node, known, f"function {function.name!r}")
        _check_outputs(function.output, known, f"function {function.name!r}")
    _check_graph(model.graph, set(), "the graph", 0)


def functions_of(model: ModelProto) -> dict[FunctionKey, FunctionProto]:
    """The functions that the model defines for itself."""
    return {(function.domain, function.name, function.overload): function for function in model.functions}


def called(nodes: Iterable[NodeProto]) -> Iterator[FunctionKey]:
    """What each node, and each node of a graph inside of it, would call if it were a function."""
    for node in nodes:
        yield node.domain, node.op_type, node.overload
        for _, graph in subgraphs(node):
            yield from called(graph.node)


def subgraphs(node: NodeProto) -> Iterator[tuple[str, GraphProto]]:
    """The graphs that a node holds, such as both branches of an If, with the names of their attributes."""
    for attribute in node.attribute:
        if attribute.HasField("g"):
            yield attribute.name, attribute.g
        for graph in attribute.graphs:
            yield attribute.name, graph


def node_tensors(node: NodeProto) -> Iterator[TensorProto]:
    """The tensors that a node holds as attributes."""
    for attribute in node.attribute:
        if attribute.HasField("t"):
            yield attribute.t
        yield from attribute.tensors


def title(node: NodeProto) -> str:
    """A node as a message names it: by its operator, and its name or else its first output."""
    operator = printable(node.op_type)
    if node.name:
        return f"{operator} {node.name!r}"
    return operator + next((f" of {output!r}" for output in node.output if output), "")


def _check_graph(graph: GraphProto, known: set[str], place: str, depth: int) -> None:
    """`known` is what the graphs around have by then; it is what it was when this one has been checked."""
    if depth > MOST_NESTED:
        checks.wrong(f"graphs of the model must nest at most {MOST_NESTED} deep; {place} is deeper")
    for tensor in graph.initializer:
        tensors.check(tensor)
    for sparse in graph.sparse_initializer:
        tensors.byte_count(TensorProto(dims=sparse.dims, name=sparse.values.name, data_type=sparse.values.data_type))
        tensors.check(sparse.values)
        tensors.check(sparse.indices)
    constants = [tensor.name for tensor in graph.initializer]
    constants += [sparse.values.name for sparse in graph.sparse_initializer]
    given = _defined("inputs", [value.name for value in graph.input]) | _defined("initializers", constants)
    own = (given | _made(graph.node)) - known
    known |= given
    _check_nodes(graph.node, known, place, depth)
    _check_outputs([value.name for value in graph.output], known, place)
    known -= own


def _check_nodes(nodes: Sequence[NodeProto], known: set[str], place: str, depth: int = 0) -> None:
    """Every node reads only what is there before it, and makes what nothing else has made; `known` grows by that."""
    later, made = _made(nodes), set[str]()
    for node in nodes:
        _check_node(node, place)
        for name in node.input:
            if name and name not in known:
                _not_there(node, name, name in later, place)
        for tensor in node_tensors(node):
            tensors.check(tensor)
        for attribute, graph in subgraphs(node):
            _check_graph(graph, known, f"{attribute} of {title(node)}", depth + 1)
        for name in filter(None, node.output):
            if name in made:
                checks.wrong(f"each value must be made once; {title(node)} in {place} makes {name!r} again")
            made.add(name)
            known.add(name)


def _check_node(node: NodeProto, place: str) -> None:
    """The texts of a node are texts, and it has the inputs and the output that its operator has."""
    texts = (node.op_type, node.domain, node.overload, node.name, node.doc_string, *node.input, *node.output)
    _check_text((*texts, *(a.name for a in node.attribute), *(a.ref_attr_name for a in node.attribute)), place)
    least = _INPUTS.get(node.op_type, 0)
    given = len(node.input) if all(node.input[:least]) else 0
    if given < least or (least and not (node.output and node.output[0])):
        needed = checks.count(least, "input")
        checks.wrong(f"{title(node)} in {place} must have {needed} and an output; it has {list(node.input)}")


def _check_text(texts: Iterable[object], place: str) -> None:
    """Protobuf hands out bytes where a text is not valid UTF-8."""
    for text in texts:
        if not isinstance(text, str):
            checks.wrong(f"names in {place} must be UTF-8 text; got {checks.shorten(text)}")


def _not_there(node: NodeProto, name: str, is_made_later: bool, place: str) -> None:
    if is_made_later:
        trouble = "made only by it or after it: the nodes form a cycle, or are out of order"
    else:
        trouble = "neither an input, nor a weight, nor made by a node: the model is incomplete"
    checks.wrong(f"{title(node)} in {place} must read values that exist; {name!r} is {trouble}")


def _check_outputs(names: Iterable[str], known: set[str], place: str) -> None:
    for name in names:
        _check_text([name], place)
        if name not in known:
            checks.wrong(f"the outputs of {place} must be made in it; nothing makes {name!r}")


def _made(nodes: Iterable[NodeProto]) -> frozenset[str]:
    return frozenset(name for node in nodes for name in node.output if name)


def _defined(what: str, names: Sequence[str]) -> frozenset[str]:
    _check_text(names, f"the {what}")
    distinct = frozenset(names)
    if len(distinct) < len(names):
        repeated = next(name for name, times in Counter(names).items() if times > 1)
        checks.wrong(f"{what} of the model must have different names; {repeated!r} is there twice")
    return distinct


def _check_calls(functions: dict[FunctionKey, FunctionProto]) -> None:
    """No function calls itself, not even through others: inlining it would not end."""
    finished: set[FunctionKey] = set()
    for start in functions:
        path: dict[FunctionKey, None] = {}
        waiting = [(start, False)]
        while waiting:
            key, done = waiting.pop()
            if done:
                path.popitem()
                finished.add(key)
            elif key in path:
                checks.wrong(f"functions of the model must not call themselves; {key[1]!r} does")
            elif key not in finished:
                path[key] = None
                waiting.append((key, True))
                waiting += [(other, False) for other in called(functions[key].node) if other in functions]
