"""Transposed convolution for PyTorch: functions and layers that stand in for PyTorch's own, on tconv's engine.

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

__all__ = ["functional", "nn", "accelerate", "restore", "stream", "Stream", "plan", "Plan", "Report"]
