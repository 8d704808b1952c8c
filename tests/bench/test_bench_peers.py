"""Every peer that is installed gives the right result in every setting, and leaves the process as it was."""

import os
import sys
import threading

import numpy as np
import pytest
from bench_layers import LAYERS, small_layer

import tconv
from tconv.bench import cores
from tconv.bench.measure import difference, reference
from tconv.bench.peers import LIBRARIES, OURS, PEERS, Case, LeftOut, compiled, jax, textbook
from tconv.bench.peers import base as peers_base
from tconv.problem import OPERATIONS

# OpenVINO forks to look at the machine, about which JAX warns if it was imported before.
pytestmark = pytest.mark.filterwarnings("ignore:os.fork:RuntimeWarning")

ALL = {**OURS, **PEERS}
#: The first compilation of one takes about twenty seconds; what it compiles is tested below. One serves few layers.
QUICK = [
    (peer, operation, setting)
    for peer in ALL.values()
    if peer.name not in ("torch.compile", "winograd")
    for operation in OPERATIONS
    for setting in peer.settings_for(operation)
]
SHAPES = {"conv_transpose": "y_shape", "conv": "x_shape", "weight_gradient": "w_shape"}


@pytest.mark.parametrize("layer", LAYERS.values(), ids=LAYERS)
@pytest.mark.parametrize(("peer", "operation", "setting"), QUICK, ids=lambda value: getattr(value, "name", value))
def test_every_setting_gives_the_right_result(peer, operation, setting, layer):
    case = Case.of(layer, cores.count(), operation=operation)
    if reason := peer.missing(case.threads):
        pytest.skip(reason)
    if (peer.name, case.layer.ndim) == ("torch.channels_last", 1):
        with pytest.raises(LeftOut, match=r"^PyTorch has channels_last for 2 and 3 axes only$"):
            peer.prepare(case, setting)
        peer.release()
        return
    try:
        call = peer.prepare(case, setting)
        results = [np.array(call.read(call.run())) for _ in range(2)]
    finally:
        peer.release()
    for result in results:  # the second run as well: buffers are used again
        assert result.shape == getattr(layer, SHAPES[operation])
        assert result.dtype == np.float32
        assert difference(result, reference(case)) < 1e-6


#: Those that serve every layer.
EXACT = {name: peer for name, peer in OURS.items() if name != "winograd"}
OURS_BY_OPERATION = [(name, operation) for name, peer in EXACT.items() for operation in peer.operations]


@pytest.mark.parametrize(("name", "operation"), OURS_BY_OPERATION)
def test_ours_takes_arrays_with_channels_last(name, operation):
    case = Case.of(small_layer(), 1, "channels_last", operation)
    call = OURS[name].prepare(case, "default")
    try:
        assert difference(call.read(call.run()), reference(case)) < 1e-6
    finally:
        OURS[name].release()


@pytest.mark.parametrize("layout", ["channels_first", "channels_last"])
def test_minimal_filtering_takes_part_where_it_is_offered(layout):
    channels = {"in_channels": 32, "out_channels": 32, "groups": 1}
    layer = small_layer(**channels, spatial=(16, 16), kernel=4, stride=2, padding=1, output_padding=0, dilation=1)
    case = Case.of(layer, 1, layout)
    try:
        call = OURS["winograd"].prepare(case, "default")
        assert 0 < difference(call.read(call.run()), reference(case)) < 2e-5
        few = Case.of(small_layer(), 1, layout)
        with pytest.raises(LeftOut, match='method "winograd" saves too little for kernel'):
            OURS["winograd"].prepare(few, "default")
    finally:
        OURS["winograd"].release()


def test_torch_compile_gets_the_layer():
    torch = pytest.importorskip("torch", exc_type=ModuleNotFoundError)
    for layer in LAYERS.values():
        case = Case.of(layer, 1)
        result = compiled.layer_module(torch, case)(torch.from_numpy(case.x))
        assert difference(result.detach().numpy(), reference(case)) < 1e-6


def test_the_reference_is_in_float64():
    case = Case.of(small_layer(), 1)
    exact = tconv.conv_transpose(case.x, case.w, **case.layer.keywords)
    assert reference(case).dtype == np.float64
    assert difference(exact, reference(case)) < 1e-6


def test_differences():
    expected = np.array([[1.0, -4.0]])
    assert difference(np.array([[1.0, -3.0]]), expected) == 0.25
    assert difference(np.array([1.0, -4.0]), expected) == np.inf
    assert difference(np.array([[np.nan, -4.0]]), expected) == np.inf
    assert difference(np.zeros(2), np.zeros(2)) == 0


def test_threads_and_gradient_mode_are_as_before():
    torch = pytest.importorskip("torch", exc_type=ModuleNotFoundError)
    before = torch.get_num_threads(), torch.is_grad_enabled(), tconv.get_num_threads()
    case = Case.of(small_layer(), max(before[0], before[2]) + 1)
    for name in ("torch", "torch.channels_last", "prepared", "functional"):
        ALL[name].prepare(case, "default")
        now = torch.get_num_threads(), torch.is_grad_enabled(), tconv.get_num_threads()
        assert now != before
        ALL[name].release()
        assert (torch.get_num_threads(), torch.is_grad_enabled(), tconv.get_num_threads()) == before


def test_names_are_unique_and_textbook_is_no_candidate_for_the_best():
    assert len(ALL) == len(OURS) + len(PEERS)
    assert all(name == peer.name for name, peer in ALL.items())
    assert set(PEERS) - set(LIBRARIES) == {"textbook"}
    assert "jit" not in PEERS["textbook"].settings


@pytest.mark.parametrize("name", LIBRARIES)
def test_a_library_that_is_not_installed_is_missing_by_name(name, monkeypatch):
    monkeypatch.setattr(peers_base, "find_spec", lambda module: None)
    packages = " and ".join(LIBRARIES[name].packages)
    assert LIBRARIES[name].missing(1) == f"{packages} not installed: pip install 'tconv[bench]'"


def test_torch_compile_is_missing_without_a_compiler(monkeypatch):
    builder = pytest.importorskip("torch._inductor.cpp_builder", exc_type=ModuleNotFoundError)

    def fails():
        raise RuntimeError("No working C++ compiler found\nin a long list")

    monkeypatch.setattr(builder, "get_cpp_compiler", fails)
    assert PEERS["torch.compile"].missing(1) == "needs a C++ compiler: No working C++ compiler found"


def test_jax_is_missing_where_it_would_take_other_cores():
    pytest.importorskip("jax", exc_type=ModuleNotFoundError)
    count = cores.count()
    said = f"its threads are as many as the cores of the process, {count}, and not {count + 1}"
    assert PEERS["jax"].missing(count + 1) == said


def test_jax_is_left_out_where_xla_would_loop_for_ever(monkeypatch):
    monkeypatch.setattr(jax, "MOST_SECONDS", 1e-9)
    with pytest.raises(LeftOut, match=r"^expected to take 0 s: XLA runs it in plain loops$"):
        PEERS["jax"].prepare(Case.of(LAYERS["three axes"], 1), "channels_first")
    assert jax._looped_seconds(Case.of(LAYERS["two axes"], 1)) == 0  # grouped, not depthwise


def test_textbook_methods_that_would_take_too_long_are_left_out(monkeypatch):
    monkeypatch.setattr(textbook, "MOST_SECONDS", 1e-9)
    with pytest.raises(LeftOut, match=r"^expected to take "):
        PEERS["textbook"].prepare(Case.of(small_layer(), 1), "gemm")
    monkeypatch.setattr(textbook, "MOST_SECONDS", 1)
    monkeypatch.setattr(textbook, "MOST_SCRATCH", 1)
    with pytest.raises(LeftOut, match=r"of scratch memory$"):
        PEERS["textbook"].prepare(Case.of(small_layer(), 1), "gemm")


def test_textbook_cannot_be_held_to_fewer_threads_without_threadpoolctl(monkeypatch):
    monkeypatch.setattr(cores, "find_spec", lambda module: None)
    threads = cores.count_at_start() + 1
    lacks = f"threadpoolctl, which holds NumPy's BLAS to {threads} threads, not installed: pip install 'tconv[bench]'"
    assert PEERS["textbook"].missing(threads) == lacks
    assert PEERS["textbook"].missing(cores.count_at_start()) == ""


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system does not pin processes")
def test_the_process_is_held_to_its_cores_and_let_go():
    before, seen, go, stop = os.sched_getaffinity(0), [], threading.Event(), threading.Event()

    def look():
        go.wait()
        seen.append(os.sched_getaffinity(0))
        stop.wait()

    other = threading.Thread(target=look)
    other.start()
    try:
        with cores.held(1):
            assert cores.count() == 1
            go.set()
            while not seen:
                pass
        assert os.sched_getaffinity(0) == before
        if sys.platform == "linux":  # where the threads of a process can be listed
            assert len(seen[0]) == 1
            assert os.sched_getaffinity(other.native_id) == before
    finally:
        go.set()
        stop.set()
        other.join()
