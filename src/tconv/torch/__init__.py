"""Convolution for PyTorch, transposed and not: functions and layers in place of PyTorch's own, on tconv's engine.

It is imported when it is first asked for, and needs PyTorch.
"""

# ruff: noqa: E402 - what is missing is said before anything is imported that needs it
from tconv import extras

extras.need("torch", "PyTorch", "torch")

from tconv.torch import batched as _batched  # noqa: F401 - registers the operators, and how vmap maps over them
from tconv.torch import functional, nn
from tconv.torch.acceleration import accelerate, restore
from tconv.torch.acceleration_report import Report
from tconv.torch.plan import Plan, plan
from tconv.torch.streams import Stream, stream
from tconv.torch.tiling.calls import tile_plan, tiles
from tconv.torch.tiling.report import TilePlan

__all__ = [
    "functional",
    "nn",
    "accelerate",
    "restore",
    "stream",
    "Stream",
    "tiles",
    "tile_plan",
    "TilePlan",
    "plan",
    "Plan",
    "Report",
]
