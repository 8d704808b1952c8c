"""float16 and bfloat16 on the CPU: tensors are cast to float32 around the engine, and results rounded once.

PyTorch's own operator adds up float16 in loops that are not vectorized, unless oneDNN takes them; oneDNN has
instructions for bfloat16 on many processors, and is then often as fast. `choice.py` says who is the faster.
"""

from __future__ import annotations

import torch
from torch import Tensor

#: The dtypes that are cast, and what they are computed in.
HALVES = {torch.float16: "float32", torch.bfloat16: "float32"}
_SUPPORTED = {torch.float16: "_is_mkldnn_fp16_supported", torch.bfloat16: "_is_mkldnn_bf16_supported"}
#: Those of them that PyTorch hands to oneDNN on this processor.
BY_ONEDNN = frozenset(
    dtype for dtype, asked in _SUPPORTED.items() if torch._C._has_mkldnn and getattr(torch.ops.mkldnn, asked)()
)


def widened(t: Tensor) -> Tensor:
    """A tensor in float32 if it is one of half precision, with the same strides where these leave no gaps."""
    return t.float() if t.dtype in HALVES else t
