"""Hints on words, numbers, dtypes, and on what is no array."""

from __future__ import annotations

import re
from collections.abc import Sequence
from numbers import Real

#: Words of others, in lower case without signs, and ours.
_WORDS = {
    **dict.fromkeys(("nhwc", "nwc", "nlc", "ndhwc", "hwc", "channellast", "last"), "channels_last"),
    **dict.fromkeys(("nchw", "ncw", "ncl", "ncdhw", "chw", "channelfirst", "first"), "channels_first"),
    "sameupper": "same",
    **dict.fromkeys(("transposed", "transpose", "convtranspose2d", "deconv", "deconvolution"), "conv_transpose"),
    **dict.fromkeys(("convolution", "conv2d"), "conv"),
    "linear": "bilinear",
    "cubic": "bicubic",
    **dict.fromkeys(("fp16", "f16", "half"), "float16"),
    "bf16": "bfloat16",
    **dict.fromkeys(("fp32", "f32", "float", "single"), "float32"),
    **dict.fromkeys(("fp64", "f64", "double"), "float64"),
}


def word(given: str, allowed: Sequence[str]) -> str:
    """Which of the words that are allowed was meant by another one."""
    known = {_plain(name): name for name in allowed}
    meant = known.get(_plain(given)) or _WORDS.get(_plain(given))
    return f'; did you mean "{meant}"?' if meant in allowed else ""


def _plain(text: str) -> str:
    return re.sub(r"[^a-z0-9]", "", text.lower())


def dtype(shown: str, allowed: Sequence[str]) -> str:
    """Which dtype was meant by a word, or by that of another library."""
    if shown == "bool":
        return '; .astype("uint8") keeps 0 and 1'
    return word(shown.strip("'").rpartition(".")[2], allowed)


def number(name: str, given: object) -> str:
    """What was meant by a number that is no integer."""
    value = _real(given)
    if value is None:
        return ""
    if name.startswith("stride") and 0 < value < 1:
        return fractional_stride(value)
    if name.startswith("padding") and value % 1 == 0.5:
        low = int(value // 1)
        return f"; one cell more at one end is a (low, high) pair, such as ({low}, {low + 1})"
    if name == "scale":
        return "; a transposed convolution enlarges by its stride, a whole number" if value % 1 else ""
    return ""


def fractional_stride(value: float) -> str:
    """A stride below 1, as texts on fractionally strided convolution have it."""
    whole = int(1 / value + 0.5)
    ours, theirs = (str(whole), f"1/{whole}") if abs(whole * value - 1) < 0.02 else ("s", "1/s")
    return f"; stride {ours} of a transposed convolution is what texts call a fractional stride {theirs}"


def fraction(text: str) -> float | None:
    """A number as it is typed, such as 0.5 or 1/2; None for another text."""
    found = re.fullmatch(r"\s*([0-9]{0,9}(?:\.[0-9]{0,9})?)(?:/([0-9]{1,9}))?\s*", text)
    if found is None or not found[1].strip(".") or not int(found[2] or 1):
        return None
    return float(found[1]) / int(found[2] or 1)


def _real(given: object) -> float | None:
    """The number that something is or says; None where it is none, or too large for a fraction to matter."""
    if isinstance(given, str):
        return fraction(given)
    if isinstance(given, bool) or not isinstance(given, Real):
        return None
    try:
        value = float(given)
    except OverflowError:  # of an exact fraction
        return None
    return value if abs(value) < 2**53 else None


def cast(name: str, got: str, other: str, wanted: str) -> str:
    """How two arrays come to one dtype: that of the array that counts, unless a part or a fraction would be lost."""
    if _holds(wanted) < _holds(got):
        return f'; {other}.astype("{got}")?'
    return f'; {name}.astype("{wanted}")?' if _holds(wanted) else ""


def _holds(dtype: str) -> int:
    """Whole numbers, fractions, or two parts."""
    return 2 if "complex" in dtype else 1 if "float" in dtype else 0


def array(name: str, value: object) -> str:
    """How something that holds numbers becomes an array."""
    if type(value).__module__.startswith("xarray.") and hasattr(value, "data_vars"):  # a Dataset; NumPy takes its names
        first = next(iter(value.data_vars), "NAME")
        return f"; {name}[{first!r}] is one of its arrays, and {name}.to_dataarray() all of them"
    if name == "out" or not (hasattr(value, "__array__") or hasattr(value, "__array_interface__")):
        return ""
    if type(value).__module__.startswith("dask."):  # NumPy would compute it
        return "; tconv.conv_transpose, conv and weight_gradient take Dask arrays"
    return f"; {name}.filled(0) is one without a mask" if hasattr(value, "filled") else f"; np.asarray({name}) is one"


def tensor(name: str, value: object) -> str:
    """How an array becomes a tensor of PyTorch, where tensors are wanted or another operand is one."""
    return f"; torch.as_tensor({name}) is one" if isinstance(value, list) or hasattr(value, "__array__") else ""
