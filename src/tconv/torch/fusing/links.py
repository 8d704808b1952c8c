"""What forward methods call that were written anew: the links of chains that are no modules."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

#: The method that a rewritten one calls.
METHOD = "_tconv_chain"
#: What stands for the name of an addition: of what is on its right, on its left, or in place.
ADDITIONS = ("+", "+r", "+=")
#: For that of what is in a variable, or in a list: which module it is is known when it is called.
LOOKED_UP = "[]"
#: And for that of a function that has one more argument, a number: both are given as a pair.
PAIR = "()"


class Add:
    """An addition as a function of one argument."""

    __slots__ = ("how", "other")

    def __init__(self, how: str, other: Any) -> None:
        self.how, self.other = how, other

    def __call__(self, x: Any) -> Any:
        """The sum."""
        if self.how == "+=":
            x += self.other
            return x
        return x + self.other if self.how == "+" else self.other + x

    def __repr__(self) -> str:
        return "Add()"


class Pair(NamedTuple):
    """A function with its second argument."""

    function: Any
    argument: Any

    def __call__(self, x: Any) -> Any:
        """What it makes of the first one."""
        return self.function(x, self.argument)


def given(names: Sequence[str], called: Sequence[Any]) -> list[Any]:
    """What a rewritten method has called, each as a function of one argument."""
    return [
        Add(name, each) if name in ADDITIONS else Pair(*each) if name == PAIR else each
        for name, each in zip(names, called, strict=True)
    ]
