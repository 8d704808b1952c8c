"""The parameters of one layer as its framework spells them, checked one by one under the framework's own names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from tconv import checks, resolve, sizes
from tconv.geometry import Geometry
from tconv.resolve import Ints

#: The coarse size that stands in for one that is not known.
NOMINAL_COARSE = 16
#: The number of axes where no value is given for each axis: most layers are of images.
USUAL_NDIM = 2


class Given:
    """Parameters by name, None counting as left out, with the kernel, the coarse size and the number of axes."""

    def __init__(
        self,
        parameters: Mapping[str, Any],
        known: Sequence[str],
        kernel_name: str | None,
        kernel: Ints | None,
        coarse: Ints | None,
        ndim: int | None,
        other_lengths: Sequence[str] = (),
    ) -> None:
        for name in parameters:
            if name not in known:
                checks.wrong(f"parameters must be named {checks.words(known)}; got {name!r}")
        self.parameters = {name: value for name, value in parameters.items() if value is not None}
        per_axis = {name: value for name, value in self.parameters.items() if name not in other_lengths}
        self.ndim = _ndim(ndim, [("coarse", coarse), ("kernel", kernel), *per_axis.items()])
        self.kernel = self._kernel(kernel_name, kernel)
        self.coarse = None if coarse is None else checks.per_axis("coarse", coarse, self.ndim, 1)

    def __contains__(self, name: str) -> bool:
        return name in self.parameters

    def __getitem__(self, name: str) -> Any:
        return self.parameters[name]

    def get(self, name: str, default: Any = None) -> Any:
        """The value as it was given."""
        return self.parameters.get(name, default)

    def ints(self, name: str, default: int, least: int | None = None) -> tuple[int, ...]:
        """One integer an axis."""
        return checks.per_axis(name, self.parameters.get(name, default), self.ndim, least)

    def count(self, name: str) -> int | None:
        """One positive integer for the layer."""
        return checks.integer(name, self.parameters[name], 1) if name in self else None

    def choice(self, name: str, allowed: Sequence[str], default: str) -> str:
        """One of a few words."""
        return checks.choice(name, self.parameters.get(name, default), allowed)

    def agreed(self, keyword: str, name: str | None, value: int | None) -> int | None:
        """A count that both the parameters and the caller may say, if they agree."""
        said = None if name is None else self.count(name)
        if value is None:
            return said
        value = checks.integer(keyword, value, 1)
        if said is not None and said != value:
            checks.wrong(f"{keyword} must be {said}, as the parameter {name} says; got {value}")
        return value

    def flag(self, keyword: str, name: str | None, value: bool | None) -> bool | None:
        """A yes or no that both the parameters and the caller may say, if they agree."""
        said = self.parameters.get(name) if name is not None else None
        for what, answer in ((name, said), (keyword, value)):
            if answer is not None and not isinstance(answer, bool):
                checks.wrong_type(f"{what} must be True or False; got {checks.shorten(answer)}")
        if said is not None and value is not None and said != value:
            checks.wrong(f"{keyword} must be {said}, as the parameter {name} says; got {value}")
        return said if value is None else value

    def known_coarse(self, because: str) -> tuple[int, ...]:
        """The coarse size, where something cannot be understood without it."""
        if self.coarse is None:
            checks.wrong(f"coarse must be given with {because}, which says a size; got none")
        return self.coarse

    def geometry(
        self,
        stride: tuple[int, ...],
        padding: Sequence[tuple[int, int] | str],
        output_padding: tuple[int, ...],
        dilation: tuple[int, ...],
        output_size: tuple[int, ...] | None = None,
    ) -> Geometry:
        """The geometry of this kernel on the coarse size given, or on the nominal one."""
        coarse = self.coarse or tuple(map(_nominal, self.kernel, stride, padding, dilation))
        window = resolve.AxisArguments(coarse, self.kernel, stride, tuple(padding), dilation)
        return Geometry(resolve.conv_transpose(window, output_padding, output_size))

    def _kernel(self, name: str | None, kernel: Ints | None) -> tuple[int, ...]:
        named = self.parameters.get(name) if name is not None else None
        if named is None and kernel is None:
            _no_kernel(name)
        said = None if named is None else checks.per_axis(str(name), named, self.ndim, 1)
        if kernel is None:
            assert said is not None
            return said
        taps = checks.per_axis("kernel", kernel, self.ndim, 1)
        if said is not None and said != taps:
            checks.wrong(f"kernel must be {said}, as the parameter {name} says; got {taps}")
        return taps


def _nominal(kernel: int, stride: int, padding: tuple[int, int] | str, dilation: int) -> int:
    """A coarse size of one axis that is not known: the nominal one, or the least that the padding leaves a cell of."""
    crop = 0 if isinstance(padding, str) else sum(padding)
    return max(NOMINAL_COARSE, 1 - (sizes.effective_kernel(kernel, dilation) - 1 - crop) // stride)


def _no_kernel(name: str | None) -> NoReturn:
    where = "it is the shape of the weights" if name is None else f"as the parameter {name} or from the weights"
    checks.wrong(f"kernel must be given, {where}; got none")


def _ndim(ndim: int | None, values: Sequence[tuple[str, object]]) -> int:
    """The number of axes that is given, or that of the first sequence among the values."""
    lengths = {name: len(value) for name, value in values if checks.is_sequence(value)}
    for name, length in lengths.items():
        if not 1 <= length <= checks.MOST_AXES:
            checks.wrong(f"{name} must have an entry for each axis, from 1 to {checks.MOST_AXES} of them; got {length}")
    if ndim is None:
        return next(iter(lengths.values()), USUAL_NDIM)
    if not 1 <= checks.integer("ndim", ndim) <= checks.MOST_AXES:
        checks.wrong(f"ndim must be an integer from 1 to {checks.MOST_AXES}; got {checks.shorten(ndim)}")
    return checks.integer("ndim", ndim)
