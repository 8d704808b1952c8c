"""A run whose normalization takes statistics of the result: instance and group normalization.

They are known when all of a plane is there, so nothing can be done as the engine stores it. The convolution is called
as it is, on whichever is faster; of its result, which nobody else has, a kernel takes the statistics, and normalizes
and activates it where it lies.
"""

from __future__ import annotations

from collections.abc import Hashable
from math import prod

import numpy as np
import torch
from torch import Tensor, nn
from torch.autograd.profiler import record_function

from tconv.jit.call import PreparedCall
from tconv.jit.kernels import by_plane
from tconv.jit.machine.address import address
from tconv.torch.engine import DTYPES, MOST_CALLS, Call, profiled
from tconv.torch.fusing.planes import Planes
from tconv.torch.fusing.runs import CONVOLUTIONS, Follower, Run, finishing_of, follower_of, readable
from tconv.torch.halves import HALVES
from tconv.torch.plain import plain


def computed(run: Run, x: Tensor) -> Tensor | None:
    """The result of a run, None where its modules have to compute it."""
    known, follower = follower_of(run)
    parameters = run.conv._parameters
    w, bias = parameters.get("weight"), parameters.get("bias")
    if not known or w is None or not plain(x, w, bias) or x.dtype not in DTYPES or x.dtype in HALVES:
        return None
    own = run.statistics._parameters
    scale, shift = own.get("weight"), own.get("bias")
    slope = None if follower is None else follower.slope
    recorded = torch.is_grad_enabled() and any(
        t is not None and t.requires_grad for t in (x, w, bias, scale, shift, slope)
    )
    if recorded or not readable((scale, shift, slope), x.dtype):
        return None
    y: Tensor = run.conv(x)
    planes = _planes(run, y, (scale, shift), follower)
    if planes is None:
        for module in run.members[1:]:
            y = module(y)
        return y
    if profiled():
        with record_function("tconv::normalization"):
            planes.normalize(y, run.statistics.eps, scale, shift, slope)
    else:
        planes.normalize(y, run.statistics.eps, scale, shift, slope)
    return y


#: Kernels by what they depend on.
_calls: dict[Hashable, PlanesCall] = {}


def _planes(
    run: Run, y: Tensor, affine: tuple[Tensor | None, Tensor | None], follower: Follower | None
) -> PlanesCall | None:
    """The kernel for results of such a shape, None where PyTorch's modules have to say or to do something."""
    axes = CONVOLUTIONS[type(run.conv)][1] + 2
    if type(y) is not Tensor or y.dim() != axes or not y.is_contiguous() or not y.data_ptr():
        return None
    slope = None if follower is None else follower.slope
    channels = (y.shape[1],)
    if any(t is not None and t.shape != channels for t in affine):
        return None
    if slope is not None and slope.shape not in ((1,), channels):
        return None
    words = None if follower is None else (follower.name, follower.number, None if slope is None else slope.shape)
    key = y.shape, y.dtype, type(run.statistics), run.groups, words
    known = _calls.get(key)
    if known is None or not known.is_current():
        if not _allowed(run, y):
            return None
        if len(_calls) >= MOST_CALLS:
            _calls.clear()
        known = _calls[key] = PlanesCall(y, run.groups, follower)
    return known


def _allowed(run: Run, y: Tensor) -> bool:
    """Whether PyTorch would take these statistics, and there are kernels for this processor."""
    channels, groups = y.shape[1], run.groups
    if groups < 1 or channels % groups or not by_plane.available():
        return False
    of_group = prod(y.shape[2:]) * (channels // groups)
    if type(run.statistics) is nn.GroupNorm:
        return run.statistics.num_channels == channels and y.shape[0] * of_group > 1
    return groups == channels and of_group > 1


class PlanesCall(PreparedCall):
    """A normalization and what follows it, for tensors of a shape."""

    __slots__ = ("parameters", "planes")
    current = staticmethod(Call.current)

    def __init__(self, y: Tensor, groups: int, follower: Follower | None) -> None:
        super().__init__()
        finishing = None if follower is None else finishing_of(follower)
        #: The number that kernels read, if the activation has one.
        self.parameters = np.zeros(1) if finishing is None else finishing.parameters(DTYPES[y.dtype])
        self.planes = Planes(y.shape, y.dtype, groups, finishing and finishing.epilogue)

    def normalize(
        self, y: Tensor, eps: float, scale: Tensor | None, shift: Tensor | None, slope: Tensor | None
    ) -> None:
        """Normalize y where it lies."""
        parameters = address(self.parameters) if slope is None else slope.data_ptr()
        scale_at, shift_at = (0 if t is None else t.data_ptr() for t in (scale, shift))
        self.planes.run(y.data_ptr(), y.data_ptr(), parameters, scale_at, shift_at, eps)
