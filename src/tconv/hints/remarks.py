"""Remarks on shapes that fit, and are probably not meant: channels at the other end, weights in another order."""

from __future__ import annotations

Shape = tuple[int, ...]

#: So many channels at most has a picture, so many cells at least an axis of one, so many taps at most most kernels.
_CHANNELS, _CELLS, _TAPS = 4, 8, 11


def of_grid(name: str, shape: Shape, batched: bool, last: bool) -> str:
    """What to say of a grid whose channels seem to lie at the other end; "" where they do not."""
    inner = shape[1:] if batched else shape
    at, others = (inner[0], inner[1:]) if last else (inner[-1], inner[:-1])
    if len(inner) < 3 or at > _CHANNELS or min(others) < _CELLS:
        return ""
    end = "first" if last else "last"
    return f'{name} {shape} looks like {at} channels {end}: if it has, layout="channels_{end}" is meant'


def of_weights(w: Shape) -> str:
    """What to say of weights that seem to have the taps first, as Keras has them; "" where they do not."""
    first, inner = w[:-2], w[-2:]
    if len(w) < 4 or len(set(first)) > 1 or not 2 <= first[0] <= _TAPS:
        return ""
    if any(size < _CELLS or size % _CELLS for size in inner):
        return ""
    order = (len(w) - 1, len(w) - 2, *range(len(w) - 2))
    return f"w {w} looks like a kernel of {'x'.join(map(str, first))} first: if it is, w.transpose{order} is meant"


def of_size(size: Shape) -> str:
    """What to say of the size of a grid that seems to have channels among its axes; "" where it has none."""
    if len(size) == 4 and min(size[2:]) >= _CELLS:
        said, without = ("x".join(map(str, sizes)) for sizes in (size, size[2:]))
        return f"{said} has 4 axes of size; if the first two are batch and channels, the size is {without}"
    for channels, rest in ((size[-1], size[:-1]), (size[0], size[1:])):
        if len(rest) > 1 and channels <= _CHANNELS and min(rest) >= _CELLS:
            said, without = ("x".join(map(str, sizes)) for sizes in (size, rest))
            return f"{said} has {len(size)} axes of size; if {channels} counts channels, the size is {without}"
    return ""
