"""ONNX models: what their transposed convolutions are, what they compute, and how else to say them. Needs onnx."""

# ruff: noqa: E402 - what is missing is said before anything is imported that needs it
from tconv import extras

extras.need("onnx", "onnx", "onnx")

from tconv.onnx.acceleration import Acceleration, Measured, accelerate
from tconv.onnx.convolutions import VARIANTS
from tconv.onnx.evaluate import ConvTranspose, run_node
from tconv.onnx.files import load, save
from tconv.onnx.inspection import Inspected, Inspection, inspect
from tconv.onnx.rewriting import Rewriting, Rewritten, rewrite

__all__ = [
    "inspect",
    "Inspection",
    "Inspected",
    "run_node",
    "ConvTranspose",
    "rewrite",
    "Rewriting",
    "Rewritten",
    "VARIANTS",
    "accelerate",
    "Acceleration",
    "Measured",
    "load",
    "save",
]
