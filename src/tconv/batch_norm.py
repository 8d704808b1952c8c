"""A batch normalisation that follows an operation, folded into its weights and its bias."""

from __future__ import annotations

from typing import Any

import numpy as np

from tconv import arguments, arrays, checks
from tconv.problem import Array, Operation

#: What follows an operation.
OPERATIONS: tuple[Operation, ...] = ("conv_transpose", "conv")


def fold_batch_norm(
    w: Array,
    bias: Array | None,
    mean: Array,
    var: Array,
    gamma: Array | None = None,
    beta: Array | None = None,
    *,
    eps: float = 1e-5,
    groups: int = 1,
    operation: Operation = "conv_transpose",
) -> tuple[Array, Array]:
    """Weights and a bias whose operation gives what batch normalisation in evaluation makes of the given one's result.

        gamma * (y - mean) / sqrt(var + eps) + beta,    so    w' = w * scale,  bias' = (bias - mean) * scale + beta

    with scale = gamma / sqrt(var + eps), one for each channel of the result (S. Ioffe and C. Szegedy, arXiv:1502.03167;
    B. Jacob et al., arXiv:1712.05877, section 3.2, for the folding). Computed in float64, rounded once: results are
    equal up to rounding. Any scale and shift of channels are those of a layer with mean 0, var 1 and eps 0.

    Args:
        w: (Cin, Cout / groups, *kernel), of floats.
        bias: (C,) of the dtype of w, or None; C is Cout of `conv_transpose`, and Cin of `conv`.
        mean, var: (C,), of floats, as the layer has gathered them; var + eps must be above 0.
        gamma, beta: (C,), the scale and the shift of the layer, or None for 1 and 0.
        eps: a number of at least 0.
        groups: those of the operation.
        operation: "conv_transpose" or "conv".

    Returns:
        New arrays of the shape of w and (C,), of the dtype of w.

    Raises:
        ValueError, TypeError: the text names the argument, its value, what is allowed.

    >>> import numpy as np, tconv
    >>> w, x = np.ones((1, 2, 2)), np.array([[[1.0, 3.0]]])
    >>> folded, bias = tconv.fold_batch_norm(w, None, np.array([2.0, 0.0]), np.array([4.0, 1.0]), eps=0)
    >>> tconv.conv_transpose(x, folded, bias, stride=2)
    array([[[-0.5, -0.5,  0.5,  0.5],
            [ 1. ,  1. ,  3. ,  3. ]]])
    """
    with checks.explained("fold_batch_norm"):
        checks.choice("operation", operation, OPERATIONS)
        _floats("w", w)
        cin, cout, _ = arguments.prepared_weights(w.shape, checks.integer("groups", groups, 1))
        checks.divides("groups", groups, "the channels of x, Cin", cin)
        channels = cout if operation == "conv_transpose" else cin
        given = {"bias": bias, "mean": mean, "var": var, "gamma": gamma, "beta": beta}
        for name, value in given.items():
            if value is not None or name in ("mean", "var"):
                _floats(name, value)
                arrays.exact_shape(name, value, (channels,))
        if bias is not None:
            arrays.same_dtype("bias", bias, "w", arrays.dtype_name("the dtype of w", w.dtype))
        least = checks.number("eps", eps)
        if not 0 <= least < float("inf"):
            checks.wrong(f"eps must be at least 0 and finite; got {eps}")
        variance = np.float64(var) + least
        if not (variance > 0).all():
            where = int(np.argmin(variance > 0))
            checks.wrong(f"var + eps must be above 0; got {np.take(variance, where)} for channel {where}")
    scale = (1.0 if gamma is None else np.float64(gamma)) / np.sqrt(variance)
    shift = (0.0 if beta is None else np.float64(beta)) + ((0.0 if bias is None else np.float64(bias)) - mean) * scale
    of_weights = scale.reshape(groups, 1, -1) if operation == "conv_transpose" else scale.reshape(groups, -1, 1)
    split = w.astype(np.float64).reshape(groups, cin // groups, *w.shape[1:])
    folded = split * of_weights.reshape(*of_weights.shape, *[1] * (w.ndim - 2))
    return folded.reshape(w.shape).astype(w.dtype), shift.astype(w.dtype)


def _floats(name: str, value: Any) -> None:
    """An array of floating-point numbers."""
    arrays.array(name, value)
    dtype = arrays.dtype_name(f"the dtype of {name}", value.dtype)
    if not dtype.startswith(("float", "bfloat")):
        checks.wrong_type(f"{name} must hold floating-point numbers; got {dtype}")
