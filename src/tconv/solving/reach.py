"""One axis: the parameter sets that tie a coarse size to a fine one.

For one kernel and one stride the equation of the sizes fixes a single number, what is cropped on balance:

    crop = low + high - output_padding = (coarse - 1) * stride + dilation * (kernel - 1) + 1 - fine

so a solution is a choice of `low`: it decides which coarse cell touches which fine position. Of the ways to write one
`low` (a cell of padding more at the high end and one of output padding more cancel) the symmetric one is taken where
there is one, else the one with the least output padding. All of it is intervals of integers; no size is ever scanned.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice

from tconv import sizes
from tconv.axis import Axis


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of one axis; None where a parameter is free."""

    coarse: int
    fine: int
    scale: int | None  #: set where fine = scale * coarse is to hold for every coarse size, not just for this one
    kernel: int | None
    stride: int | None
    padding: sizes.Padding | None
    output_padding: int | None
    dilation: int
    max_kernel: int | None

    @property
    def strides(self) -> tuple[int, ...]:
        """The strides to try, ascending, that leave room for the output padding: it is less than max(stride, dilation).

        They are the given one, else the scale, else those that the ratio of the sizes suggests: fine / coarse, and
        where that is no whole number, rounded down and up, and the largest at which the last coarse cell lies inside
        the fine grid. Kernel and padding, if given, suggest the largest that they leave room for. At one coarse cell no
        stride shows in the sizes: 1 and the fine size stand for all.
        """
        return tuple(s for s in self.tried_strides if (self.output_padding or 0) < max(s, self.dilation))

    @property
    def tried_strides(self) -> tuple[int, ...]:
        """`strides` before the output padding is looked at."""
        if self.stride is not None:
            return (self.stride,) if self.scale in (None, self.stride) else ()
        if self.scale is not None:
            return (self.scale,)
        if self.coarse == 1:
            return tuple(sorted({1, self.fine}))
        suggested = {self.fine // self.coarse, -(-self.fine // self.coarse), self._largest_stride}
        return tuple(s for s in sorted(suggested) if s >= 1)

    @property
    def _largest_stride(self) -> int:
        """The largest stride that the sizes leave room for, where they or the fixed parameters say so."""
        if self.kernel is not None and self.padding is not None:
            reach = sizes.effective_kernel(self.kernel, self.dilation)
            room = self.fine + sum(self.padding) - reach - (self.output_padding or 0)
            return room // (self.coarse - 1)
        return (self.fine - 1) // (self.coarse - 1) if self.fine % self.coarse else 0

    def output_paddings(self, stride: int) -> tuple[int, int]:
        """The least and the largest output padding."""
        a = self.output_padding
        return (0, max(stride, self.dilation) - 1) if a is None else (a, a)

    def crop(self, kernel: int, stride: int) -> int:
        """What low + high - output_padding has to be."""
        return sizes.fine_size(self.coarse, kernel, stride, (0, 0), 0, self.dilation) - self.fine

    def kernels(self, stride: int) -> range:
        """The kernels that reach the fine size at this stride: an interval, cut at the largest one to try."""
        least, most = self._reaching(stride)
        if self.kernel is not None:
            least, top = max(least, self.kernel), self.kernel
        else:
            top = self._largest_tried(stride)
        return range(least, (top if most is None else min(top, most)) + 1)

    def _largest_tried(self, stride: int) -> int:
        """max_kernel, or the default; where no kernel that small reaches at any stride, the smallest that does."""
        if self.max_kernel is not None:
            return self.max_kernel
        reaching = {s: self._reaching(s) for s in self.strides}
        starts = {s: least for s, (least, most) in reaching.items() if most is None or least <= most}
        if stride in starts and all(start > default_max_kernel(s) for s, start in starts.items()):
            return starts[stride]
        return default_max_kernel(stride)

    def _reaching(self, stride: int) -> tuple[int, int | None]:
        """The first and the last kernel that reach, of any size; there is no last one where padding is free."""
        least, most = self.output_paddings(stride)
        beside = self.crop(1, stride) - 1  # the crop without the cells that the kernel spans
        if self.padding is None:  # 0 <= low + high <= twice what one end may crop
            return self._spanning(max(-most - beside, beside + least + 2)), None
        first, last = sum(self.padding) - most - beside, sum(self.padding) - least - beside
        return self._spanning(first), (last - 1) // self.dilation + 1

    def _spanning(self, cells: int) -> int:
        """The smallest kernel that spans this many cells."""
        return max(-(-(cells - 1) // self.dilation), 0) + 1

    def gapless_from(self, stride: int) -> int:
        """The smallest kernel whose last tap can reach to the end of the fine grid: high >= output_padding."""
        beside = self.crop(1, stride) - 1
        least, _ = self.output_paddings(stride)
        return self._spanning(max(-beside, least + 1) if self.padding is None else self.padding[0] - beside)

    def axes(self, kernel: int, stride: int, limit: int) -> list[Axis]:
        """The solutions with this kernel and stride, in no order, but with the best `limit` among them."""
        crop = self.crop(kernel, stride)
        least, most = self.output_paddings(stride)
        if self.padding is not None:
            ends = [self.padding] if least <= sum(self.padding) - crop <= most else []
        else:
            lows = self._lows(crop, sizes.effective_kernel(kernel, self.dilation) - 1, least, most, limit)
            ends = [(low, max(low, crop + least - low)) for low in lows]
        return [Axis(self.coarse, kernel, stride, pair, sum(pair) - crop, self.dilation) for pair in ends]

    def _lows(self, crop: int, end: int, least: int, most: int, limit: int) -> list[int]:
        """Where 0 <= low <= high <= end and the output padding is in its bounds, from the most even split outwards."""
        first, last = max(0, crop + least - end), min(end, (crop + most) // 2)
        middle = max(first, -((-crop - least) // 2))  # from here on padding is symmetric (output padding free)
        up = range(middle, last + 1)
        down = range(min(middle - 1, last), first - 1, -1)
        gapless = range(min(middle - 1, last, crop), first - 1, -1)  # high >= output_padding
        return sorted({low for lows in (up, down, gapless) for low in islice(lows, limit)})


def default_max_kernel(stride: int) -> int:
    """The largest kernel that is tried unless told otherwise: 4 strides, and at least 7."""
    return max(4 * stride, 7)
