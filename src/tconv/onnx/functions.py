"""The functions that a model defines for itself, put in the places of their calls.

The attributes and weights that a function is handed are known only there. Functions that call functions twice, each of
which calls others twice, are small and expand without end for all practical purposes: that is counted first.
"""

from __future__ import annotations

from onnx import ModelProto, inliner

from tconv import checks
from tconv.onnx.graphs import STANDARD
from tconv.onnx.wellformed import FunctionKey, called, functions_of

#: Nodes that a model may have with its functions in place.
MOST_NODES = 1_000_000


def inlined(model: ModelProto, everything: bool = False) -> ModelProto:
    """The model with the functions that hold a ConvTranspose, or all, in the places of their calls."""
    functions = functions_of(model)
    if not functions:
        return model
    sizes, holding = _sizes(model)
    total = sum(sizes.get(key, 1) for key in called(model.graph.node))
    if total > MOST_NODES:
        checks.wrong(
            f"functions of the model must expand to at most {MOST_NODES} nodes; they make {checks.shorten(total)}"
        )
    if not everything and not holding:
        return model
    try:
        if everything:
            return inliner.inline_local_functions(model)
        return inliner.inline_selected_functions(model, [key[:2] for key in holding])
    except Exception as error:  # of many kinds, raised by C++ for calls that do not fit their functions
        checks.wrong(f"functions of the model must fit their calls; {str(error).partition(chr(10))[0]}")


def _sizes(model: ModelProto) -> tuple[dict[FunctionKey, int], list[FunctionKey]]:
    """The nodes that each function comes to, and the functions that hold a ConvTranspose, in themselves or below."""
    functions = functions_of(model)
    sizes: dict[FunctionKey, int] = {}
    holding: dict[FunctionKey, None] = {}
    for key in _callees_first(model):
        below = list(called(functions[key].node))
        sizes[key] = sum(sizes.get(other, 1) for other in below)
        if any(other in holding or (other[1] == "ConvTranspose" and other[0] in STANDARD) for other in below):
            holding[key] = None
    return sizes, list(holding)


def _callees_first(model: ModelProto) -> list[FunctionKey]:
    """Functions in an order in which none comes before one that it calls; they are known not to call themselves."""
    functions = functions_of(model)
    order: dict[FunctionKey, None] = {}
    waiting = [(key, False) for key in functions]
    while waiting:
        key, done = waiting.pop()
        if done:
            order[key] = None
        elif key not in order:
            waiting.append((key, True))
            waiting += [(other, False) for other in called(functions[key].node) if other in functions]
    return list(order)
