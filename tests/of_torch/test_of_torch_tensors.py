"""Tensors in `tconv.conv_transpose`, and who computes what: `plan`, other dtypes, the rules of the short way."""

import numpy as np
import pytest
import torch
from registry import EXACT
from torch_pairs import close, grid

import tconv
import tconv.torch
from tconv.torch import functional

X, W, BIAS = grid(2), torch.randn(4, 3, 3, 3), torch.randn(6)
WINDOW = {"stride": 2, "padding": ((0, 1), (1, 0)), "groups": 2}


@pytest.mark.parametrize("method", ["auto", *EXACT])
@pytest.mark.parametrize("layout", ["channels_first", "channels_last"])
def test_tensors_give_what_arrays_give(method, layout):
    x = X if layout == "channels_first" else X.movedim(1, -1).contiguous()
    expected = tconv.conv_transpose(*(t.numpy() for t in (x, W, BIAS)), **WINDOW, layout=layout)
    found = tconv.conv_transpose(x, W, BIAS, **WINDOW, layout=layout, method=method)
    assert found.is_contiguous()
    close(found, torch.from_numpy(expected))
    out = torch.full_like(found, torch.nan)
    assert tconv.conv_transpose(x, W, BIAS, **WINDOW, layout=layout, method=method, out=out) is out
    close(out, found)


def test_channels_last_in_one_axis():
    x, w = torch.randn(2, 7, 4), torch.randn(4, 6, 4)
    y = tconv.conv_transpose(x, w, stride=2, layout="channels_last")
    assert y.is_contiguous()
    close(y, functional.conv_transpose1d(x.transpose(1, 2), w, stride=2).transpose(1, 2))


def test_derivatives():
    x, w = X.clone().requires_grad_(), W.clone().requires_grad_()
    y = tconv.conv_transpose(x.movedim(1, -1), w, BIAS, **WINDOW, layout="channels_last").movedim(-1, 1)
    z = functional.conv_transpose2d(x, w, BIAS, **WINDOW)
    dy = torch.randn_like(z)
    for found, expected in zip(torch.autograd.grad(y, (x, w), dy), torch.autograd.grad(z, (x, w), dy), strict=True):
        close(found, expected)


def test_integers_and_more_axes_are_computed_as_arrays():
    x, w = torch.arange(3)[None, None], torch.tensor([[[1, 10]]])
    assert tconv.conv_transpose(x, w).tolist() == [[[0, 1, 12, 20]]]
    x, w = torch.randn(1, 2, 2, 2, 3, 2), torch.randn(2, 1, 2, 1, 2, 2)
    close(tconv.conv_transpose(x, w), torch.from_numpy(tconv.conv_transpose(x.numpy(), w.numpy())))


@pytest.mark.parametrize("dtype", [torch.complex64, torch.complex128])
def test_other_dtypes_give_pytorchs_results(dtype):
    x, w = X.to(dtype), W.to(dtype)
    expected = torch.nn.functional.conv_transpose2d(x, w, None, 2, groups=2)
    assert functional.conv_transpose2d(x, w, None, 2, groups=2).equal(expected)
    assert tconv.conv_transpose(x, w, stride=2, groups=2).equal(expected)
    assert tconv.torch.plan(x, w, stride=2, groups=2).by == "torch"


@pytest.mark.parametrize("method", EXACT)
def test_complex_tensors_by_a_method_also_where_the_conjugate_is_still_to_be_taken(method):
    x, w = torch.complex(X, 2 * X).conj(), torch.complex(W, -W).conj()
    assert x.is_conj()
    expected = torch.nn.functional.conv_transpose2d(x, w, None, 2, groups=2)
    close(
        torch.view_as_real(tconv.conv_transpose(x, w, stride=2, groups=2, method=method)), torch.view_as_real(expected)
    )


def test_plan_says_who_computes_and_why():
    def plan(*tensors, **given):
        return tconv.torch.plan(*tensors, **{"groups": 2, **given})

    ours = plan(X, W, BIAS, stride=2)
    assert (ours.by, ours.engine.method, ours.engine.layout) == ("tconv", "jit", "channels_first")
    assert str(ours).startswith(
        "by tconv's engine: plain tensors of a dtype and a shape that it computes\nconv_transpose by jit"
    )
    assert plan(X.to(memory_format=torch.channels_last), W).engine.layout == "channels_last"
    half = plan(X.half(), W.half())
    assert half.why == "float16 is cast to float32 for it, which is quicker, and the result is rounded once"
    assert (half.by, half.engine.dtype) == ("tconv", "float32")
    assert str(plan(X.to(torch.complex64), W.to(torch.complex64))) == (
        "by PyTorch's own operator: the engine computes float32, float64, float16, bfloat16; got complex64"
    )
    assert plan(X.to("meta"), W.to("meta")).why == "the engine computes on the CPU; the tensors are on meta"
    assert plan(X[:0], W).why == "there is nothing to compute"
    with torch.autocast("cpu", torch.bfloat16):
        assert plan(X, W).why == half.why.replace("float16", "bfloat16")
    with torch.device("meta"):
        assert plan(X, W).why.startswith("a mode, a trace, a transform or forward differentiation is at work")
    assert (
        plan(X.to_sparse(), W).why == "the engine reads plain, strided tensors; got Tensor of layout torch.sparse_coo"
    )
    with pytest.raises(RuntimeError, match="stride must be"):
        plan(X, W, stride=0)


def test_plans_of_convolutions():
    y, w = torch.randn(2, 4, 9, 8), torch.randn(6, 2, 3, 3)
    given = {"stride": 2, "padding": ((0, 1), (1, 1)), "groups": 2, "operation": "conv"}
    plan = tconv.torch.plan(y, w, **given)
    assert (plan.by, plan.engine.problem.operation, plan.engine.result_shape) == ("tconv", "conv", (2, 6, 4, 4))
    assert plan.engine.result_shape == tuple(functional.conv2d(y, w, None, 2, ((0, 1), (1, 1)), 1, 2).shape)
    assert tconv.torch.plan(y.to(memory_format=torch.channels_last), w, **given).engine.layout == "channels_last"
    assert tconv.torch.plan(y.to("meta"), w.to("meta"), **given).by == "torch"
    with torch.autocast("cpu", torch.float16):
        assert tconv.torch.plan(y, w, **given).why.startswith("float16 is cast to float32")


def test_what_the_engine_refuses_goes_to_pytorch():
    x, w = torch.randn(1, 1, 3), torch.randn(1, 1, 1 << 15)
    plan = tconv.torch.plan(x, w)
    assert plan.by == "torch"
    assert plan.why == "the engine computes kernels and strides up to 16384 only, all axes together"
    torch.testing.assert_close(functional.conv_transpose1d(x, w), torch.nn.functional.conv_transpose1d(x, w))


def test_a_wrong_setting_of_the_environment_is_no_silent_fallback(monkeypatch):
    monkeypatch.setenv("TCONV_ISA", "abacus")
    with pytest.raises(ValueError, match=r"TCONV_ISA must be one of .* got 'abacus'"):
        functional.conv_transpose1d(torch.randn(1, 3, 11), torch.randn(3, 5, 7))


def test_threads_are_pytorchs_and_no_more_than_tconvs(monkeypatch):
    from tconv.torch import engine

    before = torch.get_num_threads()
    try:
        for theirs, ours, expected in ((1, 4, 1), (3, 2, 2), (2, 8, 2)):
            torch.set_num_threads(theirs)
            tconv.set_num_threads(ours)
            assert engine.threads() == expected
    finally:
        torch.set_num_threads(before)
        tconv.set_num_threads(None)


def test_large_results_get_huge_pages(monkeypatch):
    from tconv.torch import formats

    asked = []
    monkeypatch.setattr(formats, "_madvise", lambda: lambda *given: asked.append(given))
    x, w = torch.randn(1, 1, 1024, 1024), torch.randn(1, 1, 2, 2)
    y = functional.conv_transpose2d(x, w, stride=2)
    ((start, size, _),) = asked
    assert y.data_ptr() <= start < y.data_ptr() + 65536
    assert start + size == y.data_ptr() + y.numel() * 4
    functional.conv_transpose2d(x[..., :64, :64], w, stride=2)
    assert len(asked) == 1


def test_numpy_arrays_do_not_load_pytorch():
    import subprocess
    import sys

    compute = "tconv.conv_transpose(np.ones((1, 1, 2)), np.ones((1, 1, 2)))"
    code = f"import sys, numpy as np, tconv; {compute}; print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"
    assert isinstance(tconv.conv_transpose(np.ones((1, 1, 2)), np.ones((1, 1, 2))), np.ndarray)


def test_what_tune_finds_is_used_at_once():
    from tconv.torch import engine

    window = engine.OperationWindow((2, 2), (0, 0), (11, 13), (1, 1), 2)
    before = engine.call("conv_transpose", X, W, window)
    assert engine.call("conv_transpose", X, W, window) is before
    tconv.tune(tuple(X.shape), tuple(W.shape), stride=2, groups=2, threads=1, seconds=0.001)
    assert engine.call("conv_transpose", X, W, window) is not before
