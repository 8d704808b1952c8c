"""Tests that load whole frameworks, and when they run in processes of their own.

Compiled code and what frameworks keep are only freed as a process ends. Where all tests run side by side, a worker that
met every framework would hold 2 GB. So each group of files is one test there (`test_apart.py`), whose process ends with
it; workers never load these files. Asked for by name, or without workers, the files are collected as any other.
"""

from __future__ import annotations

from pathlib import Path

import pytest

HERE = Path(__file__).parent

#: Some hundred megabytes each: torch, JAX, what the examples read digits with, ...
FRAMEWORKS = {"torch", "jax", "sklearn", "openvino", "tensorflow"}
#: Under this key a worker keeps which of them were loaded as it collected its tests.
LOADED = pytest.StashKey[set[str]]()

#: By group, files below this folder. A group is to load no more than it needs, and to take less than a minute. The last
#: two start a browser.
GROUPS = {
    "jax, variants": ("of_jax/test_of_jax_variants.py",),
    "jax, adjoints": ("of_jax/test_of_jax_adjoints.py",),
    "jax": ("of_jax/test_of_jax_[!av]*.py", "conventions/test_conventions_jax.py"),
    "torch, accelerated": (
        "of_torch/test_of_torch_accelerate*.py",
        "of_torch/test_of_torch_closing.py",
        "jit/test_engine_accuracy.py",
        "onnx_graphs/test_onnx_exported.py",
    ),
    "torch, runs": ("of_torch/test_of_torch_joined_*.py",),
    "torch": (
        "of_torch/test_of_torch_[!abchjrt]*.py",
        "of_torch/test_of_torch_t[!i]*.py",
        "of_torch/test_of_torch_a[dt]*.py",
        "of_torch/test_of_torch_c[!l]*.py",
        "of_torch/test_of_torch_classes.py",
    ),
    "torch, borders, halves, rounding": ("of_torch/test_of_torch_[bhr]*.py",),
    "torch, tiles": ("of_torch/test_of_torch_tiles*.py",),
    "torch, a day": ("days/test_day_torch.py",),
    "examples, generate": ("examples/test_examples_generate.py", "examples/test_examples_modules.py"),
    "examples, segment": ("examples/test_examples_[!gm]*.py",),
    "torch beside NumPy": (
        "conventions/test_conventions_pasted.py",
        "conventions/test_conventions_torch.py",
        "conventions/test_convert_weights.py",
        "conventions/test_checkpoints.py",
        "conventions/test_round_trip.py",
        "cli/test_cli_convert.py",
        "test_columns.py",
        "test_demo.py",
        "test_upsample.py",
    ),
    "a day with JAX": ("days/test_day_jax.py",),
    "frameworks that share a form": ("conventions/test_conventions_layered.py",),
    "peers": ("bench/test_bench_compiled.py", "bench/test_bench_peers.py", "cli/test_cli_bench.py"),
    "Dask": ("of_dask/test_of_dask_[!c]*.py", "of_dask/test_of_dask_chunks.py"),
    "Dask, a cluster": ("of_dask/test_of_dask_cluster.py",),
    "documents": ("test_docs.py",),
    "the page": ("exploring/test_explore_page.py",),
    "the page, readers": ("exploring/test_explore_readers.py",),
}


def files(group: str) -> list[Path]:
    """Those of a group."""
    return sorted(path for pattern in GROUPS[group] for path in HERE.glob(pattern))


#: All of them.
FILES = frozenset(path for group in GROUPS for path in files(group))
#: What workers leave alone: the files, and folders that have no others, whose `conftest.py` loads what these need.
LEFT = FILES | {folder for folder in {path.parent for path in FILES} if set(folder.glob("test_*.py")) <= FILES}
