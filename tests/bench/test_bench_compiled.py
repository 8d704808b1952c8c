"""What benchmarks do about models that PyTorch compiles."""

import pytest
import torch

from benchmarks import whole_models


def test_what_is_compiled_anew_is_not_timed():
    """What `torch._dynamo.reset` has forgotten would come again without frozen weights, and nobody would see it."""
    once = torch.compile(lambda x: x + 1, backend="eager")
    once(torch.ones(2))
    with whole_models.nothing_compiled():
        once(torch.ones(2))
    torch._dynamo.reset()
    with pytest.raises(RuntimeError, match="compiled anew"), whole_models.nothing_compiled():
        once(torch.ones(2))
