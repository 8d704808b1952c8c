"""Transposed convolution for PyTorch: functions and layers that stand in for PyTorch's own, on tconv's engine."""

from tconv.torch import functional, nn, registered as _registered

__all__ = ["functional", "nn"]
